"""One statement as it was seen: what varied, who ran it from where, and the query that stands for all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from premortem import sqltext
from premortem.capture.executed import Executed
from premortem.capture.logs.resolving import FUNCTION
from premortem.capture.logs.samples import Held, Samples, held
from premortem.capture.units import Unit
from premortem.model import CAPTURED, Query, Repeats, Site
from premortem.sqltext import Freedom, Observed, Parameterized, Value

_T = TypeVar("_T", bound=Hashable)

#: A constant that was the same so many times, in so many units of work, is the program's own.
_ENOUGH, _ENOUGH_UNITS = 3, 2
_MOST_COUNTED = 64
_LONGEST_ORIGINAL = 16_384


@dataclass(slots=True, eq=False)
class Form:
    """One way in which a statement is written; `first` are the constants of its first execution."""

    observed: Observed
    original: str
    statement: Statement
    executions: int = 0
    units: set[str] = field(default_factory=set)
    first: tuple[tuple[str, ...], ...] = ()
    varied: list[bool] = field(default_factory=list)
    samples: Samples = field(default_factory=Samples)

    @property
    def has_variants(self) -> bool:
        """Whether some constant is part of what the statement says."""
        return bool(self.observed.variant)

    def variant_of(self, reduced: sqltext.Reduced) -> tuple[str, ...]:
        """Return the fixed constants of another text of this form."""
        pairs = zip(self.observed.slots, reduced.places, strict=True)
        fixed = [v.text for s, p in pairs if s and s.freedom is Freedom.FIXED for v in p.values]
        return tuple(dict.fromkeys(fixed))

    def take(
        self,
        executed: Executed,
        places: tuple[tuple[Value, ...], ...],
        parameters: tuple[str | None, ...] | None,
        unit: Unit,
    ) -> Hashable:
        """Count one execution and return its values, None where they are not known."""
        self.executions += executed.calls
        if len(self.units) < _ENOUGH_UNITS:
            self.units.add(unit.name)
        constants = tuple(tuple(v.text or f"${v.parameter}" for v in values) for values in places)
        if not self.first:
            self.first, self.varied = constants, [False] * len(constants)
        elif constants != self.first:
            self.varied = [v or a != b for v, a, b in zip(self.varied, constants, self.first, strict=True)]
        seen = held(places, parameters)
        if seen is not None:
            self.samples.take(seen, executed.calls)
        return seen

    def parameterized(self) -> Parameterized:
        """Return the text with `$n` that stands for this form."""
        chosen = [self._is_parameter(i) for i in range(len(self.observed.slots))]
        return sqltext.written(self.observed, chosen, self.first)

    def _is_parameter(self, index: int) -> bool:
        slot, varied = self.observed.slots[index], self.varied[index]
        if slot is None:
            return varied or not self.observed.reduced.places[index].is_list
        if slot.freedom is not Freedom.VALUE or slot.is_switch:
            return varied and slot.freedom is not Freedom.FIXED
        often = self.executions >= _ENOUGH and len(self.units) >= _ENOUGH_UNITS
        code = slot.is_pattern or (slot.is_word and all(sqltext.looks_like_code(c) for c in self.first[index]))
        return varied or not (often and code)


@dataclass(slots=True, eq=False)
class Statement:
    """Everything that is one query."""

    key: tuple[str, tuple[str, ...]]
    forms: list[Form] = field(default_factory=list)
    executions: int = 0
    sites: Counter[tuple[bool, Site]] = field(default_factory=Counter)
    tags: Counter[tuple[bool, tuple[tuple[str, str], ...]]] = field(default_factory=Counter)
    sessions: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    search_paths: Counter[tuple[str, ...] | None] = field(default_factory=Counter)

    def take(
        self,
        executed: Executed,
        unit: Unit,
        *,
        site: Site,
        is_called: bool,
        tags: tuple[tuple[str, str], ...],
        search_path: tuple[str, ...] | None,
    ) -> None:
        """Count who ran it, and from where: a call site (of a comment) tells more than a test's or a log's place."""
        calls = executed.calls
        self.executions += calls
        _count(self.sites, (not is_called, site), calls)
        if executed.nested:
            tags = (*tags, (FUNCTION, executed.function or "unknown"))
        _count(self.tags, (not tags, (*tags, ("test", unit.name)) if unit.within == "test" else tags), calls)
        _count(self.sessions, (executed.role, executed.database), calls)
        _count(self.search_paths, search_path, calls)

    def query(self, repeats: Repeats | None) -> Query:
        """Return the query that stands for all of it: in the form that ran most, the shorter of equals."""
        form = max(self.forms, key=lambda f: (f.executions, -len(f.observed.reduced.text)))
        text = form.parameterized()
        role, database = _most(self.sessions)
        site = min(self.sites, key=lambda s: (s[0], -self.sites[s], str(s[1])))[1]
        return Query(
            text=text.text,
            original=_cut(form.original),
            fingerprint=form.observed.fingerprint,
            site=site,
            kind=form.observed.kind,
            parameter_count=len(text.places),
            parameter_names=(None,) * len(text.places),
            allows=sqltext.allowed(form.original),
            search_path=_most(self.search_paths),
            executions=self.executions,
            samples=tuple(dict.fromkeys(_sample(text, s, form) for s in form.samples.best())) if text.places else (),
            tags=min(self.tags, key=lambda t: (t[0], -self.tags[t], t[1]))[1],
            role=role,
            database=database,
            repeats=repeats and replace(repeats, site=repeats.site or site),
        )


def readable_site(executed: Executed, unit: Unit, site: Site | None, source: str, number: int) -> Site:
    """Return where a statement stands: its comment's place, else its test's, else the log's.

    Nobody keeps the log of a suite's server: there it is the execution's number, from 1.
    """
    if site is None:
        line = number if source == CAPTURED and executed.line is not None else executed.line
        site = unit.site or Site(source=source, line=line)
    return replace(site, name=executed.function) if executed.nested and executed.function else site


def _count(counter: Counter[_T], item: _T, calls: int) -> None:
    """Count an item, unless it is one too many."""
    if item in counter or len(counter) < _MOST_COUNTED:
        counter[item] += calls


def _most(counter: Counter[_T]) -> _T:
    """Return what was counted most, the same among equals whatever the order."""
    return min(counter, key=lambda item: (-counter[item], repr(item)))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_ORIGINAL else f"{text[:_LONGEST_ORIGINAL]}…"


def _sample(text: Parameterized, seen: Held, form: Form) -> tuple[str | None, ...]:
    """Return the values of `$1`, `$2` … of one execution."""
    numbers = {
        v.parameter: (i, n)
        for i, place in enumerate(form.observed.reduced.places)
        for n, v in enumerate(place.values)
        if v.parameter is not None
    }
    found: list[str | None] = []
    for place in text.places:
        if place < 0:
            index, position = numbers[-place]
            row = seen[index]
            found.append(_value(row[min(position, len(row) - 1)]))
        elif form.observed.reduced.places[place].is_list:
            found.append(sqltext.array([_value(v) for v in seen[place]]))
        else:
            found.append(_value(seen[place][0]))
    return tuple(found)


def _value(seen: str | None) -> str | None:
    if seen is None:
        return None
    return seen[1:] if seen.startswith("\0") else sqltext.value(seen)
