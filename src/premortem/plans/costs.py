"""How many index entries an index scan reads, found by asking which number gives the cost that the planner printed.

EXPLAIN prints the rows that an index scan returns after its filter, never those that its index condition matches.  The
cost is made of the latter: the formula of `cost_index` and `genericcostestimate` (PostgreSQL 18,
`src/backend/optimizer/path/costsize.c` and `src/backend/utils/adt/selfuncs.c`; the same since 9.6 in what matters here)
grows with the number of entries, so it can be solved for it by bisection.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from premortem.model import Index, Node, Profile, Table, quoted

_MULTI_COLUMN_CORRELATION = 0.75  # btcostestimate: later key columns blur the order of the heap
_PAGE_COST_OPERATORS = 50.0  # DEFAULT_PAGE_CPU_MULTIPLIER of selfuncs.c
_PRECISE = 1e-7  # of the rows: EXPLAIN prints costs with two digits after the point, which says less
_USUAL_PROCESSES = 2.4  # two workers and the leader's part, where the Gather above is not known
_NEARLY = 0.9  # what rounding and the estimate of the index's size leave open
_UNITS = {"B": 1 / 8192, "kB": 1 / 8, "MB": 128.0, "GB": 131_072.0, "TB": 134_217_728.0}
_QUANTITY = re.compile(r"\s*([-+]?[\d.]+(?:e[-+]?\d+)?)\s*(B|kB|MB|GB|TB)?\s*\Z")
_OPERATOR = re.compile(r"\s(?:AND|OR|[-+*/<>=~!@#%^&|`?]+|ANY|ALL|IS)\s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The planner's cost settings, with PostgreSQL's defaults; `effective_cache_size` is in pages."""

    seq_page_cost: float = 1.0
    random_page_cost: float = 4.0
    cpu_tuple_cost: float = 0.01
    cpu_index_tuple_cost: float = 0.005
    cpu_operator_cost: float = 0.0025
    effective_cache_size: float = 524_288.0

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Self:
        """Return the prices that settings name, as EXPLAIN SETTINGS or pg_settings write them."""
        found = {f.name: _quantity(settings[f.name]) for f in fields(cls) if f.name in settings}
        return cls(**{name: value for name, value in found.items() if value is not None})

    @classmethod
    def of_profile(cls, profile: Profile) -> Self:
        """Return production's prices."""
        known = {f.name: profile.setting(f.name) for f in fields(cls)}
        return cls.of({name: value for name, value in known.items() if value})


def _quantity(value: str) -> float | None:
    """
    >>> _quantity("8GB"), _quantity("1.1"), _quantity("on")
    (1048576.0, 1.1, None)
    """
    match = _QUANTITY.match(value)
    return float(match[1]) * _UNITS.get(match[2], 1.0) if match else None


DEFAULT_PRICES = Prices()


def expected_processes(gather: Node) -> float:
    """Return how many processes' worth of rows a Gather collects (`get_parallel_divisor` of costsize.c)."""
    workers = gather.workers_planned or 0
    return workers + max(1.0 - 0.3 * workers, 0.0) if workers else 1.0


def index_rows(
    node: Node, table: Table, *, loops: float = 1.0, prices: Prices = DEFAULT_PRICES, processes: float = 1.0
) -> float:
    """Return the number of rows that an index scan's condition matches, by inverting the planner's cost.

    `processes` are those that share the scan, where it is a parallel one.
    """
    formula = _formula(node, table, loops, prices, processes)
    high = min(max(table.rows, 1.0), formula.entries)
    low = min(max(node.rows, 1.0), high)
    if formula.cost(high) <= node.total_cost:
        return high
    while high - low > high * _PRECISE:
        middle = (low + high) / 2
        low, high = (middle, high) if formula.cost(middle) < node.total_cost else (low, middle)
    return high


def whole_index_rows(node: Node, table: Table, *, loops: float = 1.0, prices: Prices = DEFAULT_PRICES) -> float | None:
    """Return the entries of the index where the scan goes through all of them, None where it does not.

    It does when its condition leaves the index's first key out; from version 18 on it may skip from one value of that
    key to the next, and then costs less.
    """
    formula = _formula(node, table, loops, prices)
    if node.index_condition is None or formula.is_bounded:
        return None
    return formula.entries if node.total_cost >= _NEARLY * formula.index_cost(formula.entries) else None


