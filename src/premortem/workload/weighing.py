"""What a plan costs its database a day: the planner's cost, the calls, and the measured time where there is one."""

from __future__ import annotations

from datetime import timedelta

from premortem.model import Answer, Demand

#: Milliseconds for a unit of planner cost where nobody measured the query: TPC-H at scale 1, 19 queries with primary
#: keys only, PostgreSQL 15 with random_page_cost 1.1 took 32.1 s of CPU for 3.9 million units.
MS_PER_COST = 0.008
#: A plan that stops early is taken to find its rows early every other time.
_EARLY = 0.5
_DAY_MS = 86_400_000.0


def expected_cost(demand: Demand, answer: Answer) -> float:
    """Return the planner's cost of an average call: half-way to the cost when nothing stops early."""
    pairs = zip(demand.shares, answer.shown, answer.risk, strict=True)
    return sum(share * (shown * _EARLY + max(shown, risk) * (1 - _EARLY)) for share, shown, risk in pairs)


def day_weight(demand: Demand, before: Answer) -> float:
    """Return the milliseconds a day that a unit of this demand's cost stands for.

    With a measured time, what is measured is spread over the cost of today's plans.
    """
    calls = 1.0 if demand.calls_per_day is None else demand.calls_per_day
    if demand.mean is None:
        return calls * MS_PER_COST
    return calls * demand.mean.total_seconds() * 1000 / max(expected_cost(demand, before), 0.01)


def a_day(milliseconds: float) -> timedelta:
    """Return milliseconds as a time, as long as a time can be."""
    return timedelta(milliseconds=min(milliseconds, _DAY_MS * 1e6))
