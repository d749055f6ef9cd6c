"""Columns that depend on each other, which no CREATE STATISTICS tells the planner.

Sees:   a scan that finds ten times the rows expected, or more, when two columns or more of a table have values given;
        a GROUP BY or DISTINCT over several columns with a tenth of the groups expected, or with nearly one group a row.
Hurts:  the planner multiplies the columns' shares as if a city were in every country: a nested loop or a hash table
        that was made for ten rows gets thousands.
Do:     CREATE STATISTICS on the columns, then ANALYZE; neither keeps anybody from reading or writing.
Quiet:  one column; statistics that cover the columns, filled or not; other conditions on the same scan, such as a
        range, LIKE or an expression, which may be what is wrong; a column whose own statistics are wrong or old.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Node, Severity
from premortem.rules.dependent import Dependent, dependents
from premortem.rules.measured import evidence, place
from premortem.rules.remedy_statistics import Statements, statements
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="correlated-columns-without-statistics", severity=Severity.WARNING, needs_analyze=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Wrong by `min_factor`, with `min_rows` found or expected; by `min_groups_factor` where groups are too few."""

    min_factor: float = 10
    min_rows: float = 1_000
    min_groups_factor: float = 5


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for each table and set of columns, about the scan or the grouping that is furthest off."""
    together: dict[object, list[Dependent]] = {}
    for found in _wrong(subject, limits):
        together.setdefault((found.root, found.columns, found.groups), []).append(found)
    for same in together.values():
        yield _finding(subject, max(same, key=lambda d: d.times), statements(same, subject.profile))


def explained(subject: Subject, limits: Limits) -> frozenset[tuple[int, ...]]:
    """Return the paths of the nodes whose wrong estimate this rule explains, with their bitmaps and workers' parts."""
    nodes = [d.node for d in _wrong(subject, limits)]
    return frozenset(path for n in nodes for path in (n.path, *(b.path for b in n.walk() if _is_part(b))))


def _is_part(node: Node) -> bool:
    return node.kind == "Bitmap Index Scan" or node.raw.get("Partial Mode") == "Partial"


def _wrong(subject: Subject, limits: Limits) -> Iterator[Dependent]:
    for found in dependents(subject):
        factor = limits.min_groups_factor if found.groups and found.more else limits.min_factor
        if found.times >= factor and found.rows >= limits.min_rows:
            yield found


def _finding(subject: Subject, worst: Dependent, typed: Statements) -> Finding:
    what = "groups" if worst.groups else "rows"
    listed = " and ".join(filter(None, (", ".join(worst.columns[:-1]), worst.columns[-1])))
    per = " per execution" if worst.loops > 1 else ""
    return RULE.finding(
        f"{place(worst.node)} finds {worst.found:,.0f} {what} by {listed}{per} where {worst.expected:,.0f} were "
        f"expected, {worst.times:,.0f} times {'more' if worst.more else 'fewer'}: {_why(worst)}",
        evidence(f"{what} found", worst.found, what),
        Evidence.plan(f"{what} expected", worst.expected, what),
        *((Evidence.catalog("statistics on some of the columns", worst.partly),) if worst.partly else ()),
        table=worst.root,
        about=("groups of " if worst.groups else "") + ",".join(sorted(worst.columns)),
        node=worst.node,
        parameters=subject.parameters,
        advice=typed.says,
        sql=typed.sql,
        undo=typed.undo,
    )


def _why(worst: Dependent) -> str:
    if worst.partly:
        return f"{worst.partly} tells the planner of some of these columns only"
    if worst.could_look:
        return "no CREATE STATISTICS tells the planner how these columns depend on each other"
    return "the columns seem to depend on each other; the table is in no profile to look for statistics that say so"
