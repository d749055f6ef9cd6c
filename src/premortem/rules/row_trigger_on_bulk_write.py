"""A statement that writes many rows of a table whose triggers run row by row.

Sees:   an INSERT, UPDATE or DELETE of many rows, on a table with enabled FOR EACH ROW triggers for it.
Hurts:  the function runs once per row inside the statement, which EXPLAIN does not show; locks are held all the while.
Do:     a FOR EACH STATEMENT trigger with transition tables, smaller batches, or a WHEN clause that spares most rows.
Quiet:  few rows, statement triggers, disabled ones, triggers for other events or columns, triggers with a WHEN clause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Node, Severity, Table, TriggerDefinition
from premortem.rules.discards import counted
from premortem.rules.execution import table_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="row-trigger-on-bulk-write", severity=Severity.WARNING, page=__doc__)
_EVENTS = re.compile(r"\b(?:BEFORE|AFTER|INSTEAD OF)\s+(?P<events>.+?)\s+ON\s", re.DOTALL)
_COLUMNS = re.compile(r"UPDATE OF (.+?)(?: OR |\Z)", re.DOTALL)
_WHEN = re.compile(r"\bFOR EACH ROW WHEN\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` are written."""

    min_rows: float = 10_000


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every bulk write that fires triggers row by row."""
    for node in subject.plan.walk():
        rows = sum(n.rows for n in node.inputs)
        if node.kind != "ModifyTable" or rows < limits.min_rows:
            continue
        table = table_of(node, subject.profile)
        fired = tuple(t.name for t in table.triggers if _fires(t, node, table, subject)) if table is not None else ()
        if table is not None and fired:
            yield _finding(subject, node, table, rows, fired)


def _fires(trigger: TriggerDefinition, node: Node, table: Table, subject: Subject) -> bool:
    match = _EVENTS.search(trigger.definition)
    if not trigger.row_level or not trigger.enabled or match is None or _WHEN.search(trigger.definition):
        return False
    if node.operation == "Update" and (named := _COLUMNS.search(match["events"])):
        columns = {c.strip().strip('"') for c in named[1].split(",")}
        return bool(columns & subject.facts.updated(table.name, table.schema))
    return node.operation == "Merge" or (node.operation or "").upper() in match["events"]


def _finding(subject: Subject, node: Node, table: Table, rows: float, fired: tuple[str, ...]) -> Finding:
    names = ", ".join(fired)
    verb = {"Insert": "inserts", "Update": "updates", "Delete": "deletes"}.get(node.operation or "", "merges")
    which = "the trigger" if len(fired) == 1 else "the triggers"
    return RULE.finding(
        f"{verb} {counted(rows)} of {table.full_name}, and runs {which} {names} for each",
        Evidence.plan("rows written", round(rows), "rows"),
        Evidence.catalog("row-level triggers", names),
        table=table.relation,
        about=names.replace(" ", ""),
        node=node,
        parameters=subject.parameters,
        advice="make it a statement-level trigger with a transition table, or write in batches",
    )
