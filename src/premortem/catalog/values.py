"""Applies `--values` to statistics: which values leave production, as what.

```
applied
├── policy.passing     the columns that leave as they are
├── _collected         every other value, by kind, with the histograms that show its order
├── pseudonyms         one map per kind
└── _Rewriter          every statistic, rewritten
```
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from premortem.catalog import documents, forms, policy, pseudonyms
from premortem.catalog.kinds import Kind, Shape, TypeRow, Wrap, shape
from premortem.model import Column, ColumnStatistics, ExtendedStatistics, Gap, Index, Table, Values

Change = Callable[[str], str]
_NUMBER = re.compile(r"-?\d+(\.\d+)?\Z")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The tables with what of their statistics may leave, and what that hides."""

    tables: tuple[Table, ...]
    gaps: tuple[Gap, ...]


@dataclass(slots=True, kw_only=True)
class Collected:
    """The values that need pseudonyms, by kind; texts by collation, with chains that show their order."""

    texts: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    chains: defaultdict[str, list[list[str]]] = field(default_factory=lambda: defaultdict(list))
    numbers: dict[Decimal, int] = field(default_factory=dict)
    others: defaultdict[Kind, set[str]] = field(default_factory=lambda: defaultdict(set))


@dataclass(frozen=True, slots=True, kw_only=True)
class Maps:
    """A pseudonym for every collected value."""

    texts: Mapping[str, pseudonyms.Tokens]
    numbers: pseudonyms.Numbers
    others: Mapping[Kind, pseudonyms.Tokens]
    days: int


def applied(
    tables: tuple[Table, ...], values: Values, types: Mapping[str, TypeRow], *, secret: bytes, code_points: bool
) -> Applied:
    """Return the tables with their statistics' values as `values` lets them leave production.

    `code_points` says that the database sorts text by code point (C, POSIX).
    """
    if values is Values.ALL:
        return Applied(tables=tables, gaps=())
    if values is Values.NONE:
        return Applied(tables=tuple(_rewritten(t, _without_values, _no_extended) for t in tables), gaps=(_NO_VALUES,))
    return _with_pseudonyms(tables, types, secret, code_points)


_NO_VALUES = Gap(
    subject="values of statistics",
    says="The profile was pulled with --values none: frequencies are known, values are not.",
    effect="Every value is planned as an average one; skew that makes one value slow and another fast does not show.",
    cure="Pull with --values low-cardinality, which keeps order, equality and frequency without the values.",
)


def _rewritten(
    table: Table,
    change: Callable[[Column, str], Column],
    extended: Callable[[Table, ExtendedStatistics], ExtendedStatistics],
) -> Table:
    return replace(
        table,
        columns=tuple(change(column, column.name) for column in table.columns),
        indexes=tuple(_rewritten_index(index, change) for index in table.indexes),
        statistics=tuple(extended(table, found) for found in table.statistics),
    )


def _rewritten_index(index: Index, change: Callable[[Column, str], Column]) -> Index:
    columns = tuple(change(column, _expression(index, column)) for column in index.expression_columns)
    return replace(index, expression_columns=columns)


def _expression(index: Index, column: Column) -> str:
    return index.keys[column.number - 1].expression or column.name


def _without_values(column: Column, name: str) -> Column:
    return replace(column, statistics=tuple(_dropped(found) for found in column.statistics))


def _dropped(found: ColumnStatistics) -> ColumnStatistics:
    return replace(
        found, most_common_values=None, histogram_bounds=None, most_common_elements=None,
        range_length_histogram=None, range_bounds_histogram=None,
    )  # fmt: skip


def _no_extended(table: Table, found: ExtendedStatistics) -> ExtendedStatistics:
    kept = tuple(None if one is None else _dropped(one) for one in found.expression_statistics)
    return replace(found, most_common_values=None, expression_statistics=kept)


