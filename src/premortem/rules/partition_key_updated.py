"""An UPDATE of the column that decides in which partition a row lives.

Sees:   an UPDATE, or ON CONFLICT DO UPDATE, that sets a column of the partition key.
Hurts:  a row whose partition changes is deleted there and inserted here: twice the writing, triggers of both kinds, and
        an error for whoever was about to change the same row.
Do:     keep the key fixed for a row's life; partition by something that does not change.
Quiet:  statements that set most of a table's columns, as an ORM's save does, mostly to the values that they had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Severity
from premortem.rules.execution import table_of
from premortem.rules.partition_pruning_lost import key_columns
from premortem.rules.readings import partition_root
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="partition-key-updated", severity=Severity.WARNING, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At most `max_set` of the table's columns are set."""

    max_set: float = 0.5


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every partition key that a statement sets."""
    for node in subject.plan.walk():
        table = table_of(node, subject.profile) if node.kind == "ModifyTable" and node.operation != "Delete" else None
        root = partition_root(table, subject.profile) if table is not None else None
        if root is None or not root.partition_key:
            continue
        updated = subject.facts.updated(root.name, root.schema)
        moved = [c for c in key_columns(root) if c in updated]
        if moved and len(updated) <= max(limits.max_set * len(root.columns), 1):
            yield RULE.finding(
                f"sets {', '.join(moved)}, the partition key of {root.full_name}: rows move between partitions",
                Evidence.catalog("partition key", root.partition_key),
                table=root.relation,
                about=",".join(moved),
                node=node,
                parameters=subject.parameters,
                advice="partition by a column that a row keeps",
            )
