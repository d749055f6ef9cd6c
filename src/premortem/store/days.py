"""The partitions of history: one per day, made before the day begins and dropped when its time is over."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from premortem import pg
from premortem.store.queries import QUERIES, TAG

_NAME = re.compile(r"history_(\d{4})(\d{2})(\d{2})\Z")
_DAY = timedelta(days=1)


def existing(db: pg.Session) -> dict[date, str]:
    """Return the partitions by their day, oldest first."""
    names = (str(name) for name in db.values(QUERIES["partitions"]))
    found = {date(int(m[1]), int(m[2]), int(m[3])): name for name in names if (m := _NAME.match(name))}
    return dict(sorted(found.items()))


def ensure(db: pg.Session, days: Iterable[date]) -> tuple[str, ...]:
    """Make the partitions of these days that are not there yet, and return their names."""
    db.execute(QUERIES["lock maintenance"])
    there = existing(db)
    made = []
    for day in sorted(set(days) - set(there)):
        made.append(f"history_{day:%Y%m%d}")
        # Attaching does not wait for those who read and write the other days, CREATE TABLE … PARTITION OF would.
        name, begins, ends = db.quoted("premortem", made[-1]), _begin(day), _begin(day + _DAY)
        db.execute(f"{TAG}CREATE TABLE {name} (LIKE premortem.history INCLUDING DEFAULTS) WITH (fillfactor = 100)")
        db.execute(
            f"{TAG}ALTER TABLE premortem.history ATTACH PARTITION {name}"
            f" FOR VALUES FROM ({db.literal(begins)}) TO ({db.literal(ends)})"
        )
    return tuple(made)


def drop(db: pg.Session, name: str) -> None:
    """Drop a partition, without making writers wait for long behind somebody who reads."""
    partition = db.quoted("premortem", name)
    with db.transaction():
        db.execute("SET LOCAL lock_timeout = '2s'")
        db.execute(f"{TAG}ALTER TABLE premortem.history DETACH PARTITION {partition}")
        db.execute(f"{TAG}DROP TABLE {partition}")


def _begin(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