def _with_pseudonyms(
    tables: tuple[Table, ...], types: Mapping[str, TypeRow], secret: bytes, code_points: bool
) -> Applied:
    passing = policy.passing(tables, types)
    work = _Work(types=types, passing=passing, shown=_shown(tables, types))
    collected = Collected()
    for table in tables:
        _collect(table, work, collected)
    change = _Rewriter(work=work, maps=_maps(collected, secret, code_points))
    return Applied(tables=tuple(change.table(table) for table in tables), gaps=tuple(_gaps(tables, work)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What is known of the database while values are changed."""

    types: Mapping[str, TypeRow]
    passing: frozenset[policy.ColumnKey]
    shown: documents.Schema

    def form(self, column: Column) -> Shape:
        """What values of the column's type are."""
        return shape(column.type, self.types)

    def passes(self, table: Table, column: Column) -> bool:
        """Whether a table's column leaves as it is."""
        return (table.relation, column.name) in self.passing

    def expression_passes(self, column: Column, text: str) -> bool:
        """Whether an index expression's statistics leave as they are."""
        form = self.form(column)
        if form.kind is Kind.STATUS:
            return True
        few = all(policy.status_like(found, form.wrap) for found in column.statistics)
        return not policy.personal(text) and (form.kind is Kind.TIME or few)


def _shown(tables: Iterable[Table], types: Mapping[str, TypeRow]) -> documents.Schema:
    """What of the database's jsonb documents may be shown, judged column by column."""
    found = documents.Schema()
    for column in (column for table in tables for column in table.columns):
        if shape(column.type, types) == Shape(kind=Kind.JSON):
            texts = [v for s in column.statistics for v in (*(s.most_common_values or ()), *(s.histogram_bounds or ()))]
            found |= documents.schema(texts, policy.personal)
    return found


def _collect(table: Table, work: _Work, into: Collected) -> None:
    for column in table.columns:
        if not work.passes(table, column):
            _collect_column(column, work, into)
    for index in table.indexes:
        for column in index.expression_columns:
            if not work.expression_passes(column, _expression(index, column)):
                _collect_column(column, work, into)
    for found in table.statistics:
        for values, form, collation in _extended_columns(table, found, work):
            _add(values, form, collation, work.shown, into)
        for statistics, form in _extended_expressions(found):
            _collect_statistics(statistics, form, "", work.shown, into)


def _collect_column(column: Column, work: _Work, into: Collected) -> None:
    for found in column.statistics:
        _collect_statistics(found, work.form(column), column.collation or "", work.shown, into)


def _collect_statistics(
    found: ColumnStatistics, form: Shape, collation: str, shown: documents.Schema, into: Collected
) -> None:
    for values in (found.most_common_values, found.histogram_bounds, found.range_bounds_histogram):
        _add(values or (), form, collation, shown, into)
    _add(found.most_common_elements or (), replace(form, wrap=Wrap.PLAIN), collation, shown, into)
    if form.kind is Kind.TEXT and form.wrap is Wrap.PLAIN and found.histogram_bounds:
        into.chains[collation].append(list(found.histogram_bounds))


def _add(values: Iterable[str], form: Shape, collation: str, shown: documents.Schema, into: Collected) -> None:
    if form.wrap is Wrap.PLAIN and form.kind is Kind.TEXT:  # by far the most, so not looked at one by one
        into.texts[collation].update(values)
    elif form.wrap is Wrap.PLAIN and form.kind in _TOKENS:
        into.others[form.kind].update(values)
    elif form.kind is not Kind.TIME:
        for value in values:
            for kind, leaf in leaves(value, form, shown):
                _add_leaf(kind, leaf, form.limit, collation, into)


def _add_leaf(kind: Kind, leaf: str, limit: int, collation: str, into: Collected) -> None:
    if kind is Kind.TEXT:
        into.texts[collation].add(leaf)
    elif kind is Kind.NUMBER:
        number = pseudonyms.decimal(leaf)
        if number:
            known = into.numbers.get(abs(number), 0)
            into.numbers[abs(number)] = min(known, limit) if known and limit else known or limit
    else:
        into.others[kind].add(leaf)


def leaves(value: str, form: Shape, shown: documents.Schema) -> Iterable[tuple[Kind, str]]:
    """Return the single values in a value's text form that need a pseudonym, with their kinds."""
    if form.wrap is Wrap.ARRAY:
        return ((form.kind, one) for one in forms.elements(value))
    if form.wrap is Wrap.RANGE:
        return ((form.kind, one) for one in forms.bounds(value))
    if form.kind is Kind.JSON:
        return ((_json_kind(one), one) for one in documents.leaves(value, shown))
    return ((form.kind, value),)


def _json_kind(leaf: str) -> Kind:
    return Kind.NUMBER if isinstance(leaf, documents.Number) else Kind.TEXT


def guessed(values: Iterable[str]) -> Shape:
    """Return what the values of an expression are, whose type no view tells, by what they look like."""
    shown = list(values)
    if all(value in ("t", "f") for value in shown):
        return Shape(kind=Kind.STATUS)
    if all(_NUMBER.match(value) for value in shown):
        return Shape(kind=Kind.NUMBER)
    return Shape(kind=Kind.TIME if all(_MOMENT.match(value) for value in shown) else Kind.TEXT)


def _extended_columns(
    table: Table, found: ExtendedStatistics, work: _Work
) -> Iterator[tuple[tuple[str, ...], Shape, str]]:
    """Yield the values of each key of a list of most common ones, as far as they need pseudonyms."""
    items = found.most_common_values or ()
    for at, (form, collation, passes) in enumerate(_extended_keys(table, found, work)):
        if not passes:
            yield tuple(value for item in items if (value := item[at]) is not None), form, collation


def _extended_keys(table: Table, found: ExtendedStatistics, work: _Work) -> Iterator[tuple[Shape, str, bool]]:
    plain = len(found.keys) - found.expression_count
    for at, key in enumerate(found.keys):
        column = table.column(key) if at < plain else None
        if column is not None:
            yield work.form(column), column.collation or "", work.passes(table, column)
        else:
            values = {value for item in found.most_common_values or () if (value := item[at]) is not None}
            form = guessed(values)
            yield form, "", form.kind is Kind.STATUS


def _extended_expressions(found: ExtendedStatistics) -> Iterator[tuple[ColumnStatistics, Shape]]:
    for statistics in found.expression_statistics:
        if statistics is not None:
            yield statistics, guessed((*(statistics.most_common_values or ()), *(statistics.histogram_bounds or ())))


_TOKENS: Mapping[Kind, Callable[[Iterable[str], bytes], pseudonyms.Tokens]] = {
    Kind.UUID: pseudonyms.uuid_tokens, Kind.BYTES: pseudonyms.bytes_tokens, Kind.MAC: pseudonyms.mac_tokens,
    Kind.ADDRESS: pseudonyms.address_tokens,
}  # fmt: skip


def _maps(collected: Collected, secret: bytes, code_points: bool) -> Maps:
    others = {kind: make(collected.others[kind], secret) for kind, make in _TOKENS.items()}
    lexemes = sorted(collected.others[Kind.LEXEME], key=pseudonyms.lexeme_key)
    others[Kind.LEXEME] = pseudonyms.text_tokens(lexemes, secret, "lexemes")
    return Maps(
        texts={name: _text_tokens(collected, name, secret, code_points) for name in collected.texts},
        numbers=pseudonyms.numbers(collected.numbers, secret), others=others, days=pseudonyms.days(secret),
    )  # fmt: skip


def _text_tokens(collected: Collected, collation: str, secret: bytes, code_points: bool) -> pseudonyms.Tokens:
    by_code_point = code_points if not collation else collation.endswith(('"C"', '"POSIX"', ".ucs_basic"))
    key = pseudonyms.code_point_key if by_code_point else pseudonyms.linguistic_key
    ordered = pseudonyms.in_order(collected.texts[collation], collected.chains[collation], key)
    return pseudonyms.text_tokens(ordered, secret, f"texts {collation}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rewriter:
    """Rewrites statistics with the maps."""

    work: _Work
    maps: Maps

    def table(self, table: Table) -> Table:
        """Return a table with its statistics rewritten."""
        return replace(
            table,
            columns=tuple(c if self.work.passes(table, c) else self._column(c) for c in table.columns),
            indexes=tuple(self._index(index) for index in table.indexes),
            statistics=tuple(self._extended(table, found) for found in table.statistics),
        )

    def _column(self, column: Column) -> Column:
        form = self.work.form(column)
        rewritten = (self._statistics(found, form, column.collation or "") for found in column.statistics)
        return replace(column, statistics=tuple(rewritten))

    def _index(self, index: Index) -> Index:
        columns = tuple(
            column if self.work.expression_passes(column, _expression(index, column)) else self._column(column)
            for column in index.expression_columns
        )
        return replace(index, expression_columns=columns)

    def _statistics(self, found: ColumnStatistics, form: Shape, collation: str) -> ColumnStatistics:
        if form.kind is Kind.STATUS:
            return found
        if form.kind is Kind.OPAQUE:
            return _dropped(found)
        value = self._changes(form, collation)
        element = self._changes(replace(form, wrap=Wrap.PLAIN), collation)
        return replace(
            found, most_common_values=_each(found.most_common_values, value),
            histogram_bounds=_each(found.histogram_bounds, value),
            most_common_elements=_each(found.most_common_elements, element),
            range_bounds_histogram=_each(found.range_bounds_histogram, value), pseudonyms=True,
        )  # fmt: skip

    def _extended(self, table: Table, found: ExtendedStatistics) -> ExtendedStatistics:
        expressions = tuple(self._expression_statistics(one) for one in found.expression_statistics)
        if found.most_common_values is None:
            return replace(found, expression_statistics=expressions)
        keys = list(_extended_keys(table, found, self.work))
        if any(form.kind is Kind.OPAQUE and not passes for form, _, passes in keys):
            return replace(_no_extended(table, found), expression_statistics=expressions)
        changes = [None if passes else self._changes(form, collation) for form, collation, passes in keys]
        items = tuple(
            tuple(v if v is None or change is None else change(v) for v, change in zip(item, changes, strict=True))
            for item in found.most_common_values
        )
        return replace(
            found, most_common_values=items, expression_statistics=expressions,
            pseudonyms=any(change is not None for change in changes),
        )  # fmt: skip

    def _expression_statistics(self, found: ColumnStatistics | None) -> ColumnStatistics | None:
        if found is None:
            return None
        form = guessed((*(found.most_common_values or ()), *(found.histogram_bounds or ())))
        return self._statistics(found, form, "")

    def _changes(self, form: Shape, collation: str) -> Change:
        """The function that rewrites a value of that shape in text form."""
        if form.kind is Kind.JSON and form.wrap is Wrap.PLAIN:
            texts = self.maps.texts.get("", pseudonyms.Tokens())
            return lambda value: documents.each(value, self.work.shown, texts, self.maps.numbers)
        leaf = self._leaf(form.kind, collation)
        if form.wrap is Wrap.ARRAY:
            return lambda value: forms.each_of_array(value, leaf)
        return (lambda value: forms.each_of_range(value, leaf)) if form.wrap is Wrap.RANGE else leaf

    def _leaf(self, kind: Kind, collation: str) -> Change:
        if kind is Kind.NUMBER:
            return self.maps.numbers
        if kind is Kind.TIME:
            return lambda value: pseudonyms.shifted(value, self.maps.days)
        tokens = self.maps.texts.get(collation, pseudonyms.Tokens()) if kind is Kind.TEXT else self.maps.others[kind]
        return tokens.known.__getitem__


def _each(values: tuple[str, ...] | None, change: Change) -> tuple[str, ...] | None:
    return None if values is None else tuple(map(change, values))


def _gaps(tables: Iterable[Table], work: _Work) -> Iterator[Gap]:
    columns = [column for table in tables for column in table.columns if work.form(column).kind is Kind.OPAQUE]
    opaque = sorted({column.type for column in columns if any(_has_values(found) for found in column.statistics)})
    if opaque:
        yield Gap(
            subject="values of statistics",
            says=f"Values of type {', '.join(opaque)} have no pseudonyms and were dropped.",
            effect="They are planned as average ones.", cure="Pull with --values all where that is allowed.",
        )  # fmt: skip


def _has_values(found: ColumnStatistics) -> bool:
    return any((found.most_common_values, found.histogram_bounds, found.most_common_elements))
