"""Production's own workload as a source of queries, and as what tells how often a query runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from premortem import sqltext
from premortem.model import Profile, Query, StatementKind, Unreadable

#: What pg_stat_statements shows of other roles' statements without pg_read_all_stats (PostgreSQL manual, F.32).
_HIDDEN = "<insufficient privilege>"


def workload(profile: Profile) -> tuple[Query | Unreadable, ...]:
    """Return the statements of the profile's workload, readable again, with their calls and times."""
    return tuple(item for query in profile.workload.statements for item in _readable(query))


def with_calls(found: Iterable[Query | Unreadable], profile: Profile) -> tuple[Query | Unreadable, ...]:
    """Return the same queries with the calls and times of the workload's query of the same fingerprint."""
    known = _by_fingerprint(profile)
    return tuple(_called(item, known) if isinstance(item, Query) else item for item in found)


def _readable(query: Query) -> tuple[Query | Unreadable, ...]:
    if query.text.strip() in ("", _HIDDEN):
        return (
            Unreadable(
                original=query.text,
                site=query.site,
                says="pg_stat_statements does not show this statement's text",
                hint="grant pg_read_all_stats to the role that pulls the profile",
            ),
        )
    found = sqltext.split(query.text, query.site.source, first_line=query.site.line or 1, name=query.site.name)
    return tuple(_with_facts(item, query) for item in found)


def _with_facts(item: Query | Unreadable, query: Query) -> Query | Unreadable:
    """Return what was read with what production knows of it."""
    if isinstance(item, Unreadable):
        return replace(item, site=query.site)
    return replace(_measured(item, query), site=query.site, search_path=query.search_path)


def _measured(item: Query, measured: Query) -> Query:
    return replace(
        item,
        calls=measured.calls,
        calls_per_second=measured.calls_per_second,
        mean_time=measured.mean_time,
        rows_per_call=measured.rows_per_call,
    )


def _identity(query: Query) -> tuple[str, tuple[str, ...]]:
    """Return what makes two statements one here: all but constants; a fingerprint leaves digits of names out too."""
    return query.fingerprint, sqltext.numbered_names(query.text)


def _called(item: Query, known: Mapping[tuple[str, tuple[str, ...]], Query]) -> Query:
    measured = known.get(_identity(item)) if item.kind is not StatementKind.UTILITY else None
    return _measured(item, measured) if measured else item


def _by_fingerprint(profile: Profile) -> Mapping[tuple[str, tuple[str, ...]], Query]:
    """Return the workload by what its statements say; those that differ in constants only are added up."""
    known: dict[tuple[str, tuple[str, ...]], Query] = {}
    for item in workload(profile):
        if isinstance(item, Query) and item.fingerprint:
            before = known.get(_identity(item))
            known[_identity(item)] = _added(before, item) if before else item
    return known


def _added(one: Query, other: Query) -> Query:
    calls = (one.calls or 0.0) + (other.calls or 0.0)
    shares = [(q.calls or 0.0) / calls if calls else 0.5 for q in (one, other)]
    times = [q.mean_time for q in (one, other)]
    rows = [q.rows_per_call for q in (one, other)]
    return replace(
        one,
        calls=calls or None,
        calls_per_second=_sum(one.calls_per_second, other.calls_per_second),
        mean_time=sum((t * s for t, s in zip(times, shares, strict=True) if t), timedelta()) if any(times) else None,
        rows_per_call=sum(r * s for r, s in zip(rows, shares, strict=True) if r) if any(rows) else None,
    )


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None and other is None else (one or 0.0) + (other or 0.0)
