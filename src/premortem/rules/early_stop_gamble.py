"""A plan that is cheap only because it expects to stop early.

Sees:   a LIMIT, EXISTS, semi-join or anti-join whose input costs a hundred times more when what it looks for is rare
        or absent, because rows are filtered on the way.
Hurts:  fast in every test and for every common value; the one rare or absent value reads the whole table.
Do:     an index that starts with the filtered columns and goes on with the sort columns, so that nothing is skipped.
Quiet:  inputs that are cheap to read whole, filters that keep at least half of what they see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem import sqltext
from premortem.model import Evidence, Finding, Node, Severity
from premortem.plans import stops_at_first_match, worst_cost
from premortem.rules.discards import about, counted, is_small, on_columns
from premortem.rules.readings import Reading
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject
from premortem.sqltext import Condition

RULE = Rule(name="early-stop-gamble", severity=Severity.ERROR, curable_by_index=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The full cost is at least `min_ratio` times the cost shown, and at least `min_cost` (times calls per second)."""

    min_ratio: float = 100
    min_cost: float = 5_000


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for the topmost nodes that bet on stopping early."""
    for node in _gambles(subject, limits):
        reading = _most_filtered(subject, node)
        if reading is not None and not is_small(reading):
            yield _finding(subject, node, reading)


def _gambles(subject: Subject, limits: Limits) -> Iterator[Node]:
    found: list[tuple[int, ...]] = []
    for node in subject.plan.walk():
        stops = node.kind == "Limit" or (node.kind == "Nested Loop" and stops_at_first_match(node))
        if not stops or any(node.path[: len(path)] == path for path in found):
            continue
        worst = worst_cost(node, subject.profile)
        if subject.weight(worst) >= limits.min_cost and worst >= limits.min_ratio * max(node.total_cost, 0.01):
            found.append(node.path)
            yield node


def _most_filtered(subject: Subject, node: Node) -> Reading | None:
    """Return the relation below the node whose filter may turn the bet: the one that costs most to read whole."""
    below = [r for r in subject.readings if r.node.path[: len(node.path)] == node.path]
    filtered = [r for r in below if r.filters] or [r for r in below if _join_conditions(node)]
    return max(filtered, key=lambda r: r.node.total_cost * max(r.loops, 1.0), default=None)


def _join_conditions(node: Node) -> tuple[Condition, ...]:
    texts = (n.join_filter for n in node.walk() if n.join_filter)
    return tuple(c for text in texts for c in sqltext.conjuncts(sqltext.condition(text)))


def _finding(subject: Subject, node: Node, reading: Reading) -> Finding:
    worst = worst_cost(node, subject.profile)
    conditions = reading.filters or _join_conditions(node)
    stop = f"the first {counted(node.rows)}" if node.kind == "Limit" else "the first match"
    return RULE.finding(
        f"expects to stop at {stop} at cost {node.total_cost:,.0f}, but costs {worst:,.0f} when few rows of"
        f" {reading.relation} pass the filter{on_columns(reading, conditions)}",
        Evidence.plan("cost shown", round(node.total_cost, 2)),
        Evidence.plan("cost when nothing stops early", round(worst, 2)),
        table=reading.relation,
        about=about(reading, conditions),
        node=reading.node,
        parameters=subject.parameters,
    )
