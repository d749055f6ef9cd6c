"""`premortem deploy record`: says that a service was deployed."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime, timedelta

from premortem import words
from premortem.cli import output, shipping, watching
from premortem.errors import UsageError
from premortem.model import Deploy
from premortem.settings import Watching

#: A clock may be a little off; a deploy of tomorrow is a mistake that would hide today's.
_AHEAD = timedelta(minutes=10)
_LONGEST = {"service": 200, "revision": 200, "environment": 100, "author": 200, "says": 1000, "url": 2000}


def run(arguments: argparse.Namespace) -> int:
    """Add the deploy to the ledger, and say what was recorded, and where."""
    deploy = described(arguments, datetime.now(UTC))
    settings, secrets = watching.watching_of(arguments.settings)
    with watching.opened_store(settings, secrets, dsn=arguments.store, create=True) as store:
        new = store.record(deploy)
        place = store.place
    output.write(f"{_said(deploy)}: {'recorded in' if new else 'was recorded before in'} {place}\n")
    if not _is_used(deploy.service, settings):
        says = f"no instance of the settings names the service {deploy.service}, so it will be no suspect"
        print(f"premortem: {words.plain(says)}", file=sys.stderr)
    return 0


def _is_used(service: str, settings: Watching) -> bool:
    """Whether an instance may be used by the service, as far as the settings say."""
    every = [instance.services for instance in settings.instances]
    return not every or any(not services or service in services for services in every)


def described(arguments: argparse.Namespace, now: datetime) -> Deploy:
    """Return the deploy that the arguments, the CI job and git describe, in this order.

    Raises UsageError where they do not say what was deployed, or when that cannot be.
    """
    job = shipping.by_job(os.environ)
    revision = arguments.revision or job.revision
    git = shipping.by_git(revision)
    at = arguments.at or now
    if at > now + _AHEAD:
        raise UsageError(f"{at.isoformat()} is in the future", hint="check --at and its time zone")
    found = {name: getattr(arguments, name) or getattr(job, name) or getattr(git, name) for name in _LONGEST}
    for name, what in (("service", "which service"), ("revision", "which revision")):
        if not found[name].strip():
            raise UsageError(f"nobody says {what} was deployed", hint=f"name it: --{name}")
        if len(found[name]) > _LONGEST[name]:
            raise UsageError(f"the {name} is longer than {_LONGEST[name]} characters", hint=f"shorten --{name}")
    texts = {name: words.one_line(text)[: _LONGEST[name]] for name, text in found.items()}
    return Deploy(at=at.astimezone(UTC), source="record", **texts)


def _said(deploy: Deploy) -> str:
    where = f" to {deploy.environment}" if deploy.environment else ""
    return f"{deploy.service} {deploy.revision}{where} at {deploy.at:%Y-%m-%d %H:%M:%S} UTC"
