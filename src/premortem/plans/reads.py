"""How many rows a node reads, as against how many it returns.

The most selective missing index returns one row; what hurts is what was read to find it.

Source of the figure, best first
    measured             EXPLAIN ANALYZE: rows returned plus rows removed, per loop
    Seq Scan             every row of the table (of that partition), from the profile
    Bitmap Heap Scan     the rows of its bitmap, which the planner prints
    a whole index        its entries, where the condition leaves the index's first column out
    Index scans          without a filter the rows returned, exactly; with one, the number of index entries for which
                         the planner's own cost formula gives the printed cost (`costs.index_rows`)
    other nodes          the rows of their inputs

Below a Gather the planner prints of a parallel-aware scan the rows of one process, but of its bitmap, and of what its
cost gives away, those of all of them: it is the latter that is returned.
"""

from __future__ import annotations

from premortem.model import Actual, Node, Table
from premortem.plans.costs import DEFAULT_PRICES, Prices, index_rows, whole_index_rows

_INDEX_SCANS = frozenset({"Index Scan", "Index Only Scan"})


def rows_read(
    node: Node,
    table: Table | None = None,
    *,
    loops: float = 1.0,
    prices: Prices = DEFAULT_PRICES,
    processes: float = 1.0,
) -> float:
    """Return how many rows one execution of a node reads, by all its processes together where it is not measured.

    `loops` is how often a join runs it, which the planner's cost of an inner index scan depends on; `processes` is how
    many share a parallel-aware scan, as the planner counts them.
    """
    if node.actual is not None and node.actual.loops > 0:
        return _measured(node.actual)
    returned = rows_of_all(node, processes)
    if node.kind in _INDEX_SCANS:
        return max(_index_scan(node, table, loops, prices, processes), returned)
    if node.kind == "Bitmap Heap Scan":
        return max(sum(_bitmap(child, table, prices) for child in node.inputs), returned)
    if node.relation is not None and table is not None and node.kind != "ModifyTable":
        return max(table.rows, returned)
    return max(sum(child.rows for child in node.inputs), node.rows)


def rows_of_all(node: Node, processes: float) -> float:
    """Return the rows that all processes together return of a node: each has a share of a parallel-aware one."""
    return node.rows * processes if node.parallel_aware else node.rows


def _measured(actual: Actual) -> float:
    removed = (actual.rows_removed_by_filter, actual.rows_removed_by_index_recheck, actual.rows_removed_by_join_filter)
    return actual.rows + sum(r for r in removed if r is not None)


def _bitmap(node: Node, table: Table | None, prices: Prices) -> float:
    whole = whole_index_rows(node, table, prices=prices) if table is not None and node.index is not None else None
    return whole if whole is not None else node.rows


def _index_scan(node: Node, table: Table | None, loops: float, prices: Prices, processes: float) -> float:
    if table is None:
        return rows_of_all(node, processes)
    if (whole := whole_index_rows(node, table, loops=loops, prices=prices)) is not None:
        return whole
    if node.filter is None:
        return rows_of_all(node, processes)
    if node.index_condition is not None:
        return index_rows(node, table, loops=loops, prices=prices, processes=processes)
    index = next((i for i in table.indexes if i.name == node.index), None)
    return index.tuples if index is not None and index.predicate is not None and index.tuples > 0 else table.rows
