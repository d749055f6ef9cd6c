"""The set of values that a captured statement really had: one more to judge it with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from premortem.model import ParameterSet
from premortem.parameters import typed
from premortem.parameters.picks import Asked, Frequency, Window, pick
from premortem.parameters.uses import Role

Samples = tuple[tuple[str | None, ...], ...]
_WINDOWS = frozenset({Role.LOW, Role.HIGH, Role.WINDOW})


def captured(samples: Samples, asked: Sequence[Asked]) -> ParameterSet | None:
    """Return the sample that reads most as far as statistics know its values, else the most frequent one.

    A test's clock is not production's: for the ends of windows that statistics know, theirs are taken.  None where
    there is no sample whose values the placeholders take.
    """
    fitting = [s for s in samples if len(s) == len(asked) and all(map(_fits, s, asked))]
    if not fitting:
        return None
    chosen = max(fitting, key=lambda s: (_weight(s, asked), -fitting.index(s)))
    values = tuple(_value(value, item) for value, item in zip(chosen, asked, strict=True))
    return ParameterSet(name="captured", values=values, basis="values seen in a test")


def _fits(value: str | None, item: Asked) -> bool:
    return value is None or typed.fitted(value, item.type, item.profile) is not None


def _weight(sample: Sequence[str | None], asked: Sequence[Asked]) -> float:
    """Return the logarithm of the share of rows that a sample's known values have, 0 where none is known."""
    shares = [s for value, item in zip(sample, asked, strict=True) if (s := _share(value, item)) is not None]
    return sum(math.log(s) for s in shares) + _KNOWN * len(shares) if shares else 0.0


#: More than the logarithm of any share that statistics hold: a known value weighs more than an unknown one.
_KNOWN = 40.0


def _share(value: str | None, item: Asked) -> float | None:
    spread = item.use.spread
    if value is None or spread is None or spread.statistics is None or item.use.role is not Role.EQUALITY:
        return None
    shares = dict(zip(spread.common, spread.statistics.most_common_frequencies or (), strict=False))
    return max(shares[value], 1e-12) if value in shares else None


def _value(value: str | None, item: Asked) -> str | None:
    if item.use.role in _WINDOWS and item.use.spread is not None and item.use.spread.is_known:
        return pick(item, Frequency.TYPICAL, Window.MIDDLING).value
    return value
