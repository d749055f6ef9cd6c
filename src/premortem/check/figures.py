"""What a query's plans come to in two numbers, to compare with those that were accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from premortem.model import Planned, Profile
from premortem.plans import worst_cost
from premortem.rules.readings import readings

#: Sets whose values come from a test or from a person, who chose them for other reasons than to be comparable.
_GIVEN = frozenset({"captured", "given"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The cost of the worst parameter set, nothing stopping early, and the rows that its plan reads."""

    cost: float
    rows_read: float
    worst: Planned


def figures(planned: Sequence[Planned], profile: Profile) -> Figures:
    """Return the figures of a query by its plans; what a test or a person gave values for counts if nothing else."""
    cost, worst = max(((worst_cost(p.plan, profile), p) for p in comparable(planned)), key=lambda one: one[0])
    return Figures(cost=cost, rows_read=sum(r.read for r in readings(worst.plan, profile)), worst=worst)


def comparable(planned: Sequence[Planned]) -> Sequence[Planned]:
    """Return the plans whose values were chosen in the same way yesterday and today, all where there is no such one."""
    return [p for p in planned if p.parameters.name not in _GIVEN] or planned
