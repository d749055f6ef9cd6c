"""Which limits hold for a statement, who owns it, and whether somebody asked for quiet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from premortem.model import RelationName, Statement
from premortem.settings import Instance, Maintenance, Mute, Override, Watching, WatchLimits
from premortem.settings.places import names
from premortem.watch.readings import Reading

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: The keys of comment tags that name who runs a statement (SQLCommenter, Marginalia, Query Log Tags).
_SERVICE_TAGS = frozenset(("service", "service_name", "application", "app"))


def instance_of(settings: Watching, name: str) -> Instance | None:
    """Return what the settings say of an instance, None where they do not know it."""
    return next((i for i in settings.instances if i.name == name), None)


def poll_seconds(settings: Watching, name: str) -> float:
    """Return how often an instance is looked at."""
    instance = instance_of(settings, name)
    return settings.poll_seconds if instance is None or instance.poll_seconds is None else instance.poll_seconds


def limits_for(
    settings: Watching, instance: str, statement: Statement | None = None, services: Iterable[str] = ()
) -> WatchLimits:
    """Return the limits that hold: of each limit, what the last override says that admits the statement."""
    changed: dict[str, float] = {}
    for override in settings.overrides:
        if _admits(override, instance, statement, services):
            changed |= override.changed
    return replace(settings.limits, **changed) if changed else settings.limits  # type: ignore[arg-type]


def lowest_mean(settings: Watching, instance: str) -> float:
    """Return a mean that no statement of the instance has a lower limit than: below it nobody needs to look."""
    changed = (o.changed.get("mean_ms") for o in settings.overrides if _any(instance, o.instances))
    return min((settings.limits.mean_ms, *(c for c in changed if c is not None)))


def lengths(settings: Watching, instance: str) -> tuple[float, ...]:
    """Return the lengths of the windows that are asked for on an instance, in seconds."""
    changed = (o.changed.get("window_seconds") for o in settings.overrides if _any(instance, o.instances))
    return tuple(sorted({settings.limits.window_seconds, *(c for c in changed if c is not None)}))


def _admits(override: Override, instance: str, statement: Statement | None, services: Iterable[str]) -> bool:
    if not _any(instance, override.instances):
        return False
    if override.fingerprints and (statement is None or not _any(statement.fingerprint, override.fingerprints)):
        return False
    if override.tables and (statement is None or not touches(statement.tables, override.tables)):
        return False
    return not override.services or any(
        _any(service, override.services) for service in (*services_of(statement), *services)
    )


def services_of(statement: Statement | None) -> tuple[str, ...]:
    """Return what may stand for the service that runs a statement: its role, and what its comments say."""
    if statement is None:
        return ()
    tagged = (value for key, value in statement.tags if key.lower() in _SERVICE_TAGS)
    return tuple(dict.fromkeys(name for name in (*tagged, statement.role) if name))


def touches(tables: Iterable[RelationName], patterns: tuple[str, ...]) -> bool:
    """Whether one of the tables is meant; one whose schema nobody knows is meant by its name alone."""
    bare = tuple(p.rpartition(".")[2] for p in patterns)
    return any(names(table, patterns) or (not table.schema and names(table, bare)) for table in tables)


def _any(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(name, p) for p in patterns)


def owners_of(settings: Watching, instance: str, tables: Iterable[RelationName]) -> tuple[str, ...]:
    """Return whom to ask: the owners of the tables, then the instance's."""
    found: list[str] = []
    for table in tables:
        entries = (owners for patterns, owners in reversed(settings.table_owners) if touches((table,), patterns))
        found += next(entries, ())
    known = instance_of(settings, instance)
    return tuple(dict.fromkeys((*found, *(known.owners if known else ()))))


def quiet(settings: Watching, instance: str, reading: Reading, now: datetime) -> str:
    """Return why nobody is told of something at a moment, empty where somebody is."""
    for mute in settings.mutes:
        if (mute.until is None or now < mute.until) and _mutes(mute, instance, reading):
            return f"muted: {mute.reason}" + (f" (until {mute.until:%Y-%m-%d %H:%M} UTC)" if mute.until else "")
    return next(
        (
            f"maintenance: {window.reason}"
            for window in settings.maintenance
            if _any(instance, window.instances) and in_maintenance(window, now)
        ),
        "",
    )


def _mutes(mute: Mute, instance: str, reading: Reading) -> bool:
    return (
        _any(instance, mute.instances)
        and _any(reading.kind.value, mute.kinds)
        and _any(reading.subject, mute.fingerprints)
        and (not mute.tables or touches(reading.tables, mute.tables))
    )


def in_maintenance(window: Maintenance, now: datetime) -> bool:
    """Whether a moment lies in a maintenance window; a weekly one that began yesterday may still last."""
    if window.starts is not None and window.ends is not None:
        return window.starts <= now < window.ends
    if window.at is None or window.lasts is None:
        return False
    utc = now.astimezone(UTC)
    days = (utc.date() - timedelta(days=back) for back in range(8))
    starts = (datetime.combine(d, window.at, UTC) for d in days if not window.days or _DAYS[d.weekday()] in window.days)
    return any(start <= utc < start + window.lasts for start in starts)
