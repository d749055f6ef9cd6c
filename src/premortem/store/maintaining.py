"""What has to be done once in a while: partitions made ahead and dropped, hours rolled up, old letters forgotten.

Any number of watchers may do it at once.  The registry, alerts, events, deploys and the hours are never dropped.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from premortem import pg
from premortem.errors import ServerTimeout
from premortem.store import days
from premortem.store.queries import QUERIES
from premortem.store.values import Maintained

_AHEAD = 2
_LETTERS = timedelta(days=30)
_FORGOTTEN = timedelta(hours=1)


def maintain(db: pg.Session, now: datetime, retention: timedelta) -> Maintained:
    """Do all of it that is due; doing it again at once does nothing."""
    today = now.astimezone(UTC).date()
    made = _make(db, today)
    _close_forgotten(db, now)
    hours = _roll_up(db, now)
    dropped, says = _drop(db, (now - retention).astimezone(UTC).date())
    letters = db.execute(QUERIES["forget letters"], before=now - max(retention, _LETTERS))
    return Maintained(made=made, dropped=dropped, hours=hours, letters=letters, says=says)


def _make(db: pg.Session, today: date) -> tuple[str, ...]:
    with db.transaction():
        return days.ensure(db, (today + timedelta(days=ahead) for ahead in range(_AHEAD + 1)))


def _close_forgotten(db: pg.Session, now: datetime) -> None:
    """Put minutes into history that no watcher closed, as it stopped watching their instance."""
    before = now - _FORGOTTEN
    with db.transaction():
        found = db.tuples(QUERIES["forgotten minutes"], before=before)
        if not found:
            return
        days.ensure(db, {at.date() for _, at in found})
        db.execute(QUERIES["close forgotten minutes"], before=before)
        for instance in {instance for instance, _ in found}:
            hours = sorted({at.replace(minute=0) for one, at in found if one == instance})
            db.execute(QUERIES["mark hours"], instance=instance, hours=hours)


def _roll_up(db: pg.Session, now: datetime) -> int:
    """Sum up the hours that are over, each in a transaction of its own: one is quick, a week's may take long."""
    before = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    count = 0
    for hour in db.values(QUERIES["hours that are over"], before=before):
        with db.transaction():
            db.execute("SET LOCAL statement_timeout = '10min'")
            if taken := db.values(QUERIES["hour to roll up"], hour=hour):
                db.execute(QUERIES["roll up"], hour=hour, instances=sorted(taken))
                count += 1
    return count


def _drop(db: pg.Session, before: date) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Drop the days before that one whose hours are all rolled up; what somebody reads is left for the next time."""
    waiting = set(db.values(QUERIES["days to roll up"]))
    dropped, says = [], []
    for day, name in days.existing(db).items():
        if day >= before or day in waiting:
            continue
        try:
            days.drop(db, name)
            dropped.append(name)
        except ServerTimeout as error:
            says.append(f"{name} is still there: {error.message}")
    return tuple(dropped), tuple(says)
