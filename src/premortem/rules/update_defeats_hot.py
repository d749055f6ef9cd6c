"""An UPDATE of an indexed column on a table that is updated all the time.

Sees:   an UPDATE that sets a column of some index, on a table with many updates a second that are mostly not HOT.
Hurts:  each such update writes a new entry into every index of the table, and leaves one for vacuum in each.
Do:     drop the index if nothing needs it, or keep the restless column in a table of its own.
Quiet:  calm tables, tables whose updates are HOT, BRIN indexes, statements that set most columns as an ORM's save does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Index, Severity, Table
from premortem.rules.amounts import is_settled
from premortem.rules.execution import table_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="update-defeats-hot", severity=Severity.INFO, page=__doc__)
_WORD = re.compile(r'"(?:[^"]|"")+"|\w+')


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_updates` a second, at most `max_hot` of them HOT; at most `max_set` of the columns are set."""

    min_updates: float = 10
    max_hot: float = 0.5
    max_set: float = 0.5


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every restless column that an index holds."""
    for node in subject.plan.walk():
        table = table_of(node, subject.profile) if node.kind == "ModifyTable" and node.operation != "Delete" else None
        if table is None or table.activity.updates < limits.min_updates or not is_settled(table):
            continue
        if table.activity.hot_updates > limits.max_hot * table.activity.updates:
            continue
        updated = subject.facts.updated(table.name, table.schema)
        held = {c: names for c in sorted(updated) if (names := _holding(table, c))}
        if held and len(updated) <= max(limits.max_set * len(table.columns), 1):
            yield _finding(subject, table, held)


def _holding(table: Table, column: str) -> tuple[str, ...]:
    return tuple(i.name for i in table.indexes if i.method != "brin" and column in _columns(i))


def _columns(index: Index) -> frozenset[str]:
    texts = [k.expression or "" for k in index.keys] + [index.predicate or ""]
    words = (w.strip('"') for text in texts for w in _WORD.findall(text))
    return frozenset((*words, *(c for c in index.columns if c), *index.include))


def _finding(subject: Subject, table: Table, held: dict[str, tuple[str, ...]]) -> Finding:
    columns = ", ".join(held)
    indexes = ", ".join(dict.fromkeys(name for names in held.values() for name in names))
    share = table.activity.hot_updates / max(table.activity.updates, 1e-9)
    return RULE.finding(
        f"sets {columns}, which {indexes} holds, so the update is written to all {len(table.indexes)} indexes of"
        f" {table.full_name}",
        Evidence.stat("updates a second", round(table.activity.updates, 1)),
        Evidence.stat("share of HOT updates", round(share, 2)),
        table=table.relation,
        about=columns.replace(" ", ""),
        parameters=subject.parameters,
        advice=f"drop {indexes} if nothing needs it, or keep {columns} in a table of its own",
    )
