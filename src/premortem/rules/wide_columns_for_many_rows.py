"""Large values fetched for many rows, each from the table's TOAST table.

Sees:   a result of many rows with columns whose values are stored out of line, as `SELECT *` of documents is.
Hurts:  every large value is a few more reads, is decompressed and sent; a list page moves megabytes to show titles.
Do:     name the columns that are needed; fetch the large ones for the one row that is opened.
Quiet:  results that are small in all, columns left out, tables whose values fit into their rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Column, Evidence, Finding, Node, Severity, Table
from premortem.plans import labels
from premortem.rules.amounts import is_guess, sized
from premortem.rules.discards import counted
from premortem.rules.execution import table_of
from premortem.rules.readings import partition_root
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject
from premortem.sqltext import base_type

RULE = Rule(name="wide-columns-for-many-rows", severity=Severity.WARNING, page=__doc__)
_COLUMN = re.compile(rf"(?:(?P<alias>{labels.NAME})\.)?(?P<column>{labels.NAME})\Z")
_LARGE = frozenset({"text", "character varying", "bytea", "json", "jsonb", "xml", "tsvector", "hstore"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_megabytes` from TOAST (times calls per second) for at least `min_rows`."""

    min_megabytes: float = 64
    min_rows: float = 100


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every table whose large values are fetched in bulk."""
    root = subject.plan.root
    if root.rows < limits.min_rows or is_guess(subject):
        return
    for table in {t.relation: t for n in subject.plan.scans() if (t := table_of(n, subject.profile))}.values():
        large = [c.name for c in table.columns if _is_large(c)]
        asked = [c for c in large if c in _returned(root, table, subject)] if table.toast_bytes and table.rows else []
        size = root.rows * table.toast_bytes / max(table.rows, 1.0) * len(asked) / max(len(large), 1)
        if asked and subject.weight(size) >= limits.min_megabytes * 2**20:
            yield _finding(subject, root, partition_root(table, subject.profile), asked, size)


def _is_large(column: Column) -> bool:
    return base_type(column.type) in _LARGE or column.type.endswith("[]")


def _returned(root: Node, table: Table, subject: Subject) -> frozenset[str]:
    """Return the table's columns that the query hands out as they are."""
    names = {n.alias for n in subject.plan.scans() if table_of(n, subject.profile) is table}
    found = (match for item in root.output if (match := _COLUMN.match(item)))
    return frozenset(
        labels.unquoted(m["column"]) for m in found if m["alias"] is None or labels.unquoted(m["alias"]) in names
    )


def _finding(subject: Subject, root: Node, table: Table, asked: list[str], size: float) -> Finding:
    columns = ", ".join(asked)
    return RULE.finding(
        f"fetches {columns} for {counted(root.rows)} of {table.full_name}, about {sized(size)} from TOAST",
        Evidence.plan("rows returned", round(root.rows), "rows"),
        Evidence.catalog("TOAST of the table", table.toast_bytes, "bytes"),
        table=table.relation,
        about=columns.replace(" ", ""),
        node=root,
        parameters=subject.parameters,
        advice="name the columns that are needed, and leave the large ones out",
    )
