"""Puts values together into the sets that a query is judged with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from premortem.model import ParameterSet, Plan, Profile, Query
from premortem.parameters import typed
from premortem.parameters.captured import Samples, captured
from premortem.parameters.joint import Combination, combinations
from premortem.parameters.picks import Asked, Frequency, Pick, Window, has_common, pick
from premortem.parameters.uses import Role, Use, uses

#: More sets than this cost planning time and tell nothing new.
MOST_SETS = 6

_VALUES = frozenset({Role.EQUALITY, Role.LIST, Role.PATTERN, Role.FRAGMENT, Role.REGEX, Role.MEMBER, Role.CONTAINED})
_WINDOWS = frozenset({Role.LOW, Role.HIGH, Role.WINDOW})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    """How one set is made: its name, moods, and what single placeholders get instead."""

    name: str
    frequency: Frequency
    window: Window
    frequencies: Mapping[int, Frequency] = field(default_factory=dict)
    together: Combination | None = None


def choose(query: Query, generic: Plan, parameter_types: tuple[str, ...], profile: Profile) -> tuple[ParameterSet, ...]:
    """Return the sets of values to judge a query with, at most six; one called `literal` where it has no placeholders.

    `generic` is the query's generic plan on the twin, `parameter_types` are the types that PREPARE found.  Values come
    from the statistics of what each placeholder is compared with; where there are none they are of the right type, and
    the basis says that they are assumed.
    """
    if not query.parameter_count:
        return (ParameterSet(name="literal", basis="the literals of the text"),)
    found = uses(query, generic, profile)
    asked = _asked(found, parameter_types, profile, query.samples)
    sets = [_set(recipe, asked) for recipe in _recipes(found, profile)]
    return _with_captured(_most_telling(_distinct(sets)), captured(query.samples, asked))


def _with_captured(sets: tuple[ParameterSet, ...], seen: ParameterSet | None) -> tuple[ParameterSet, ...]:
    """Return the sets with one more, which never stands in for another."""
    return sets if seen is None or any(s.values == seen.values for s in sets) else (*sets, seen)


#: Which sets stay where there are too many; what only differs in being absent or ordinary goes first.
_TELLING = ("hot", "wide", "rare", "off", "narrow", "mixed", "typical", "absent", "crossed")


def _most_telling(sets: tuple[ParameterSet, ...]) -> tuple[ParameterSet, ...]:
    kept = sorted(sets, key=lambda s: _TELLING.index(s.name))[:MOST_SETS]
    return tuple(s for s in sets if s in kept)


def _asked(
    found: tuple[Use, ...], types: tuple[str, ...], profile: Profile, samples: Samples = ()
) -> tuple[Asked, ...]:
    lows = {use.place for use in found if use.role is Role.LOW and use.column}
    return tuple(
        Asked(
            use=use,
            type=typed.plain(types[use.parameter - 1] if use.parameter <= len(types) else "text", profile),
            profile=profile,
            is_paired=use.role is Role.HIGH and use.place in lows,
            seen=_seen(samples, use.parameter - 1),
        )
        for use in found
    )


def _seen(samples: Samples, index: int) -> tuple[str, ...]:
    found = (sample[index] for sample in samples if index < len(sample))
    return tuple(dict.fromkeys(value for value in found if value is not None))


def _recipes(found: tuple[Use, ...], profile: Profile) -> Iterator[_Recipe]:
    """Yield the recipes in the order in which the sets are shown."""
    roles = {use.role for use in found}
    hot, rare = combinations(found, profile)
    if roles & _VALUES:
        yield from _of_values(found, hot, rare)
    elif roles & _WINDOWS:
        yield _Recipe(name="wide", frequency=Frequency.HOT, window=Window.WIDE)
        yield _Recipe(name="typical", frequency=Frequency.TYPICAL, window=Window.MIDDLING)
        yield _Recipe(name="narrow", frequency=Frequency.HOT, window=Window.NARROW)
        yield _Recipe(name="absent", frequency=Frequency.ABSENT, window=Window.EMPTY)
    else:
        yield _Recipe(name="typical", frequency=Frequency.TYPICAL, window=Window.MIDDLING)
    if any(use.optional for use in found):
        yield _Recipe(name="off", frequency=Frequency.HOT, window=Window.OFF)


def _of_values(found: tuple[Use, ...], hot: Combination | None, rare: Combination | None) -> Iterator[_Recipe]:
    common = any(has_common(use) for use in found if use.role in _VALUES)
    windows = any(use.role in _WINDOWS for use in found)
    if common:
        yield _Recipe(name="hot", frequency=Frequency.HOT, window=Window.WIDE, together=hot)
    yield _Recipe(name="typical", frequency=Frequency.TYPICAL, window=Window.MIDDLING)
    if common:
        yield _Recipe(name="rare", frequency=Frequency.RARE, window=Window.WIDE)
    elif windows:
        yield _Recipe(name="wide", frequency=Frequency.TYPICAL, window=Window.WIDE)
    yield _Recipe(name="absent", frequency=Frequency.ABSENT, window=Window.WIDE)
    if windows:
        yield _Recipe(name="narrow", frequency=Frequency.HOT, window=Window.NARROW, together=hot)
    yield from _crossed(found, rare)


def _crossed(found: tuple[Use, ...], rare: Combination | None) -> Iterator[_Recipe]:
    """Yield sets whose values are common one by one and rare together, or common in one column and rare in others."""
    if rare:
        yield _Recipe(name="mixed", frequency=Frequency.HOT, window=Window.WIDE, together=rare)
    equal = [u for u in found if u.role in (Role.EQUALITY, Role.LIST, Role.MEMBER) and u.spread and u.spread.common]
    columns = {u.place for u in equal}
    if len(columns) < 2:
        return
    coarsest = min(equal, key=lambda u: (_distinct_values(u), u.parameter)).place
    for name, inside, outside in (
        ("mixed", Frequency.HOT, Frequency.RARE),
        ("crossed", Frequency.RARE, Frequency.HOT),
    ):
        chosen = {u.parameter: inside if u.place == coarsest else outside for u in equal}
        yield _Recipe(name=name, frequency=outside, window=Window.WIDE, frequencies=chosen)


def _distinct_values(use: Use) -> float:
    statistics = use.spread.statistics if use.spread else None
    if statistics is None:
        return float("inf")
    return statistics.n_distinct if statistics.n_distinct >= 0 else float("inf")


def _set(recipe: _Recipe, asked: tuple[Asked, ...]) -> ParameterSet:
    picks = [_pick(recipe, item) for item in asked]
    values = tuple(p.value for p in picks)
    return ParameterSet(name=recipe.name, values=values, basis=_basis(picks), frequency=_frequency(values, asked))


def _frequency(values: Iterable[str | None], asked: Iterable[Asked]) -> float | None:
    """Return the share of rows that have the values, as far as they are most common ones."""
    found = [s for value, item in zip(values, asked, strict=True) if (s := _share(value, item)) is not None]
    return math.prod(found) if found else None


def _share(value: str | None, item: Asked) -> float | None:
    spread = item.use.spread
    if value is None or spread is None or spread.statistics is None or item.use.role is not Role.EQUALITY:
        return None
    shares = spread.statistics.most_common_frequencies or ()
    return next((s for known, s in zip(spread.common, shares, strict=False) if known == value), None)


def _pick(recipe: _Recipe, item: Asked) -> Pick:
    number = item.use.parameter
    if recipe.together and number in recipe.together.values:
        value = typed.fitted(recipe.together.values[number], item.type, item.profile)
        if value is not None:
            return Pick(value=value, how=recipe.together.how, name=recipe.together.name)
    return pick(item, recipe.frequencies.get(number, recipe.frequency), recipe.window)


def _basis(picks: Iterable[Pick]) -> str:
    """Return in one phrase where a set's values come from."""
    names: dict[str, list[str]] = {}
    assumed: list[str] = []
    for number, found in enumerate(picks, start=1):
        if found.assumed:
            assumed.append(f"${number}")
        elif found.how and found.name not in names.setdefault(found.how, []):
            names[found.how].append(found.name)
    phrases = [f"{how} {', '.join(of)}".strip() for how, of in names.items()]
    if assumed:
        phrases.append(f"assumed: {', '.join(assumed)}")
    return "; ".join(phrases)


def _distinct(sets: Iterable[ParameterSet]) -> tuple[ParameterSet, ...]:
    """Return the sets with different values and different names; of two alike, the one with the more telling name."""
    shown = list(sets)
    by_values: dict[tuple[str | None, ...], ParameterSet] = {}
    for found in sorted(shown, key=lambda s: _TELLING.index(s.name)):
        if found.name not in {s.name for s in by_values.values()}:
            by_values.setdefault(found.values, found)
    return tuple(s for s in shown if any(s is kept for kept in by_values.values()))
