"""How a comparison reads: a table for people, JSON for machines.  Text out, nothing printed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from premortem import words
from premortem.mirror.comparing import ColumnCompared, Limits, Pair, PlanCompared, TableCompared
from premortem.mirror.verifying import Verified

VERSION = 1
_HEADS = ("column", "distinct", "nulls", "width", "correlation", "common", "distribution", "fan-out p50/90/99", "off")
_MOST = 40


def text(found: Verified, *, whole: bool = False) -> str:
    """Return a comparison as people read it; the columns that are off, or all of them."""
    return "\n".join(_text(found, whole=whole)) + "\n"


def _text(found: Verified, *, whole: bool) -> Iterator[str]:
    off = [c for c in found.columns if c.beyond(found.limits)]
    yield from _sizes(found.tables)
    yield ""
    shown = list(found.columns) if whole else off[:_MOST]
    if shown:
        yield "production → mirror, by ANALYZE in both"
        yield from _aligned([_HEADS, *(_row(c, found.limits) for c in shown)])
        yield ""
    left = len(off) - len(shown)
    if left > 0:
        yield f"… and {words.plural(left, 'more column')} off; --all shows every column"
    yield f"columns: {len(found.columns) - len(off):,} of {len(found.columns):,} near production's"
    yield from _planned(found)
    yield from (f"gap: {words.one_line(g.subject)}: {words.one_line(g.says)}" for g in found.gaps)
    yield from (f"FAIL: {failure}" for failure in found.failures)
    if not found.failures:
        yield "the mirror is near production"


def _sizes(tables: Sequence[TableCompared]) -> Iterator[str]:
    rows = [("table", "rows", "pages")]
    for table in sorted(tables, key=lambda t: -(t.rows.there or 0))[:_MOST]:
        rows.append((words.one_line(table.relation.short), _pair(table.rows), _pair(table.pages)))
    yield from _aligned(rows)


def _row(column: ColumnCompared, limits: Limits) -> tuple[str, ...]:
    return (
        words.one_line(f"{column.relation.short}.{column.column}"), _pair(column.distinct), _pair(column.nulls, 2),
        _pair(column.width), _pair(column.correlation, 2), _figure(column.frequency, 3),
        _figure(column.distribution, 3), ", ".join(_pair(p) for p in column.fan_out) or "",
        ", ".join(column.beyond(limits)),
    )  # fmt: skip


def _planned(found: Verified) -> Iterator[str]:
    if not found.plans:
        yield "plans: none compared"
        return
    same = sum(p.same_shape for p in found.plans)
    yield f"plans: {same:,} of {len(found.plans):,} have production's shape"
    median, tail = found.error(0.5), found.error(0.95)
    if median is not None and tail is not None:
        worst = found.error(1.0)
        yield (
            f"rows of their nodes: q-error {words.number(median)} at the median, {words.number(tail)} at the"
            f" 95th percentile, {words.number(worst or 1.0)} at worst"
        )
    for plan in [p for p in found.plans if not p.same_shape][:_MOST]:
        yield f"  other shape: {words.one_line(plan.query)} ({plan.parameters})"
        yield f"    production {words.shortened(words.one_line(plan.there), 160)}"
        yield f"    mirror     {words.shortened(words.one_line(plan.here), 160)}"


def _pair(pair: Pair, decimals: int | None = None) -> str:
    a, b = _figure(pair.there, decimals), _figure(pair.here, decimals)
    return f"{a} → {b}" if a or b else ""


def _figure(value: float | None, decimals: int | None = None) -> str:
    if value is None:
        return ""
    return words.number(value) if decimals is None else f"{value:.{decimals}f}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def as_json(found: Verified) -> str:
    """Return a comparison as JSON; fields may be added, none changes its meaning within a version."""
    document = {
        "version": VERSION,
        "near": not found.failures,
        "failures": list(found.failures),
        "limits": asdict(found.limits),
        "columns_near": found.near_columns,
        "plans_same_shape": found.same_shapes,
        "rows_q_error": {"median": found.error(0.5), "p95": found.error(0.95), "worst": found.error(1.0)},
        "tables": [_table(t, found.limits) for t in found.tables],
        "plans": [_plan(p) for p in found.plans],
        "gaps": [asdict(g) for g in found.gaps],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _table(table: TableCompared, limits: Limits) -> dict[str, object]:
    return {
        "schema": table.relation.schema,
        "name": table.relation.name,
        "rows": _both(table.rows),
        "pages": _both(table.pages),
        "columns": [_column(c, limits) for c in table.columns],
    }


def _column(column: ColumnCompared, limits: Limits) -> dict[str, object]:
    return {
        "name": column.column,
        "distinct": _both(column.distinct),
        "null_fraction": _both(column.nulls),
        "average_width": _both(column.width),
        "correlation": _both(column.correlation),
        "frequency_error": column.frequency,
        "distribution_distance": column.distribution,
        "fan_out": [_both(p) for p in column.fan_out],
        "off": list(column.beyond(limits)),
    }


def _both(pair: Pair) -> dict[str, float | None]:
    return {"production": pair.there, "mirror": pair.here}


def _plan(plan: PlanCompared) -> dict[str, object]:
    return {
        "query": plan.query,
        "parameters": plan.parameters,
        "same_shape": plan.same_shape,
        "q_errors": _rounded(plan.errors),
        "production": plan.there,
        "mirror": plan.here,
    }


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(value, 3) for value in values]
