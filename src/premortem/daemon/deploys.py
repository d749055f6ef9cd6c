"""What is told to `POST /deploys`, read into a deploy: our own form, and those that forges and pagers send already.

Nobody writes a sender for a ledger: a forge has a webhook and a pipeline has a change event, and pointing it here
has to be enough.  Forms, from their documentation: PagerDuty's Events API v2 change events, GitHub's `deployment` and
`deployment_status`, GitLab's `deployment`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from premortem.errors import InputError
from premortem.model import Deploy

HINT = 'send {"service": "shop", "revision": "a7c3dbe", "at": "2026-01-31T14:03:00Z"}; `at` may be left out'
#: The words under which pipelines put a revision into a change event's custom details.
_REVISIONS = ("revision", "sha", "commit", "commit_sha", "git_sha", "version", "tag", "image_tag", "build")
_SERVICES = ("service", "app", "application", "repository", "repo", "project")
_SHA = re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b")
_LONGEST = {"service": 200, "revision": 200, "says": 1000, "url": 2000, "author": 200, "environment": 100}
#: A clock may be a little off; a deploy of tomorrow is a mistake that would hide today's.
_AHEAD = timedelta(minutes=10)
#: A rollout changes queries from when it starts, so that counts as much as its success.
_SHIPS = {"in_progress", "success", "running"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NotShipped:
    """A payload that was understood and tells of no deploy; `says` is why."""

    says: str


def parse(body: bytes, now: datetime, *, event: str = "") -> Deploy | NotShipped:
    """Return the deploy that a payload tells of; `event` is GitHub's X-GitHub-Event, where there was one.

    Raises InputError.
    """
    told = _object(body)
    if event == "ping":
        return NotShipped(says="pong")
    if isinstance(told.get("deployment"), dict):
        return _github(told, now)
    if told.get("object_kind") == "deployment":
        return _gitlab(told, now)
    if event or "object_kind" in told:
        return NotShipped(says=f"a {event or told['object_kind']} event is no deploy: send deployment events only")
    if isinstance(told.get("payload"), dict):
        return _change_event(told, now)
    return _own(told, now)


def routing_key(body: bytes) -> str:
    """Return the key that a PagerDuty-style change event carries in itself; empty where there is none."""
    try:
        said = _object(body).get("routing_key", "")
    except InputError:
        return ""
    return said if isinstance(said, str) else ""


def _own(told: Mapping[str, Any], now: datetime) -> Deploy:
    unknown = set(told) - {"service", "revision", "at", "author", "url", "says", "environment"}
    if unknown:
        raise InputError(f"a deploy has no {sorted(unknown)[0]!r}", hint=HINT)
    return _deploy(told, now, source="webhook", at=told.get("at"))


def _change_event(told: Mapping[str, Any], now: datetime) -> Deploy:
    payload = told["payload"]
    details = payload.get("custom_details")
    details = details if isinstance(details, dict) else {}
    summary = _text(payload.get("summary"))
    sha = _SHA.search(summary)
    found = {
        "service": _first(details, _SERVICES) or payload.get("source"),
        "revision": _first(details, _REVISIONS) or (sha[0] if sha else summary),
        "author": _first(details, ("author", "user", "deployer", "actor")),
        "environment": _first(details, ("environment", "env", "stage")),
        "says": summary,
        "url": _link(told.get("links")),
    }
    return _deploy(found, now, source="change event", at=payload.get("timestamp"))


def _github(told: Mapping[str, Any], now: datetime) -> Deploy | NotShipped:
    deployment, repository, status = told["deployment"], _part(told, "repository"), _part(told, "deployment_status")
    state = _text(status.get("state"))
    if status and state not in _SHIPS:
        return NotShipped(says=f"the deployment is {state or 'of no state'}: {' and '.join(sorted(_SHIPS))} count")
    revision = _text(deployment.get("sha")) or _text(deployment.get("ref"))
    page = _text(repository.get("html_url"))
    found = {
        "service": _first(_part(deployment, "payload"), _SERVICES) or repository.get("name"),
        "revision": revision,
        "author": _part(deployment, "creator").get("login"),
        "environment": deployment.get("environment"),
        "says": deployment.get("description"),
        "url": f"{page}/commit/{revision}" if page else status.get("log_url"),
    }
    return _deploy(found, now, source="github", at=status.get("created_at") or deployment.get("created_at"))


def _gitlab(told: Mapping[str, Any], now: datetime) -> Deploy | NotShipped:
    state = _text(told.get("status"))
    if state not in _SHIPS:
        return NotShipped(says=f"the deployment is {state or 'of no state'}: {' and '.join(sorted(_SHIPS))} count")
    url = _text(told.get("commit_url"))
    found = {
        "service": _part(told, "project").get("name"),
        "revision": url.rsplit("/", 1)[-1] if "/commit/" in url else told.get("short_sha"),
        "author": _part(told, "user").get("username"),
        "environment": told.get("environment"),
        "says": told.get("commit_title"),
        "url": url or told.get("deployable_url"),
    }
    return _deploy(found, now, source="gitlab", at=told.get("status_changed_at"))


def _deploy(found: Mapping[str, Any], now: datetime, *, source: str, at: object) -> Deploy:
    texts = {name: _field(found, name) for name in _LONGEST}
    for name in ("service", "revision"):
        if not texts[name]:
            raise InputError(f"the deploy does not say its {name}", hint=HINT)
    return Deploy(at=_time(at, now), source=source, **texts)


def _field(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if value is not None and not isinstance(value, (str, int)):
        raise InputError(f"the deploy's {name} is no text", hint=HINT)
    return _text(value)[: _LONGEST[name]]


def _time(said: object, now: datetime) -> datetime:
    """Return when it was shipped: now where nobody says."""
    if said is None or said == "":
        return now
    at = _moment(said)
    if at.tzinfo is None:
        raise InputError(f"the deploy's time {said!s:.40} has no time zone", hint="add Z or an offset such as +02:00")
    if at > now + _AHEAD:
        raise InputError(f"the deploy's time {said!s:.40} is in the future", hint="check the sender's clock")
    return at.astimezone(UTC)


def _moment(said: object) -> datetime:
    try:
        if isinstance(said, (int, float)) and not isinstance(said, bool):
            return datetime.fromtimestamp(said, UTC)
        # GitLab writes `2026-01-31 14:03:00 +0200`, Rails-style; `UTC` in place of an offset occurs there as well.
        text = str(said).strip().replace(" UTC", "+00:00")
        return datetime.fromisoformat(re.sub(r" (?=[+-]\d)", "", text))
    except (ValueError, OverflowError, OSError):
        raise InputError(f"the deploy's time {said!s:.40} cannot be read", hint=HINT) from None


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise InputError("the body is not JSON", hint=HINT) from None
    if not isinstance(told, dict):
        raise InputError("the body is no JSON object", hint=HINT)
    return told


def _part(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = told.get(name)
    return part if isinstance(part, dict) else {}


def _first(told: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return the first of these fields that says something."""
    return next((said for name in names if (said := _text(told.get(name)))), "")


def _text(value: object) -> str:
    """Return a text or a whole number as text, without what no column takes; empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    return str(value).replace("\0", "").encode("utf-8", "replace").decode().strip()


def _link(links: object) -> str:
    first = links[0] if isinstance(links, list) and links and isinstance(links[0], dict) else {}
    return _text(first.get("href"))
