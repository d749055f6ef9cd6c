"""From the queries of a workload, however they came, to its demands: each query once, with its weight.

```
demands
├── aside            transactions, settings, catalogs; cursors, procedures and copies are counted as unseen
├── alike, seen      queries that differ in values only are one demand, with their values
├── calls            calls a day and time: production's counters, else a capture's executions, else one call each
├── keys             what foreign keys search for
├── tail             of tens of thousands of queries, those that hardly take any time
└── code             functions and triggers whose statements nobody sees
missing              what of it could not be planned
```
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from premortem import words
from premortem.model import Demand, Gap, Profile, Query, Unreadable
from premortem.workload.reading import code, tail
from premortem.workload.reading.alike import Alike, alike
from premortem.workload.reading.aside import Aside, Count, aside, counts, part, refreshed, unseen
from premortem.workload.reading.calls import STATEMENTS, Scale, scale_of, time_of
from premortem.workload.reading.keys import demands_of_keys
from premortem.workload.studied import Studied

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The demands of a workload, heaviest first, and what of it cannot be read.

    `says` is whose queries, calls and times these are.  `measured` is the time that all of the workload's statements
    took, as far as it was measured.
    """

    demands: tuple[Demand, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    gaps: tuple[Gap, ...] = ()
    says: str = ""
    measured: timedelta = timedelta()


def demands(queries: Iterable[Query | Unreadable], profile: Profile, *, min_share: float = 0.0) -> Gathered:
    """Return the demands of a workload; they are not studied yet, and most have no parameter sets.

    Those that took less than `min_share` of the measured time are left out, and said to be.
    """
    found = tuple(queries)
    unreadable = tuple(q for q in found if isinstance(q, Unreadable))
    plannable, put_aside = _sorted_out(found, profile)
    counted = counts(put_aside, profile.workload.left_out if _is_production(found) else ())
    total = _measured(plannable, counted, unreadable, profile)
    groups = alike(plannable)
    members = [one.members for one in groups]
    scale = scale_of(members, profile)
    kept, cut = tail.kept(_shared([_demand(one, scale) for one in groups]), min_share)
    searched = demands_of_keys(members, profile, scale)
    return Gathered(
        demands=(*kept, *searched),
        unreadable=unreadable,
        gaps=(*_unread(unreadable, profile, total), *unseen(counted, total), *cut, *_uncounted(found, profile),
              *code.unseen(members, profile, total)),
        says=scale.says + _of_keys(searched),
        measured=total,
    )  # fmt: skip


def _of_keys(searched: Sequence[Demand]) -> str:
    return f"; and what {words.plural(len(searched), 'foreign key')} searched for" if searched else ""


def _sorted_out(found: Iterable[Query | Unreadable], profile: Profile) -> tuple[list[Query], list[tuple[Query, Aside]]]:
    """Return the queries that can be planned, and the statements that are set aside with why."""
    plannable: list[Query] = []
    put_aside: list[tuple[Query, Aside]] = []
    for item in found:
        if isinstance(item, Query):
            query = refreshed(item, profile)
            why = aside(query)
            if why is None:
                plannable.append(query)
            else:
                put_aside.append((query, why))
    return plannable, put_aside


def _is_production(found: Iterable[Query | Unreadable]) -> bool:
    """Whether the workload is production's own counters."""
    return any(q.site.source == STATEMENTS for q in found)


def _measured(
    plannable: Iterable[Query], counted: Iterable[Count], unreadable: Iterable[Unreadable], profile: Profile
) -> timedelta:
    """Return the time that all statements took, as far as it was measured."""
    times = (
        *map(time_of, plannable),
        *(one.time for one in counted),
        *(_time_of_unreadable(u, profile) for u in unreadable),
    )
    return sum(times, timedelta())


def _demand(one: Alike, scale: Scale) -> Demand:
    first = next(iter(one.members))
    return Demand(
        query=one.query,
        sets=one.sets,
        shares=one.shares,
        calls_per_day=scale.calls_a_day(one.members),
        mean=scale.mean_time(one.members),
        others=tuple(q for q in one.members if q is not first),
    )


def _shared(found: Sequence[Demand]) -> tuple[Demand, ...]:
    """Return the demands with the calls shared out among those that one entry of production's counters stands for.

    A query of a file is given the calls of production's query of the same fingerprint; where the constants make two
    demands of a fingerprint, each has only a part of them.
    """
    numbers = Counter(_entry(demand) for demand in found if _borrows(demand))
    return tuple(_with_part(d, 1 / numbers[_entry(d)]) if _borrows(d) else d for d in found)


def _borrows(demand: Demand) -> bool:
    """Whether a demand's calls are those of an entry that is not among its queries."""
    return demand.query.calls is not None and all(q.site.source != STATEMENTS for q in (demand.query, *demand.others))


def _entry(demand: Demand) -> object:
    query = demand.query
    return query.fingerprint, query.calls, query.calls_per_second, query.mean_time


def _with_part(demand: Demand, part: float) -> Demand:
    return replace(demand, calls_per_day=demand.calls_per_day * part) if demand.calls_per_day is not None else demand


# what is missing --------------------------------------------------------------------------------------------


def _time_of_unreadable(piece: Unreadable, profile: Profile) -> timedelta:
    """Return the time of a statement that cannot be read, where it is an entry of the profile's workload."""
    if piece.site.source != STATEMENTS:
        return timedelta()
    same = (q for q in profile.workload.statements if q.site.name == piece.site.name)
    return sum(map(time_of, same), timedelta())


def _unread(unreadable: Sequence[Unreadable], profile: Profile, total: timedelta) -> tuple[Gap, ...]:
    time = sum((_time_of_unreadable(u, profile) for u in unreadable), timedelta())
    found = [replace(u, hint=None) for u in unreadable]  # what is wrong with one text cures no other
    return (_not_planned(found, "cannot be read", time, total),) if found else ()


def _uncounted(found: Iterable[Query | Unreadable], profile: Profile) -> Iterator[Gap]:
    """Yield what production's counters lack: what ran before they began, and what they threw out when full."""
    if not _is_production(found):
        return
    window, times = profile.workload.window, profile.workload.deallocations or 0
    if window is not None and window < _A_DAY:
        yield Gap(
            subject="a short window",
            says=f"pg_stat_statements has counted for {words.duration(window)}",
            effect="calls a day are extrapolated from it, and what runs at other times is missing",
            cure="pull the profile again when it has counted for some days",
        )
    if times:
        yield Gap(
            subject="statements that were forgotten",
            says=f"pg_stat_statements was full {words.plural(times, 'time')} and threw out what ran least",
            effect="queries that run rarely are missing, and so are the calls that others had before",
            cure="raise pg_stat_statements.max",
        )


def missing(gathered: Gathered, outcomes: Sequence[Studied | Unreadable]) -> tuple[Gap, ...]:
    """Return what of the workload could not be planned, or not rightly; the outcomes are in the demands' order."""
    pairs = list(zip(gathered.demands, outcomes, strict=True))
    failed = [(d, found) for d, found in pairs if isinstance(found, Unreadable)]
    blind = [found for _, found in pairs if isinstance(found, Studied) and found.unknown]
    time = sum((_time(d) for d, _ in failed), timedelta())
    return (
        *((_not_planned([u for _, u in failed], "cannot be planned", time, gathered.measured),) if failed else ()),
        *((_blind(blind),) if blind else ()),
    )


def _blind(found: Sequence[Studied]) -> Gap:
    columns = list(dict.fromkeys(name for one in found for name in one.unknown))
    return Gap(
        subject="values of the queries",
        says=f"{words.plural(len(found), 'query', 'queries')} with literals for {words.listing(columns, most=5)}, of "
        "which the profile holds pseudonyms",
        effect="they are planned as values that few rows have, if any, and an index may look better than it is",
        cure="write placeholders, for which values are chosen, or pull the profile with --values all",
    )


def _time(demand: Demand) -> timedelta:
    return sum((time_of(q) for q in (demand.query, *demand.others)), timedelta())


def _not_planned(found: Sequence[Unreadable], cannot: str, time: timedelta, total: timedelta) -> Gap:
    reasons: dict[str, int] = {}
    for one in found:
        reasons[one.says] = reasons.get(one.says, 0) + 1
    most = sorted(reasons, key=lambda says: -reasons[says])
    return Gap(
        subject=f"queries that {cannot}",
        says=f"{words.plural(len(found), 'query', 'queries')}{part(time, total)}: {words.listing(most, most=3)}",
        effect="no index is looked for them, and whether one would slow them down is unknown",
        cure=next((one.hint for one in found if one.hint), ""),
    )
