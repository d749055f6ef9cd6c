"""What history says: a statement's last hours, what is usual for it, and which statements there are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

from premortem import pg
from premortem.errors import UsageError
from premortem.model import Baseline, Day, Statement, Subject
from premortem.store import days, encoding
from premortem.store.queries import QUERIES, TAG
from premortem.store.values import Known, Step

_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
#: Up to so much time is summed up by the minute, which is exact at both ends.
_MINUTES_OF = timedelta(days=2)
_MEDIAN, _LEAST_HOURS = timedelta(days=7), 5
_DAYS = timedelta(days=28)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def steps(
    db: pg.Session,
    *,
    instance: str | None,
    database: str | None,
    fingerprint: str | None,
    since: datetime,
    until: datetime,
    step: timedelta,
) -> tuple[Step, ...]:
    """Return what one statement, or everything that clients execute, did in each step that had anything."""
    if step < _MINUTE:
        raise UsageError("history is by the minute", hint="ask for steps of a minute or longer")
    subjects = list(
        db.values(QUERIES["chosen subjects"], instance=instance, database=database, fingerprint=fingerprint)
    )
    if not subjects:
        return ()
    return db.rows(
        _over("steps", db),
        Step,
        subjects=subjects,
        first=min(subjects),
        last=max(subjects),
        since=_begin(since, step),
        until=until,
        step=step,
        edge=_edge(db, step),
    )


def find(
    db: pg.Session,
    *,
    words: str,
    instance: str | None,
    database: str | None,
    since: datetime,
    until: datetime,
    most: int,
) -> tuple[Known, ...]:
    """Return the statements of a fingerprint's beginning, a table or a text, the heaviest of the time first."""
    step = _MINUTE if until - since <= _MINUTES_OF else _HOUR
    rows = db.tuples(
        _over("find statements", db),
        words=encoding.text(words.strip()),
        instance=instance,
        database=database,
        since=_begin(since, step),
        until=until,
        edge=_edge(db, step),
        most=most,
    )
    return tuple(
        Known(
            statement=statement(text, body, database=where),
            instance=on,
            database=where,
            first_seen=first_seen,
            appeared=appeared,
            calls=calls,
            total_ms=total_ms,
        )
        for text, body, on, where, first_seen, appeared, calls, total_ms in rows
    )


def statement(text: str, body: object, *, database: str = "") -> Statement:
    """Return a statement of the registry."""
    kept = {**body, "text": text, "database": database} if isinstance(body, dict) else body
    return encoding.read(Statement, kept)


def baselines(db: pg.Session, instance: str, subjects: Iterable[Subject], now: datetime) -> dict[Subject, Baseline]:
    """Return what was usual for statements up to this hour: the median of whole hours' means, and each day's mean."""
    wanted = tuple(subjects)
    numbers = list(
        db.values(
            QUERIES["baseline subjects"],
            instance=instance,
            databases=[one.database for one in wanted],
            fingerprints=[one.fingerprint for one in wanted],
        )
    )
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    begin = datetime.combine((hour - _DAYS).date(), time(), tzinfo=UTC)  # whole days, or the first one misleads
    medians = {
        Subject(database=database, fingerprint=fingerprint): float(median)
        for database, fingerprint, median in db.tuples(
            QUERIES["medians"], subjects=numbers, since=hour - _MEDIAN, until=hour, least=_LEAST_HOURS
        )
    }
    by_day: dict[Subject, list[Day]] = {}
    for database, fingerprint, day, calls, mean in db.tuples(
        QUERIES["days"], subjects=numbers, since=begin, until=hour
    ):
        subject = Subject(database=database, fingerprint=fingerprint)
        by_day.setdefault(subject, []).append(Day(day=day, calls=calls, mean_ms=float(mean)))
    return {one: Baseline(median_ms=medians.get(one), days=tuple(by_day.get(one, ()))) for one in wanted}


def _begin(since: datetime, step: timedelta) -> datetime:
    """Return the beginning of the minute, or of the hour, in which a time begins: history has no smaller parts."""
    begin = since.astimezone(UTC).replace(second=0, microsecond=0)
    return begin if step < _HOUR else begin.replace(minute=0)


def _over(name: str, db: pg.Session) -> str:
    """Return a query over the rows of a span of time."""
    rows = QUERIES["rows"].pick(db.server_version).removeprefix(TAG)
    return QUERIES[name].pick(db.server_version).replace("{rows}", rows)


def _edge(db: pg.Session, step: timedelta) -> datetime:
    """Return from when on the minutes have to be read, and not the hours: for steps of minutes, as long as they are."""
    oldest = next(iter(days.existing(db)), None)
    kept = datetime.combine(oldest, time(), tzinfo=UTC) if oldest else _BEGINNING
    if step < _HOUR:
        return kept
    rolled: datetime | None = db.value(QUERIES["rolled until"])
    return max(kept, rolled) if rolled else datetime.max.replace(tzinfo=UTC)
