"""What the rules on executed plans have in common: nodes that ran, their time, and how to name what they are about."""

from __future__ import annotations

from collections.abc import Iterator

from premortem import sqltext
from premortem.model import Actual, Evidence, Node, RelationName, Source
from premortem.plans import label, number, own_times, total_ms
from premortem.rules.readings import columns_of
from premortem.rules.subject import Subject

#: What stands for the statement where a finding is about no table.
STATEMENT = RelationName(schema="", name="query")
PAGE = 8192
_READS_ALL = frozenset({"Sort", "Hash", "Aggregate"})


def executed(subject: Subject) -> Iterator[tuple[Node, Actual]]:
    """Yield the nodes that ran, with what was measured of them; none where the plan holds estimates only."""
    for node in subject.plan.walk():
        if node.actual is not None and node.actual.loops > 0:
            yield node, node.actual


def evidence(name: str, value: float, unit: str = "") -> Evidence:
    """Return a figure that was measured."""
    return Evidence(name=name, value=round(value, 3) if value < 10 else round(value), unit=unit, source=Source.MEASURED)


def estimate(node: Node) -> float:
    """Return the rows that the planner expected of one execution of a node, at least one as it always does."""
    planned = number(node.raw, "Plan Rows")
    return max(planned if planned is not None else node.rows, 1.0)


def error_of(node: Node) -> float:
    """Return how many times more rows were found than expected, below 1 where there were fewer."""
    assert node.actual is not None
    return max(node.actual.rows, 1.0) / estimate(node)


def may_stop_early(subject: Subject, node: Node) -> bool:
    """Whether fewer rows were asked for than there are: below a LIMIT, an EXISTS, a semi- or a merge join."""
    for above in reversed(subject.plan.ancestors(node.path)):
        if above.kind in ("Limit", "Merge Join") or above.join_type in ("Semi", "Anti") or above.inner_unique:
            return True
        if above.kind in _READS_ALL:
            return False
    return any(n.parent_relationship in ("InitPlan", "SubPlan") for n in (*subject.plan.ancestors(node.path), node))


def has_estimate(node: Node) -> bool:
    """Whether the plan says what was expected; with COSTS OFF it does not."""
    return "Plan Rows" in node.raw


def share_of_time(subject: Subject, node: Node) -> float | None:
    """Return a node's own part of the execution's time, None where nothing was timed."""
    own, whole = own_times(subject.plan), total_ms(subject.plan)
    return own[node.path] / whole if node.path in own and whole else None


def relation_of(node: Node) -> RelationName:
    """Return the relation whose rows a node works on: its own, or that of the first scan below it."""
    return next((n.relation for n in node.walk() if n.relation is not None), STATEMENT)


def own_blocks(node: Node, name: str) -> float:
    """Return a counter of blocks without what the nodes below counted."""
    found = [getattr(n.actual, name) or 0 if n.actual is not None else 0 for n in (node, *node.children)]
    return float(max(found[0] - sum(found[1:]), 0))


def place(node: Node) -> str:
    """Return what a node is called in a sentence.

    >>> place(Node(kind="Hash Join", hash_condition="(a.id = b.id)"))
    'the Hash Join'
    """
    return f"the {label(node)}"


def about(node: Node) -> str:
    """Return what a node is about, for a finding's key: its keys, its conditions' columns, its index, or its kind."""
    texts = (node.hash_condition, node.merge_condition, node.join_filter, node.index_condition, node.filter)
    columns = columns_of([sqltext.condition(t) for t in texts if t])
    keys = ", ".join((*node.sort_key, *node.group_key))
    return keys or node.index or ",".join(columns) or node.kind


def pages(count: float) -> str:
    """Return a number of blocks as a size.

    >>> pages(128), pages(13_000)
    ('1 MB', '102 MB')
    """
    return size(count * PAGE / 1024)


def size(kilobytes: float) -> str:
    """Return a size as people say it.

    >>> size(300), size(14_248), size(3_000_000)
    ('300 kB', '14 MB', '2.9 GB')
    """
    if kilobytes < 1024:
        return f"{kilobytes:.0f} kB"
    return f"{kilobytes / 1024:.0f} MB" if kilobytes < 1024**2 else f"{kilobytes / 1024**2:.1f} GB"


def milliseconds(time: float) -> str:
    """Return a time as people say it.

    >>> milliseconds(3.44), milliseconds(83.7), milliseconds(12_500)
    ('3.4 ms', '84 ms', '12.5 s')
    """
    if time < 10:
        return f"{time:.1f} ms"
    return f"{time:.0f} ms" if time < 1000 else f"{time / 1000:,.1f} s"


def memory_for(kilobytes: float) -> str:
    """Return a work_mem that holds so much, rounded up to a power of two megabytes.

    >>> memory_for(500), memory_for(30_000)
    ('1MB', '32MB')
    """
    megabytes = 1
    while megabytes * 1024 < kilobytes and megabytes < 2**20:
        megabytes *= 2
    return f"{megabytes}MB"
