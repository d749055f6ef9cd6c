"""What a plan itself tells of the database it was made for: a sketch of a profile, where nobody handed in a real one.

A measured plan shows how many rows a scan looked at and how many pages; an estimated one shows what reading a table
costs, which is made of both.  Columns are those that conditions name.  All of it is computed, and marked so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from premortem import sqltext
from premortem.model import Column, Finding, Node, Plan, Profile, RelationKind, ServerFacts, Source, Table, Values
from premortem.plans import Prices, rows_read

_SERVER = ServerFacts(version_num=0, version="", database="", encoding="UTF8", collate="C", ctype="C")
_PER_ROW, _PER_QUAL = 0.01, 0.0025
_ROW_HEADER, _USABLE, _NARROWEST = 28, 7_800, 60
_WHOLE = frozenset({"Seq Scan", "Sample Scan"})


def profile_of(plan: Plan) -> Profile:
    """Return a profile with the tables that the plan reads or writes, as large as it shows them to be."""
    prices = Prices.of(plan.settings)
    tables: dict[tuple[str, str], Table] = {}
    for node in plan.walk():
        if node.relation is not None:
            key = (node.relation.schema, node.relation.name)
            tables[key] = _larger(tables.get(key), _table(node, plan, prices))
    paths = tuple(dict.fromkeys(["", "public", *(schema for schema, _ in tables)]))
    return Profile(
        taken_at=datetime.fromtimestamp(0, UTC),
        server=_SERVER,
        values=Values.NONE,
        tables=tuple(tables.values()),
        search_path=paths,
    )


def marked(finding: Finding, plan: Plan, *, sketched: bool) -> Finding:
    """Return the finding with the true sources of its figures: measured, or computed where no profile told them."""
    return replace(
        finding, evidence=tuple(replace(e, source=_source(e.source, e.name, plan, sketched)) for e in finding.evidence)
    )


def _source(source: Source, name: str, plan: Plan, sketched: bool) -> Source:
    counts = "cost" not in name
    if plan.is_measured and counts and source in (Source.PLAN, Source.STATISTICS) and "size" not in name:
        return Source.MEASURED
    return Source.COMPUTED if sketched and source in (Source.STATISTICS, Source.CATALOG) else source


def _larger(one: Table | None, other: Table) -> Table:
    if one is None:
        return other
    columns = {c.name: c for c in (*one.columns, *other.columns)}
    best = max(one, other, key=lambda t: t.rows)
    return replace(best, columns=tuple(columns.values()), pages=max(one.pages, other.pages))


def _table(node: Node, plan: Plan, prices: Prices) -> Table:
    assert node.relation is not None
    rows = _rows(node)
    pages = _pages(node, rows, prices)
    return Table(
        schema=node.relation.schema,
        name=node.relation.name,
        kind=RelationKind.TABLE,
        columns=tuple(_columns(node, plan)),
        pages=pages,
        relation_pages=pages,
        tuples=rows,
    )


def _rows(node: Node) -> float:
    """Return the rows that a table has at least."""
    actual = node.actual
    if node.kind == "ModifyTable":
        return 0.0
    if actual is not None and actual.loops > 0:
        return rows_read(node) * (actual.loops if node.parallel_aware or node.kind not in _WHOLE else 1.0)
    if actual is not None or node.kind not in _WHOLE or node.filter is None:
        return node.rows
    return max(node.rows, _rows_per_page(node) * _pages_of_cost(node))


def _pages(node: Node, rows: float, prices: Prices) -> int:
    least = rows / max(_rows_per_page(node), 1.0)
    if node.kind not in _WHOLE:
        return round(least)
    by_cost = node.total_cost / prices.seq_page_cost - rows * (_PER_ROW + _PER_QUAL) if prices.seq_page_cost else 0.0
    return round(max(least, by_cost, _blocks(node)))


def _blocks(node: Node) -> float:
    actual = node.actual
    if actual is None or actual.loops <= 0 or actual.shared_hit_blocks is None:
        return 0.0
    return (actual.shared_hit_blocks + (actual.shared_read_blocks or 0)) / (
        1.0 if node.parallel_aware else actual.loops
    )


def _rows_per_page(node: Node) -> float:
    """Return how many rows a page holds if rows are as wide as what the scan returns, and not very narrow."""
    return _USABLE / (max(node.width, _NARROWEST) + _ROW_HEADER)


def _pages_of_cost(node: Node) -> float:
    """Return the pages of a table whose scan costs that much: a page and the rows on it, with one condition each."""
    return node.total_cost / (1.0 + _rows_per_page(node) * (_PER_ROW + _PER_QUAL))


def _columns(node: Node, plan: Plan) -> Iterator[Column]:
    """Yield the columns that conditions and sort keys name; a type is as far as a cast to text tells."""
    found: dict[str, str] = {}
    for operand in _operands(plan):
        if operand.column is not None and operand.column.alias in (node.alias, None):
            kind = "character varying" if operand.casts[:1] == ("text",) else "unknown"
            found[operand.column.column] = max(kind, found.get(operand.column.column, ""), key=len)
        for name in operand.columns:
            if name.alias in (node.alias, None):
                found.setdefault(name.column, "unknown")
    yield from (Column(name=name, number=place, type=kind) for place, (name, kind) in enumerate(found.items(), 1))


def _operands(plan: Plan) -> Iterator[sqltext.Operand]:
    for node in plan.walk():
        texts = (node.filter, node.index_condition, node.join_filter, node.hash_condition, node.merge_condition)
        for text in (t for t in texts if t):
            for comparison in sqltext.comparisons(sqltext.condition(text)):
                yield from comparison.operands
        for key in node.sort_key:
            if (operand := sqltext.sort_key(key).operand) is not None:
                yield operand
