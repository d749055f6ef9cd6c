"""FOR UPDATE on a join, which locks the rows of every table in it.

Sees:   a locking SELECT over several tables without `OF`.
Hurts:  the customer's or the product's row is locked along with the order: whoever else touches it waits, and two such
        queries in another order deadlock.
Do:     FOR UPDATE OF the table that is changed.
Quiet:  one table, OF, FOR SHARE, subqueries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Node, Severity, Table
from premortem.rules.discards import counted
from premortem.rules.execution import table_of
from premortem.rules.foreign_key_without_index import rows_of
from premortem.rules.readings import partition_root
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="locks-joined-tables", severity=Severity.INFO, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A row that `shared_by` rows of the largest table point at is a warning."""

    shared_by: float = 100


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for a locking join that does not say which table it means."""
    node = next((n for n in subject.plan.walk() if n.kind == "LockRows"), None)
    locks = subject.facts.locks if node is not None else ()
    if node is None or not any(lock.strength in ("update", "no key update") and not lock.of for lock in locks):
        return
    tables = sorted(_joined(node, subject), key=lambda t: rows_of(t, subject.profile))
    if len(tables) < 2:
        return
    fewest, most = (rows_of(t, subject.profile) for t in (tables[0], tables[-1]))
    shared = most / max(fewest, 1.0)
    names = ", ".join(t.full_name for t in tables)
    yield RULE.finding(
        f"locks rows of {names}: each of {tables[0].full_name} is shared by about"
        f" {counted(shared)} of {tables[-1].full_name}",
        Evidence.stat("rows that share one", round(shared), "rows"),
        table=tables[0].relation,
        about=names.replace(" ", ""),
        node=node,
        parameters=subject.parameters,
        severity=Severity.WARNING if shared >= limits.shared_by else None,
        advice=f"write FOR UPDATE OF {tables[-1].full_name}, or whichever is changed",
    )


def _joined(node: Node, subject: Subject) -> tuple[Table, ...]:
    found = (table_of(n, subject.profile) for n in _inputs(node))
    return tuple({(r := partition_root(t, subject.profile)).relation: r for t in found if t is not None}.values())


def _inputs(node: Node) -> Iterator[Node]:
    """Yield a node and what feeds it, subqueries left out."""
    yield node
    for child in node.inputs:
        yield from _inputs(child)
