"""How many milliseconds a unit of the planner's cost takes in production, as far as its workload tells.

pg_stat_statements has the mean time of each statement, and the planner gives its cost.  Their ratio is no constant: it
depends on what is in cache and on what the query waits for.  So it is a range, from the 10th to the 90th percentile,
and where that is too wide or the statements too few there is no prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from statistics import median, quantiles

from premortem.check.planner import Planner
from premortem.errors import PremortemError
from premortem.model import GENERIC, Gap, ParameterSet, Query, StatementKind, Unreadable
from premortem.settings import Settings, Speed

#: Fewer statements than this give no percentiles worth the name.
LEAST_STATEMENTS = 10
#: A spread beyond this says that cost and time have little to do with each other here.
MOST_SPREAD = 100.0
#: Below this cost a statement's time is that of the round trip and of the executor's start.
_LEAST_COST = 100.0
#: How many statements are planned to learn from, those first that took most time.
_MOST_STATEMENTS = 60


def learned(pairs: Sequence[tuple[float, float]]) -> Speed | Gap:
    """Return what pairs of mean milliseconds and cost tell, or why they tell nothing."""
    ratios = [ms / cost for ms, cost in pairs if cost >= _LEAST_COST and ms > 0]
    if len(ratios) < LEAST_STATEMENTS:
        return _gap(
            f"only {len(ratios)} statements of the workload have a time and a cost to learn from, "
            f"and {LEAST_STATEMENTS} are wanted"
        )
    tenths = quantiles(ratios, n=10, method="inclusive")
    found = Speed(low=tenths[0], median=median(ratios), high=tenths[-1], statements=len(ratios))
    if found.high > found.low * MOST_SPREAD:
        return _gap(f"a unit of cost takes from {found.low:.2g} to {found.high:.2g} ms, which predicts nothing")
    return found


_LITERAL = ParameterSet(name="literal", basis="the values in the text")


def timed(
    settings: Settings, planner: Planner, workload: Callable[[], Iterable[Query | Unreadable]]
) -> tuple[Settings, tuple[Gap, ...]]:
    """Return the settings with production's speed where a budget asks for it, and a gap where it cannot be known."""
    if not any(b.ms is not None for b in settings.budgets):
        return settings, ()

    def cost(query: Query) -> float:
        return planner.explain(query, GENERIC if query.parameter_count else _LITERAL).plan.total_cost

    found = of_workload(workload(), cost)
    return (settings, (found,)) if isinstance(found, Gap) else (replace(settings, speed=found), ())


def of_workload(workload: Iterable[Query | Unreadable], cost: Callable[[Query], float]) -> Speed | Gap:
    """Return how fast production is, asking `cost` for the statements of its workload that took most time."""
    timed = [q for q in workload if isinstance(q, Query) and q.mean_time and q.kind is StatementKind.SELECT]
    timed.sort(key=lambda q: q.mean_time.total_seconds() * (q.calls or 1.0) if q.mean_time else 0.0, reverse=True)
    return learned(list(_pairs(timed[:_MOST_STATEMENTS], cost)))


def _pairs(queries: Iterable[Query], cost: Callable[[Query], float]) -> Iterable[tuple[float, float]]:
    for query in queries:
        try:
            planned = cost(query)
        except PremortemError:  # a statement on what is gone by now teaches nothing
            continue
        if query.mean_time is not None:
            yield query.mean_time.total_seconds() * 1000, planned


def _gap(says: str) -> Gap:
    return Gap(
        subject="budgets in ms",
        says=f"no time can be predicted from a cost: {says}",
        effect="queries that production has not run were not held to their ms budget",
        cure="pull the profile where pg_stat_statements is on, or set a budget of rows_read",
    )
