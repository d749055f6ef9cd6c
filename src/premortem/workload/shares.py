"""Which part of a query's calls is like each of its parameter sets: it decides what saving on one of them is worth.

pg_stat_statements counts calls, not values, so this is an assumption, made the same way for every query:

- values that are typical are asked for most;
- a hot value is asked for as often as it is in the data, within bounds: most rows of a table may be `done`, and yet
  nobody asks for the done ones alone;
- what was captured is known to be asked for;
- the generic plan counts only where no value is known at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from premortem.model import ParameterSet, Planned

#: More sets than this make every question to the planner dearer and hardly change an answer.
MOST_SETS = 4
#: The sets in the order in which they are kept where there are more, with their weights before they add up to 1.
_WEIGHTS = {
    "given": 0.5,
    "literal": 1.0,
    "typical": 0.55,
    "hot": 0.15,
    "wide": 0.15,
    "captured": 0.4,
    "rare": 0.15,
    "off": 0.15,
    "mixed": 0.1,
    "narrow": 0.2,
    "absent": 0.05,
    "crossed": 0.05,
    "generic": 0.55,
}
_OTHER = 0.1


def telling(sets: Sequence[ParameterSet]) -> tuple[ParameterSet, ...]:
    """Return the sets that an index is chosen by, at most four, in their order."""
    order = tuple(_WEIGHTS)
    kept = sorted(sets, key=lambda s: order.index(s.name) if s.name in order else len(order))[:MOST_SETS]
    return tuple(s for s in sets if s in kept)


def settled(planned: Sequence[Planned], given: Mapping[tuple[str | None, ...], float]) -> tuple[float, ...]:
    """Return the parts of the calls, adding up to 1; `given` are counted ones, by values."""
    weights = [given.get(p.parameters.values) or _WEIGHTS.get(p.parameters.name, _OTHER) for p in planned]
    total = sum(weights)
    return tuple(w / total for w in weights)
