"""`premortem history`: what the watcher kept of queries, as lines of a table or as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from premortem import store
from premortem.cli import output, watching
from premortem.errors import InputError, UsageError
from premortem.model import Alert, Deploy, codec
from premortem.settings import Watching

#: Steps that people think in; a screen has room for so many lines.
_STEPS = tuple(timedelta(minutes=n) for n in (1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440, 7 * 1440))
_LINES = 40
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What one query, or each of several, did in a time, and what else happened then."""

    since: datetime
    until: datetime
    step: timedelta
    place: str
    known: tuple[store.Known, ...]
    steps: tuple[tuple[store.Step, ...], ...]
    deploys: tuple[Deploy, ...]
    alerts: tuple[Alert, ...]
    chosen: bool

    @property
    def moments(self) -> tuple[datetime, ...]:
        """The beginnings of all steps of the time."""
        count = -(-(self.until - self.since) // self.step)
        return tuple(self.since + at * self.step for at in range(count))


def run(arguments: argparse.Namespace) -> int:
    """Show one query's history, or list the queries that were meant."""
    now = datetime.now(UTC)
    if arguments.since <= arguments.until:
        raise UsageError("--since is not before --until", hint="for example --since 2d --until 1d")
    settings, secrets = watching.watching_of(arguments.settings)
    with watching.opened_store(settings, secrets, dsn=arguments.store) as opened:
        past = read(opened, arguments, now)
    past = replace(past, deploys=of_services(past.deploys, {one.instance for one in past.known}, settings))
    if arguments.format == "json":
        output.write(json.dumps(as_json(past), indent=2) + "\n")
    else:
        from premortem.cli import charting

        output.write(charting.render(past, output.look()))
    return 0


def read(opened: store.Store, arguments: argparse.Namespace, now: datetime) -> Past:
    """Return what is asked for; raises InputError where no query is meant by the words."""
    until = now - arguments.until
    step = arguments.step or _step(arguments.since - arguments.until)
    since = begin(now - arguments.since, step)
    known = opened.find(
        arguments.query,
        since=since,
        until=until,
        instance=arguments.instance,
        database=arguments.database,
        most=arguments.limit,
    )
    if arguments.query and not known:
        raise InputError(
            f"no query of the store has the fingerprint, the table or the text {arguments.query}",
            hint="premortem history lists those that took the most time",
        )
    steps = tuple(
        opened.history(one.instance, one.database, one.statement.fingerprint, since=since, until=until, step=step)
        for one in known
    )
    chosen = len({one.statement.fingerprint for one in known}) == 1 and bool(arguments.query)
    return Past(
        since=since,
        until=until,
        step=step,
        place=opened.place,
        known=known,
        steps=steps,
        deploys=opened.deploys(since=since, until=until),
        alerts=tuple(
            alert
            for alert in opened.alerts(open_only=False, since=since, instance=arguments.instance)
            if alert.opened_at < until
        ),
        chosen=chosen,
    )


def of_services(deploys: Iterable[Deploy], instances: Collection[str], watching: Watching) -> tuple[Deploy, ...]:
    """Return the deploys of the services that use these instances; all where the settings do not say who does."""
    shown = [one for one in watching.instances if one.name in instances]
    if len(shown) < len(instances) or not all(one.services for one in shown):
        return tuple(deploys)
    known = {service.casefold() for one in shown for service in one.services}
    return tuple(deploy for deploy in deploys if not deploy.service or deploy.service.casefold() in known)


def _step(span: timedelta) -> timedelta:
    """Return the shortest step that fits a screen."""
    return next((step for step in _STEPS if span / step <= _LINES), _STEPS[-1])


def begin(since: datetime, step: timedelta) -> datetime:
    """Return where the first step begins: at a round time, so that two looks at one hour show the same lines.

    >>> begin(datetime(2026, 5, 4, 14, 7, 31, tzinfo=UTC), timedelta(minutes=10)).isoformat()
    '2026-05-04T14:00:00+00:00'
    """
    zero = datetime(2000, 1, 3, tzinfo=UTC)  # a Monday
    return zero + (since - zero) // step * step


def as_json(past: Past) -> dict[str, object]:
    """Return the history as JSON; docs/how-to/history.md says what its fields are."""
    return {
        "format": "premortem history",
        "version": _VERSION,
        "since": past.since.isoformat(),
        "until": past.until.isoformat(),
        "step_seconds": past.step.total_seconds(),
        "queries": [_query(known, steps) for known, steps in zip(past.known, past.steps, strict=True)],
        "deploys": [codec.encode(deploy) for deploy in past.deploys],
        "alerts": [_alert(alert) for alert in past.alerts],
    }


def _query(known: store.Known, steps: Sequence[store.Step]) -> dict[str, object]:
    return {
        "fingerprint": known.statement.fingerprint,
        "text": known.statement.text,
        "tables": [str(table) for table in known.statement.tables],
        "instance": known.instance,
        "database": known.database,
        "first_seen": known.first_seen.isoformat(),
        "appeared": known.appeared,
        "calls": known.calls,
        "total_ms": known.total_ms,
        "steps": [_one(step) for step in steps],
    }


def _one(step: store.Step) -> dict[str, object]:
    return {
        "at": step.at.isoformat(),
        "calls": step.calls,
        "total_ms": step.total_ms,
        "mean_ms": step.mean_ms,
        "deviation_ms": step.deviation_ms,
        "busy": step.busy,
        "rows": step.rows,
        "shared_read": step.shared_read,
        "temp_written": step.temp_written,
        "wal_bytes": step.wal_bytes,
        "doubtful": step.doubtful,
    }


def _alert(alert: Alert) -> dict[str, object]:
    return {
        "key": alert.key,
        "kind": alert.kind.value,
        "instance": alert.instance,
        "database": alert.database,
        "subject": alert.subject,
        "urgency": alert.urgency.value,
        "opened_at": alert.opened_at.isoformat(),
        "closed_at": alert.closed_at.isoformat() if alert.closed_at else None,
        "says": alert.says,
    }
