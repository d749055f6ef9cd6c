"""Which deploy introduced a statement: not the newest before the alert, but the last before it was first seen.

A statement that ships in a quiet month hurts weeks later.  So what counts is when it was first seen, or when what it
depended on changed, and what was shipped just before that.  Where the statement itself names its release in a comment,
that is better than any clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from premortem import words
from premortem.model import Deploy, Suspect

#: What SQL comments call the release that they come from.
REVISION_TAGS = (
    "revision", "git_revision", "commit", "commit_sha", "git_commit", "git_sha", "sha", "release", "version",
    "application_version", "app_version", "service_version", "service.version", "deploy", "deployment", "build",
)  # fmt: skip
#: What SQL comments call the program that they come from.
SERVICE_TAGS = ("service", "service_name", "service.name", "application", "app", "application_name", "db_driver_app")
_ELSEWHERE = frozenset("staging stage dev development test testing qa preview sandbox review local ci".split())
#: A revision shorter than this says too little to match the beginning of another.
_LEAST_PREFIX = 7
#: Clocks of pipelines and servers differ, and a deploy is often recorded when it ends.
_SKEW = timedelta(minutes=5)
#: How soon after a deploy its new statements are usually seen, and how sure that makes us.
_SURE = (
    (timedelta(minutes=15), 0.9),
    (timedelta(hours=1), 0.8),
    (timedelta(hours=6), 0.65),
    (timedelta(days=1), 0.5),
    (timedelta(days=7), 0.3),
)
_LEAST_SURE = 0.15
_MOST = 3


def suspects(
    first_seen: datetime | None,
    deploys: Sequence[Deploy],
    services: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    *,
    appeared: bool = True,
    what: str = "the statement was first seen",
) -> tuple[Suspect, ...]:
    """Return the deploys that may have introduced what was first seen then, the likeliest first.

    Deploys of services that do not use the instance, and those to other environments, are none.  `appeared` is false
    where the statement was there when watching began, so that `first_seen` is only when we came.
    """
    known = {k.lower(): v for k, v in (tags or {}).items() if v}
    able = [d for d in deploys if _may_be(d, services)]
    named = _named(able, known, first_seen)
    if named:
        return named
    if first_seen is None:
        return ()
    theirs = _of_service(able, known)
    found = _by_time(theirs, first_seen, what, 1.0 if appeared else 0.3)
    return tuple(sorted(found, key=lambda s: (-s.confidence, first_seen - s.deploy.at)))[:_MOST]


def _may_be(deploy: Deploy, services: Sequence[str]) -> bool:
    if set(re.split(r"\W+", deploy.environment.lower())) & _ELSEWHERE:
        return False
    return not services or not deploy.service or any(_same(deploy.service, s) for s in services)


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _named(deploys: Iterable[Deploy], tags: Mapping[str, str], first_seen: datetime | None) -> tuple[Suspect, ...]:
    """The release that the statement's own comment names, unless the statement is older than that release."""
    names = [tags[name] for name in REVISION_TAGS if name in tags]
    for name in names:
        for deploy in sorted(deploys, key=lambda d: d.at):
            if not _is_revision(name, deploy.revision):
                continue
            if first_seen is not None and deploy.at > first_seen + _SKEW:
                break  # the text was noted down anew after that release; the statement was there before
            basis = f"the statement's own comment names {words.one_line(name)}"
            return (Suspect(deploy=deploy, basis=basis, confidence=0.98),)
    return ()


def _is_revision(tag: str, revision: str) -> bool:
    """Whether a comment's revision is a deploy's: equal, or the longer begins with the shorter.

    >>> _is_revision("a7c3dbe", "a7c3dbe5901f"), _is_revision("v12", "v12"), _is_revision("1", "1234567")
    (True, True, False)
    """
    one, other = tag.strip().casefold(), revision.strip().casefold()
    if not one or not other:
        return False
    short, long = sorted((one, other), key=len)
    return one == other or (len(short) >= _LEAST_PREFIX and long.startswith(short))


def _of_service(deploys: Sequence[Deploy], tags: Mapping[str, str]) -> Sequence[Deploy]:
    """The deploys of the service that the statement's comment names, all of them where it names none that shipped."""
    named = [tags[name] for name in SERVICE_TAGS if name in tags]
    theirs = [d for d in deploys if any(_same(d.service, n) for n in named)]
    return theirs or deploys


def _by_time(deploys: Iterable[Deploy], moment: datetime, what: str, factor: float) -> Iterable[Suspect]:
    """The last deploy of each service before the moment."""
    last: dict[str, Deploy] = {}
    for deploy in deploys:
        before = last.get(deploy.service)
        if deploy.at <= moment + _SKEW and (before is None or deploy.at > before.at):
            last[deploy.service] = deploy
    for deploy in last.values():
        gap = max(moment - deploy.at, timedelta())
        sure = next((c for most, c in _SURE if gap <= most), _LEAST_SURE)
        doubt = "" if factor == 1.0 else " or before: it was there when watching began"
        when = f"{words.duration(gap)} after it" if gap > timedelta(seconds=1) else "at that moment"
        yield Suspect(deploy=deploy, basis=f"{what} {when}{doubt}", confidence=round(sure * factor, 2))


def shipped_since(deploys: Iterable[Deploy], services: Sequence[str], since: datetime) -> tuple[Deploy, ...]:
    """Return what was shipped after a moment by the services that use the instance, the newest first."""
    found = [d for d in deploys if d.at >= since and _may_be(d, services)]
    return tuple(sorted(found, key=lambda d: d.at, reverse=True))
