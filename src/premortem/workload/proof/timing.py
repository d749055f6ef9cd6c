"""What queries take on a mirror today, for those that nobody measured: a plan's cost says too little of their time.

Two queries of the same cost may differ ten times in time, and which indexes are worth having hangs on it.  With a
mirror at hand there is no need to guess.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from premortem.errors import ServerTimeout, StatementError
from premortem.model import Demand
from premortem.workload.proof.refuting import Mirror
from premortem.workload.studied import Studied

#: A query that takes longer is not run again to have it with its pages in memory.
_AGAIN_MS = 5_000.0


def timed(
    studied: Sequence[Studied],
    mirror: Mirror,
    *,
    enough: Callable[[], bool] = lambda: False,
    told: Callable[[str], None] = lambda _: None,
) -> tuple[Studied, ...]:
    """Return the demands with an average call's time on a mirror where nobody measured them.

    One that the mirror refuses, that has no values to run with, or whose tables are not whole there, stays without.
    One that does not finish takes the mirror's limit, at least.
    """
    found: list[Studied] = []
    for number, one in enumerate(studied, start=1):
        unknown = one.demand.mean is None and not enough()
        if unknown:
            told(f"timing query {number} of {len(studied)} on the mirror")
        mean = _mean(one, mirror) if unknown else None
        found.append(one if mean is None else replace(one, demand=replace(one.demand, mean=mean)))
    return tuple(found)


def _mean(one: Studied, mirror: Mirror) -> timedelta | None:
    if not one.keys or not all(map(mirror.is_whole, one.keys)) or any(s.is_generic for s in one.demand.sets):
        return None
    try:
        times = [_time(one.demand, place, mirror) for place in range(len(one.demand.sets))]
    except (StatementError, ServerTimeout):
        return None
    return timedelta(milliseconds=sum(s * ms for s, ms in zip(one.demand.shares, times, strict=True)))


def _time(demand: Demand, place: int, mirror: Mirror) -> float:
    """Return the milliseconds of a call with one set of values, the quicker of two runs."""
    first = mirror.run(demand.query, demand.sets[place])
    if not first.finished or first.ms > _AGAIN_MS:
        return first.ms
    return min(first.ms, mirror.run(demand.query, demand.sets[place]).ms)
