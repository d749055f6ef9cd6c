"""Parameter values that the user gives, as one more set beside those from the statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from premortem import parameters
from premortem.errors import UsageError
from premortem.model import ParameterSet, Plan, Profile, Query

Choose: TypeAlias = Callable[[Query, Plan, tuple[str, ...], Profile], tuple[ParameterSet, ...]]


def parse(typed: Sequence[str]) -> dict[str, str]:
    """Return the values that `--set NAME=VALUE` gives, by name; a leading `$`, `:` or `@` of a name goes.

    >>> parse(["$1=a=b", ":status=paid"])
    {'1': 'a=b', 'status': 'paid'}
    """
    given = {}
    for one in typed:
        name, equals, value = one.partition("=")
        if not equals or not name.lstrip("$:@"):
            raise UsageError(f"--set {one} is no NAME=VALUE", hint="for example --set status=pending or --set '$1=42'")
        given[name.lstrip("$:@")] = value
    return given


def chooser(given: Mapping[str, str], queries: Sequence[Query]) -> Choose:
    """Return what chooses parameter sets: those from the statistics, with the given values as one more in front.

    Raises UsageError where a name is no placeholder of any of the queries.
    """
    if not given:
        return parameters.choose
    for name in given:
        if not any(name in _names(query) for query in queries):
            known = sorted({n for query in queries for n in _names(query)})
            hint = f"it has {', '.join(known)}" if known else "it has no placeholders"
            raise UsageError(f"--set {name}: the query has no such placeholder", hint=hint)
    texts = {query.text for query in queries}

    def choose(query: Query, plan: Plan, types: tuple[str, ...], profile: Profile) -> tuple[ParameterSet, ...]:
        sets = parameters.choose(query, plan, types, profile)
        return (_given(query, given, sets[0]), *sets) if query.text in texts and sets else sets

    return choose


def _given(query: Query, given: Mapping[str, str], others: ParameterSet) -> ParameterSet:
    """Return the given values, those of the first set where nothing is given."""
    values = list(others.values)
    for place in range(query.parameter_count):
        for name in _names_of(query, place):
            if name in given:
                values[place] = given[name]
    return replace(others, name="given", values=tuple(values), basis="given with --set")


def _names(query: Query) -> set[str]:
    return {name for place in range(query.parameter_count) for name in _names_of(query, place)}


def _names_of(query: Query, place: int) -> tuple[str, ...]:
    name = query.parameter_names[place] if place < len(query.parameter_names) else None
    return (str(place + 1), name) if name else (str(place + 1),)