def _formula(node: Node, table: Table, loops: float, prices: Prices, processes: float = 1.0) -> _Formula:
    index = next((i for i in table.indexes if i.name == node.index), None)
    shared_by = (processes if processes > 1 else _USUAL_PROCESSES) if node.parallel_aware else 1.0
    rows, pages = max(table.rows, 1.0), max(float(table.pages), 1.0)
    entries = index.tuples if index is not None and index.tuples > 0 else rows
    return _Formula(
        loops=max(loops, 1.0),
        prices=prices,
        heap_rows=rows,
        heap_pages=pages,
        index_pages=_index_pages(index, pages),
        entries=entries,
        is_bounded=_is_bounded(node, index),
        in_order=_correlation(index, table) ** 2,
        unseen=1.0 - _all_visible(table) if node.kind == "Index Only Scan" else 1.0,
        per_entry=prices.cpu_index_tuple_cost + _operators(node.index_condition) * prices.cpu_operator_cost,
        per_row=(prices.cpu_tuple_cost + _operators(node.filter) * prices.cpu_operator_cost) / shared_by,
        descent=_descent(index, entries, prices),
    )


def _index_pages(index: Index | None, heap_pages: float) -> float:
    """Return the index's pages; an index that the profile does not have is taken for a fifth of its table."""
    known = (index.pages or index.relation_pages) if index is not None else 0
    return float(known) if known else max(heap_pages / 5, 1.0)


def _correlation(index: Index | None, table: Table) -> float:
    if index is None or not index.keys or index.keys[0].column is None:
        return 0.0
    column = table.column(index.keys[0].column)
    statistics = column.own_statistics if column is not None else None
    found = (statistics.correlation if statistics is not None else None) or 0.0
    return found * (_MULTI_COLUMN_CORRELATION if len(index.keys) > 1 else 1.0)


def _is_bounded(node: Node, index: Index | None) -> bool:
    """Whether the condition is about the first key, so that only a part of the index is read."""
    if index is None or index.method != "btree" or index.keys[0].column is None:
        return True
    return quoted(index.keys[0].column) in (node.index_condition or "")


def _all_visible(table: Table) -> float:
    return min(table.all_visible / max(table.relation_pages, 1), 1.0)


def _descent(index: Index | None, entries: float, prices: Prices) -> float:
    level = index.level if index is not None and index.level is not None else 2
    steps = math.ceil(math.log2(max(entries, 2.0)))
    return (steps + (level + 1) * _PAGE_COST_OPERATORS) * prices.cpu_operator_cost


@dataclass(frozen=True, slots=True, kw_only=True)
class _Formula:
    """The planner's formula for one index scan, with everything but the number of entries filled in.

    It is worked out dozens of times for one scan, so what does not change is a figure here.  `in_order` is the square
    of the correlation, `unseen` the part of the visited heap pages that an index-only scan cannot spare.
    """

    loops: float
    prices: Prices
    heap_rows: float
    heap_pages: float
    index_pages: float
    entries: float
    is_bounded: bool
    in_order: float
    unseen: float
    per_entry: float
    per_row: float
    descent: float

    def cost(self, entries: float) -> float:
        """Return the planner's total cost of a scan that reads so many entries."""
        return self.index_cost(entries) + self._heap_cost(entries) + entries * self.per_row

    def index_cost(self, entries: float) -> float:
        """Return the part of the cost that comes from the index itself."""
        if not self.is_bounded:
            entries = self.entries
        pages = float(math.ceil(entries * self.index_pages / self.entries))
        if self.loops > 1:
            pages = self._fetched(pages * self.loops, self.index_pages) / self.loops
        return pages * self.prices.random_page_cost + entries * self.per_entry + self.descent

    def _heap_cost(self, entries: float) -> float:
        together = math.ceil(entries / self.heap_rows * self.heap_pages)
        if self.loops > 1:
            most = self._fetched(entries * self.loops, self.heap_pages) * self.unseen / self.loops
            least = self._fetched(together * self.loops, self.heap_pages) * self.unseen / self.loops
            worst, best = most * self.prices.random_page_cost, least * self.prices.random_page_cost
        else:
            worst = self._fetched(entries, self.heap_pages) * self.unseen * self.prices.random_page_cost
            pages = math.ceil(together * self.unseen)
            best = (self.prices.random_page_cost + (pages - 1) * self.prices.seq_page_cost) if pages else 0.0
        return worst + self.in_order * (best - worst)

    def _fetched(self, tuples: float, pages: float) -> float:
        """Mackert and Lohman's estimate of the pages that so many random visits touch (`index_pages_fetched`)."""
        cached = max(self.prices.effective_cache_size * pages / (self.heap_pages + self.index_pages), 1.0)
        if pages <= cached:
            return min(math.ceil(2 * pages * tuples / (2 * pages + tuples)), pages)
        limit = 2 * pages * cached / (2 * pages - cached)
        if tuples <= limit:
            return math.ceil(2 * pages * tuples / (2 * pages + tuples))
        return math.ceil(cached + (tuples - limit) * (pages - cached) / pages)


def _operators(condition: str | None) -> int:
    """Roughly how many operators a deparsed condition calls."""
    return len(_OPERATOR.findall(condition)) - len(re.findall(r"\s(?:AND|OR)\s", condition)) if condition else 0
