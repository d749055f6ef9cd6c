"""How often a day the queries of a workload run, from whatever counted them: production, a capture, or nobody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from premortem import words
from premortem.model import Profile, Query

_DAY = timedelta(days=1).total_seconds()
#: The source of a query that production counted itself.
STATEMENTS = "pg_stat_statements"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How counts become calls a day, the same for all of a workload; `says` is what was counted, as a phrase.

    `per_call` is what a counted call is worth where there is no rate: calls of an extension too old to say since when
    it counts, taken for those of a day.  `per_execution` is the same for what a capture saw.
    """

    says: str
    per_call: float | None = None
    per_execution: float | None = None

    def calls_a_day(self, queries: Sequence[Query]) -> float | None:
        """Return how often some queries run a day together, None where nobody counted."""
        rate = calls_a_day(queries)
        if rate is not None:
            return rate
        calls = sum(q.calls or 0.0 for q in counted(queries))
        if calls and self.per_call is not None:
            return calls * self.per_call
        seen = executions(queries)
        return seen * self.per_execution if seen and self.per_execution is not None else None

    def mean_time(self, queries: Sequence[Query]) -> timedelta | None:
        """Return the average time of a call, None where nobody measured."""
        timed = [(q.mean_time, calls_of(q)) for q in counted(queries) if q.mean_time is not None]
        calls = sum(n for _, n in timed)
        return sum((time * (n / calls) for time, n in timed), timedelta()) if calls else None

    def rows_per_call(self, queries: Sequence[Query]) -> float:
        """Return how many rows a call returns or changes on average, 1 where nobody counted."""
        known = [(q.rows_per_call, calls_of(q)) for q in counted(queries) if q.rows_per_call is not None]
        calls = sum(n for _, n in known)
        return sum(rows * n / calls for rows, n in known) if calls else 1.0


def calls_of(query: Query) -> float:
    """Return how often a query ran, in whatever unit is known: what queries of one fingerprint are weighed by."""
    return query.calls_per_second or query.calls or query.executions or 1.0


def calls_a_day(queries: Sequence[Query]) -> float | None:
    """Return how often some queries run a day together by their rates, None where none has one."""
    rates = [q.calls_per_second for q in counted(queries) if q.calls_per_second is not None]
    return sum(rates) * _DAY if rates else None


def counted(queries: Sequence[Query]) -> tuple[Query, ...]:
    """Return the queries without those whose calls are another's over again.

    A query of a file has the calls of production's query of the same fingerprint: beside that one it has none of its
    own, and of two files' queries each has all of them.
    """
    own = tuple(q for q in queries if q.site.source == STATEMENTS)
    borrowed = {(q.fingerprint, q.calls, q.calls_per_second, q.mean_time): q for q in reversed(queries)}
    return own or tuple(reversed(borrowed.values()))


def executions(queries: Iterable[Query]) -> float:
    """Return how often a capture saw some queries."""
    return float(sum(q.executions or 0 for q in queries))


def time_of(query: Query) -> timedelta:
    """Return the time that all calls of a query took, as far as it was measured."""
    return (query.mean_time or timedelta()) * (query.calls or 0.0)


# what was counted -------------------------------------------------------------------------------------------


def scale_of(groups: Sequence[Sequence[Query]], profile: Profile) -> Scale:
    """Return how the counts of a workload become calls a day; each group is one query by all its texts."""
    known = [g for g in groups if any(q.calls_per_second is not None for q in g)]
    called = [g for g in groups if any(q.calls is not None for q in g)]
    seen = [g for g in groups if any(q.executions for q in g)]
    if known:
        return _of_rates(groups, known, profile)
    if called:
        unknown = "taken for those of one day: it does not say since when"
        return Scale(says=f"{_some(called, groups)} by calls of {STATEMENTS}, {unknown}", per_call=1.0)
    if seen:
        return Scale(says=f"{_some(seen, groups)} by how often the capture saw them", per_execution=1.0)
    return Scale(says=f"{_queries(groups)}, one call a day each: nobody counted calls or measured times")


def _of_rates(groups: Sequence[Sequence[Query]], known: Sequence[Sequence[Query]], profile: Profile) -> Scale:
    window, per_execution = profile.workload.window, _calibrated([q for g in known for q in g])
    over = f" over {words.duration(window)}" if window is not None else ""
    others = "by how often the capture saw them" if per_execution else "one call a day each"
    rest = "" if len(known) == len(groups) else f"; the others, which production did not run, {others}"
    says = f"{_some(known, groups)} by calls and times of {STATEMENTS}{over}{rest}"
    return Scale(says=says, per_execution=per_execution)


def _calibrated(known: Sequence[Query]) -> float | None:
    """Return how many calls a day stand behind an execution of a capture, by the queries that have both."""
    both = [q for q in known if q.executions and q.calls_per_second is not None]
    rate = calls_a_day(both)
    return rate / executions(both) if both and rate is not None else None


def _some(known: Sequence[Sequence[Query]], groups: Sequence[Sequence[Query]]) -> str:
    every = len(known) == len(groups)
    return f"{_queries(groups)} weighed" if every else f"{len(known):,} of {_queries(groups)} weighed"


def _queries(groups: Sequence[Sequence[Query]]) -> str:
    """Return how many queries there are, and in how many texts where these are more."""
    texts = sum(len(g) for g in groups)
    more = f" (in {texts:,} texts)" if texts > len(groups) else ""
    return f"{words.plural(len(groups), 'query', 'queries')}{more}"
