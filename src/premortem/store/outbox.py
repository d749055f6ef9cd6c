"""What channels are to be told, until they were: written with the alert that it is about, and kept over restarts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from premortem import pg
from premortem.model import AlertChange, DeadLetter, Deploy, Letter, Turn
from premortem.store import encoding
from premortem.store.queries import QUERIES

_ALERT, _DEPLOY = "alert", "deploy"


def tell(
    db: pg.Session, change: AlertChange, channels: Sequence[str], at: datetime, hold: datetime | None = None
) -> None:
    """Write a letter to each channel, to wait until `hold`; what becomes of an alert lets the earlier ones go."""
    alert = change.alert
    for channel in channels:
        db.execute(
            QUERIES["add letter"],
            id=f"{channel}/{change.id}",
            channel=channel,
            kind=_ALERT,
            key=alert.key,
            opened_at=alert.opened_at,
            body=encoding.written(change),
            at=at,
            hold=hold,
        )
    if change.turn is not Turn.OPENED and channels:
        db.execute(QUERIES["release letters"], keys=[alert.key], channels=list(channels))


def tell_deploys(db: pg.Session, channels: Sequence[str], since: datetime, at: datetime) -> int:
    """Write a letter to each channel about each deploy that was recorded since; return how many are new."""
    written = 0
    for number, body in db.tuples(QUERIES["deploys to tell"], since=since):
        deploy = encoding.read(Deploy, body)
        for channel in channels:
            written += db.execute(
                QUERIES["add letter"],
                id=f"{channel}/deploy-{number}",
                channel=channel,
                kind=_DEPLOY,
                key=f"deploy {deploy.service}",
                opened_at=None,
                body=encoding.written(deploy),
                at=at,
                hold=None,
            )
    return written


def pending(db: pg.Session, channel: str, most: int) -> tuple[Letter, ...]:
    """Return what a channel was not told yet, oldest first."""
    return tuple(_letter(*row) for row in db.tuples(QUERIES["pending letters"], channel=channel, most=most))


def dead_letters(db: pg.Session, channel: str | None) -> tuple[DeadLetter, ...]:
    """Return what was put aside, oldest first."""
    rows = db.tuples(QUERIES["dead letters"], channel=channel)
    return tuple(DeadLetter(letter=_letter(*row), at=at, says=row[-1]) for *row, at in rows)


def _letter(
    id: str,
    channel: str,
    kind: str,
    body: Any,
    written_at: datetime,
    tries: int,
    retry_at: datetime | None,
    says: str,
) -> Letter:
    what = encoding.read(AlertChange, body) if kind == _ALERT else encoding.read(Deploy, body)
    return Letter(id=id, channel=channel, what=what, written_at=written_at, tries=tries, retry_at=retry_at, says=says)
