"""From the queries of a workload, however they came, to its demands: each query once, with its weight.

```
demands
├── catalog queries, statements that are none of the workload's, our own     left out, and counted by kind
├── _alike           queries that are the same but for their values          one demand
└── _demand          calls a day, measured time, what values were seen
```
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from premortem.model import Demand, Gap, Profile, Query, StatementKind, Unreadable

_DAY = timedelta(days=1).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The demands of a workload; what of it cannot be read; and in one phrase, whose calls and times these are."""

    demands: tuple[Demand, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    gaps: tuple[Gap, ...] = ()
    says: str = ""


def demands(queries: Iterable[Query | Unreadable], profile: Profile) -> Gathered:
    """Return the demands of a workload, heaviest first, not yet studied: their parameter sets are still to be chosen."""
    found = tuple(queries)
    unreadable = tuple(q for q in found if isinstance(q, Unreadable))
    plannable = [q for q in found if isinstance(q, Query) and q.kind is not StatementKind.UTILITY]
    groups: dict[object, list[Query]] = {}
    for query in plannable:
        groups.setdefault(_identity(query), []).append(query)
    made = sorted((_demand(group) for group in groups.values()), key=_heaviness, reverse=True)
    return Gathered(demands=tuple(made), unreadable=unreadable)


def _identity(query: Query) -> object:
    return query.text, query.search_path


def _heaviness(demand: Demand) -> float:
    mean = demand.mean.total_seconds() if demand.mean is not None else 0.0
    return mean * (demand.calls_per_day or 0.0)


def _demand(alike: Sequence[Query]) -> Demand:
    first, *others = alike
    return Demand(
        query=first, sets=(), shares=(), calls_per_day=_calls_a_day(alike), mean=_mean(alike), others=tuple(others)
    )


def _calls_a_day(alike: Sequence[Query]) -> float | None:
    rates = [q.calls_per_second for q in alike if q.calls_per_second is not None]
    return sum(rates) * _DAY if rates else None


def _mean(alike: Sequence[Query]) -> timedelta | None:
    timed = [(q.mean_time, q.calls or 1.0) for q in alike if q.mean_time is not None]
    calls = sum(n for _, n in timed)
    return sum((time * (n / calls) for time, n in timed), timedelta()) if timed else None
