"""Which part of a query's calls is like each of its parameter sets: it decides what saving on one of them is worth.

pg_stat_statements counts calls, not values, so this is an assumption, made the same way for every query:

- values that are typical are asked for most;
- a hot value is asked for as often as it is in the data, within bounds: most rows of a table may be `done`, and yet
  the done ones are not what is asked for;
- what a capture saw is known to be asked for, and weighs as much as the typical values;
- the generic plan counts only where no value is known at all.

The parts are made to add up to 1.  Values that are counted, of texts that differ in constants only, weigh as counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from premortem.model import ParameterSet

#: More sets than this make every question to the planner dearer and hardly change an answer.
MOST_SETS = 4
#: The sets in the order in which they are kept where there are more, with their weights.
_WEIGHTS = {
    "given": 0.55,
    "literal": 0.55,
    "typical": 0.55,
    "captured": 0.55,
    "hot": 0.15,
    "rare": 0.15,
    "wide": 0.15,
    "off": 0.15,
    "narrow": 0.15,
    "mixed": 0.1,
    "absent": 0.05,
    "crossed": 0.05,
    "generic": 0.55,
}
_OTHER = 0.1
_ASKED_FOR = frozenset({"given", "literal", "typical", "captured"})
_ENOUGH = 3
_LEAST_HOT, _MOST_HOT = 0.05, 0.4


def kept_sets(sets: Sequence[ParameterSet]) -> tuple[ParameterSet, ...]:
    """Return the sets that an index is chosen by, at most four, in their order.

    What a plan costs when a value is not there is in its risk already, so absent values are planned only where there
    are few others.
    """
    order = tuple(_WEIGHTS)
    kept = sorted(sets, key=lambda s: order.index(s.name) if s.name in order else len(order))[:MOST_SETS]
    others = [s for s in kept if s.name != "absent"]
    kept = others if len(others) >= _ENOUGH else kept
    return tuple(s for s in sets if s in kept)


def shares(sets: Sequence[ParameterSet]) -> tuple[float, ...]:
    """Return the part of the calls that each set stands for, adding up to 1.

    >>> [round(s, 2) for s in shares([ParameterSet(name="hot", frequency=0.3), ParameterSet(name="typical")])]
    [0.35, 0.65]
    """
    has_typical = any(one.name in _ASKED_FOR for one in sets)
    weights = [_weight(one, has_typical=has_typical) for one in sets]
    return tuple(weight / sum(weights) for weight in weights)


def _weight(one: ParameterSet, *, has_typical: bool) -> float:
    if one.name == "hot" and one.frequency is not None:
        return min(max(one.frequency, _LEAST_HOT), _MOST_HOT)
    if one.name == "rare" and not has_typical:  # where most values are rare, the rare are the typical ones
        return _WEIGHTS["typical"]
    return _WEIGHTS.get(one.name, _OTHER)
