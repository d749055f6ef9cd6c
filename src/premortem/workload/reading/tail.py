"""Of tens of thousands of queries, the ones that are looked at.

What an index saves is a part of a query's time, so a query that takes a ten-thousandth of all time can save no more.
All are read and counted; the lightest are left out only where there are more than anybody would wait for.
"""

from __future__ import annotations

from collections.abc import Sequence

from premortem import words
from premortem.model import Demand, Gap

#: Planning so many takes minutes.
MOST_MEASURED = 5_000


def kept(found: Sequence[Demand], min_share: float) -> tuple[tuple[Demand, ...], tuple[Gap, ...]]:
    """Return the demands, heaviest first, and a gap for those that are left out; what nobody measured stays."""
    ordered = sorted(found, key=lambda d: -time_a_day(d))
    day = sum(map(time_a_day, ordered))
    measured = [d for d in ordered if d.mean is not None]
    heavy = {id(d) for d in measured[:MOST_MEASURED] if time_a_day(d) >= min_share * day}
    stay = tuple(d for d in ordered if d.mean is None or id(d) in heavy)
    gone = [d for d in measured if id(d) not in heavy]
    return stay, (_gap(gone, sum(map(time_a_day, gone)) / day if day else 0.0),) if gone else ()


def time_a_day(demand: Demand) -> float:
    """Return the seconds a day that a demand takes as measured, 0 where nobody did."""
    mean = demand.mean.total_seconds() if demand.mean is not None else 0.0
    return mean * (demand.calls_per_day or 0.0)


def _gap(gone: Sequence[Demand], share: float) -> Gap:
    return Gap(
        subject="the lightest queries",
        says=f"{words.plural(len(gone), 'query', 'queries')} that take {words.percent(share)} of the time together "
        "were not looked at",
        effect="no index is looked for them, and whether one would slow them down is unknown",
        cure="name them in a file",
    )
