"""The ledger of deploys: what was shipped, of which service, when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from premortem import pg
from premortem.model import Deploy, Event
from premortem.store import committing, encoding
from premortem.store.queries import QUERIES

#: A pipeline that runs again, or tells of the beginning and the end of a rollout, tells of one deploy.
NEAR = timedelta(hours=1)


def record(db: pg.Session, deploy: Deploy) -> bool:
    """Add a deploy and its event; False where it is there: the same revision, with no other one in between."""
    deploy = replace(
        deploy,
        service=encoding.text(deploy.service),
        environment=encoding.text(deploy.environment),
        revision=encoding.text(deploy.revision),
    )
    what = {"service": deploy.service, "environment": deploy.environment, "revision": deploy.revision, "at": deploy.at}
    db.execute(QUERIES["lock deploys"])
    if db.value(QUERIES["deploy is there"], near=NEAR, **what):
        return False
    body = encoding.written(deploy)
    if db.execute(QUERIES["add deploy"], body=body, **what) == 0:
        return False
    committing.add_event(db, _event(deploy))
    return True


def _event(deploy: Deploy) -> Event:
    return Event(
        id=f"deploy-{deploy.service}-{deploy.environment}-{deploy.revision}-{deploy.at:%Y%m%dT%H%M%S%f}",
        at=deploy.at,
        kind="deploy.recorded",
        subject=deploy.service,
        payload=encoding.plain(deploy),
    )


def deploys(
    db: pg.Session, since: datetime | None, until: datetime | None, services: Sequence[str] | None
) -> tuple[Deploy, ...]:
    """Return what was shipped in a time, oldest first."""
    named = None if services is None else list(services)
    bodies = db.values(QUERIES["deploys"], since=since, until=until, services=named)
    return tuple(encoding.read(Deploy, body) for body in bodies)
