"""How common the values of a parameter set are among the rows, as far as the statistics tell."""

from __future__ import annotations

from collections.abc import Sequence

from premortem.model import ParameterSet, Plan, Profile, Query
from premortem.parameters.uses import Role, Use, uses


def frequencies(
    query: Query, generic: Plan, profile: Profile, sets: Sequence[ParameterSet]
) -> tuple[float | None, ...]:
    """Return the share of rows that have the values of each set; None where they are among no most common ones.

    Columns are taken as independent.  Values of ranges and patterns do not count.
    """
    found = [use for use in uses(query, generic, profile) if use.role is Role.EQUALITY and use.spread is not None]
    return tuple(_frequency(one, found) for one in sets)


def _frequency(one: ParameterSet, found: Sequence[Use]) -> float | None:
    shares = [s for use in found if use.parameter <= len(one.values) and (s := _share(one, use)) is not None]
    product = 1.0
    for share in shares:
        product *= share
    return product if shares else None


def _share(one: ParameterSet, use: Use) -> float | None:
    value = one.values[use.parameter - 1]
    statistics = use.spread.statistics if use.spread else None
    if value is None or statistics is None or use.spread is None:
        return None
    known = dict(zip(use.spread.common, statistics.most_common_frequencies or (), strict=False))
    return known.get(value)
