"""A plan as text, as EXPLAIN prints it, with the node that hurts marked and partitions that do the same counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from premortem import words
from premortem.model import Node, Plan
from premortem.plans import PlanLine, kind, lines

MARK = "◀ here"
_STEP = 3
#: What EXPLAIN ANALYZE counts that says where the work went, as PostgreSQL calls it.
_COUNTS = (
    ("rows removed by filter", "rows_removed_by_filter"),
    ("rows removed by join filter", "rows_removed_by_join_filter"),
    ("rows removed by index recheck", "rows_removed_by_index_recheck"),
    ("heap fetches", "heap_fetches"),
    ("lossy heap blocks", "lossy_pages"),
    ("buffers hit", "shared_hit_blocks"),
    ("read", "shared_read_blocks"),
    ("temp written", "temp_written_blocks"),
    ("workers launched", "workers_launched"),
)
#: So many children in a row that do the same are shown as one or two, and counted.
_MANY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Nodes that are not shown because they do what the ones before them do."""

    depth: int
    says: str


Row = PlanLine | Alike


def text(plan: Plan, *, hot: tuple[int, ...] | None = None) -> str:
    """Return the plan as indented text; the node at the path `hot` is marked."""
    return "\n".join(line for row in rows(plan, hot=hot) for line in row_lines(row, hot=hot))


def rows(plan: Plan, *, hot: tuple[int, ...] | None = None) -> tuple[Row, ...]:
    """Return a plan's nodes, parents first, without those that only repeat what the ones before them do.

    A scan of 200 partitions is one line and a count.  The hot node is always there, and the dearest of those that are
    alike.
    """
    every = {line.path: line for line in lines(plan)}
    return tuple(_below(plan.root, every, hot))


def _below(node: Node, every: dict[tuple[int, ...], PlanLine], hot: tuple[int, ...] | None) -> Iterator[Row]:
    yield every[node.path]
    for _, same in groupby(node.children, key=_outline):
        alike = list(same)
        wanted = _worth_showing(alike, hot)
        for child in alike:
            if child.path in wanted:
                yield from _below(child, every, hot)
        if left := [n for n in alike if n.path not in wanted]:
            yield Alike(depth=len(node.path) + 1, says=_counted(left))


def _worth_showing(alike: Sequence[Node], hot: tuple[int, ...] | None) -> set[tuple[int, ...]]:
    if len(alike) < _MANY:
        return {n.path for n in alike}
    dearest = max(alike, key=lambda n: n.total_cost)
    marked = {n.path for n in alike if hot is not None and hot[: len(n.path)] == n.path}
    return {alike[0].path, dearest.path} | marked


def _counted(left: Sequence[Node]) -> str:
    low, high = min(n.total_cost for n in left), max(n.total_cost for n in left)
    costs = f"cost {words.number(low)}" + (f" to {words.number(high)}" if high > low else "")
    rows_of_all = sum(n.rows for n in left)
    return f"… {words.number(len(left))} more like it ({costs} each, {words.plural(rows_of_all, 'row')} together)"


def _outline(node: Node) -> object:
    """Return what a node and everything below it do, whatever the relations and indexes are called."""
    conditions = (node.filter is None, node.index_condition is None, node.relation is None)
    return node.parent_relationship, kind(node), conditions, tuple(_outline(child) for child in node.children)


def row_lines(row: Row, *, hot: tuple[int, ...] | None = None) -> tuple[str, ...]:
    """Return the text of one row of a plan."""
    return (f"{' ' * (_STEP * row.depth)}{row.says}",) if isinstance(row, Alike) else node_lines(row, hot=hot)


def node_lines(shown: PlanLine, *, hot: tuple[int, ...] | None = None) -> tuple[str, ...]:
    """Return the text of one node: its heading with costs, then its conditions."""
    indent = " " * (_STEP * shown.depth)
    arrow = f"{indent[:-_STEP]}-> " if shown.depth else ""
    mark = f"  {MARK}" if shown.path == hot else ""
    head = f"{arrow}{words.one_line(shown.label)}  {figures(shown.node)}{mark}"
    above = (f"{indent}{words.one_line(shown.subplan)}",) if shown.subplan else ()
    return (*above, head, *(f"{indent}  {d}" for d in details(shown)))


def details(shown: PlanLine) -> tuple[str, ...]:
    """Return a node's conditions and keys, then what was measured of it besides rows and times."""
    return (*(words.one_line(d) for d in shown.details), *_besides(shown.node))


def _besides(node: Node) -> tuple[str, ...]:
    actual = node.actual
    if actual is None:
        return ()
    told = [f"{name} {words.number(value)}" for name, field in _COUNTS if (value := getattr(actual, field))]
    told += [f"on disk {words.size(actual.disk_kb * 1024)}"] if actual.disk_kb else []
    return (f"Measured: {', '.join(told)}",) if told else ()


def figures(node: Node) -> str:
    """Return a node's estimates as EXPLAIN prints them, without the width."""
    costs = f"cost={node.startup_cost:.2f}..{node.total_cost:.2f} rows={node.rows:.0f}"
    return f"({costs}){_measured(node)}"


def _measured(node: Node) -> str:
    actual = node.actual
    if actual is None:
        return ""
    if actual.loops == 0:
        return " (never executed)"
    started, ended = actual.startup_ms, actual.total_ms
    time = f"time={started:.3f}..{ended:.3f} " if started is not None and ended is not None else ""
    return f" (actual {time}rows={actual.rows:.0f} loops={actual.loops:.0f})"
