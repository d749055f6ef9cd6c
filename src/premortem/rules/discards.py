"""Scans that read much and keep little: what the rules on discarded rows have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from premortem import sqltext
from premortem.model import Evidence, Node, Source, Table
from premortem.rules.execution import Execution
from premortem.rules.obstacles import Obstacle, blame
from premortem.rules.readings import Reading, columns_of
from premortem.rules.subject import Subject

#: A table of fewer rows and pages than this is read faster than an index is worth.
SMALL_ROWS, SMALL_PAGES = 1_000, 200
_JOINS = frozenset({"Hash Join", "Merge Join"})
_PASSED = frozenset(
    {"Hash", "Sort", "Incremental Sort", "Gather", "Gather Merge", "Append", "Merge Append", "Materialize"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discarding:
    """When reading in vain counts: so many rows read (times calls per second), at most this share of them kept."""

    min_rows: float = 10_000
    max_kept: float = 0.2


def is_small(reading: Reading) -> bool:
    """Whether the relation is too small for any index to matter."""
    return reading.rows < SMALL_ROWS and reading.pages < SMALL_PAGES


def discarding(subject: Subject, limits: Discarding, *blamed: Obstacle) -> Iterator[Reading]:
    """Yield the scans that read much to keep little, for one of these reasons."""
    for reading in subject.readings:
        much = subject.weight(reading.read) >= limits.min_rows and not is_small(reading)
        if much and asked(reading) and reading.kept <= limits.max_kept * reading.read and blame(reading) in blamed:
            yield reading


def asked(reading: Reading) -> tuple[sqltext.Condition, ...]:
    """Return what decides which rows are kept: the filter, or the condition that goes through a whole index."""
    return reading.filters or reading.index_conditions


def rows_evidence(reading: Reading, kept: float | None = None) -> tuple[Evidence, ...]:
    """Return what was read and kept, with the sources of the two figures."""
    whole = reading.how == "whole"
    read = Evidence.stat if whole else Evidence.plan
    rows = round(reading.kept if kept is None else kept)
    source = Source.ASSUMED if without_statistics(reading) else Source.PLAN
    found = (
        read("rows read", round(reading.read), "rows"),
        Evidence(name="rows kept", value=rows, unit="rows", source=source),
        Evidence.catalog("table size", reading.pages * 8192, "bytes"),
    )
    return found if reading.loops <= 1 else (*found, Evidence.plan("executions", round(reading.loops)))


def without_statistics(reading: Reading) -> tuple[str, ...]:
    """Return the columns that decide which rows are kept and have no statistics: the planner assumes a share."""
    if reading.node.actual is not None:
        return ()
    tables = [reading.table, *reading.scanned]
    if not any(c.statistics for t in tables for c in t.columns):
        return ()  # a pasted plan's table: what the planner knew is not known here
    return tuple(n for n in columns_of(asked(reading), reading.node.alias) if _is_unknown(n, tables))


def _is_unknown(name: str, tables: Sequence[Table]) -> bool:
    columns = [c for t in tables if (c := t.column(name)) is not None]
    return bool(columns) and not any(c.statistics for c in columns)


def kept_rows(reading: Reading) -> str:
    """Return how many rows are kept in words, an assumption called one."""
    return f"{'an assumed ' if without_statistics(reading) else ''}{counted(reading.kept)}"


def counted(rows: float, noun: str = "row") -> str:
    """Return a number of rows in words.

    >>> counted(1), counted(0.2), counted(2_000_000)
    ('1 row', '1 row', '2,000,000 rows')
    """
    whole = max(round(rows), 1)
    return f"{whole:,} {noun}" if whole == 1 else f"{whole:,} {noun}s"


def about(reading: Reading, conditions: tuple[sqltext.Condition, ...]) -> str:
    """Return what conditions ask of a relation, for a finding's key: its columns, or the text where there are none."""
    return ",".join(columns_of(conditions, reading.node.alias)) or "; ".join(c.text for c in conditions)


def on_columns(reading: Reading, conditions: tuple[sqltext.Condition, ...]) -> str:
    """Return the relation's columns in parentheses, with a space in front, or nothing."""
    columns = columns_of(conditions, reading.node.alias)
    return f" ({', '.join(columns)})" if columns else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """The join that a scan's rows go into: the join's node, and the other side's."""

    node: Node
    other: Node

    def conditions(self, alias: str | None) -> tuple[sqltext.Condition, ...]:
        """Return what it asks of the scan's rows."""
        text = self.node.hash_condition or self.node.merge_condition
        parts = sqltext.conjuncts(sqltext.condition(text)) if text else ()
        compared = (c.about(alias) for c in parts if isinstance(c, sqltext.Comparison))
        return tuple(c for c in compared if c is not None)


def whole_join(execution: Execution) -> Join | None:
    """Return the hash or merge join that a scan feeds directly, None where something else comes first."""
    child = execution.node
    for parent in reversed(execution.parents):
        if parent.kind in _JOINS and len(parent.inputs) == 2:
            other = next(n for n in parent.inputs if n is not child)
            return Join(node=parent, other=other)
        if parent.kind not in _PASSED:
            return None
        child = parent
    return None
