"""Scans and groupings whose estimate is off although each of their columns alone may be estimated rightly.

Only what is sure enough: nothing but columns with fixed values decides the scan's rows, nothing but columns of one
table read as a whole the groups; no CREATE STATISTICS covers the columns; and where there is a profile, what was found
is possible with every column's own statistics right.  The planner (PostgreSQL 18, `estimate_num_groups` in selfuncs.c)
multiplies the columns' distinct values and takes a tenth of the rows where that is more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from premortem import sqltext
from premortem.model import ExtendedStatistics, Index, Node, RelationName, Table, Values
from premortem.rules.execution import table_of
from premortem.rules.measured import error_of, estimate, executed, has_estimate, may_stop_early
from premortem.rules.readings import partition_root
from premortem.rules.shares import distinct_of, most_times, share_of
from premortem.rules.subject import Subject
from premortem.sqltext import Comparison, ComparisonKind, Condition, Operand, conjuncts, disjuncts, relabels

SCANS = frozenset({"Seq Scan", "Sample Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan"})
_NULLS = frozenset({ComparisonKind.IS_NULL, ComparisonKind.IS_NOT_NULL})
_SYSTEM = frozenset({"ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"})
_GROUPINGS = frozenset({"Aggregate", "Group", "Unique"})
_HANDS_ON = frozenset({"Append", "Merge Append", "Gather", "Gather Merge", "Sort", "Incremental Sort", "Materialize"})
#: Samples are not exact: what is twice of what statistics allow is no contradiction.
TOLERANCE = 2.0
#: An input that is off by this explains its groups.
INPUT_OFF = 3.0
#: The share of the rows that the planner takes for groups of several columns at most.
MOST_GROUPS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependent:
    """A node with a wrong estimate and the columns that explain it.

    `relation` is whose statistics decide (a partition's, for a scan), `root` the table that the query names.
    `could_look` says that a profile told of CREATE STATISTICS; `partly` names one on some of the columns.
    """

    node: Node
    relation: RelationName
    root: RelationName
    columns: tuple[str, ...]
    groups: bool
    could_look: bool
    partly: str = ""

    @property
    def found(self) -> float:
        """The rows of one execution."""
        return self.node.actual.rows if self.node.actual is not None else 0.0

    @property
    def expected(self) -> float:
        """The rows that the planner expected of one execution."""
        return estimate(self.node)

    @property
    def loops(self) -> float:
        """How often it ran."""
        return self.node.actual.loops if self.node.actual is not None else 0.0

    @property
    def rows(self) -> float:
        """The rows that are at stake."""
        return max(self.found, self.expected) * min(self.loops, 1_000)

    @property
    def more(self) -> bool:
        """Whether there were more than expected."""
        return error_of(self.node) > 1

    @property
    def times(self) -> float:
        """How many times more, or fewer."""
        return max(error_of(self.node), 1 / error_of(self.node))


def dependents(subject: Subject) -> Iterator[Dependent]:
    """Yield the scans that find more, and the groupings that find more or fewer, than independent columns would."""
    for node, _ in executed(subject):
        if not has_estimate(node):
            continue
        found = None
        if node.kind in SCANS and error_of(node) > 1:
            found = _of_scan(subject, node)
        elif node.kind in _GROUPINGS:
            found = _of_groups(subject, node)
        if found is not None:
            yield found


def _is_sketch(subject: Subject) -> bool:
    """Whether the profile is what the plan itself shows, which knows of no statistics."""
    return subject.profile.server.version_num == 0 and subject.profile.values is Values.NONE


def _table(subject: Subject, node: Node) -> Table | None:
    table = None if _is_sketch(subject) else table_of(node, subject.profile)
    return subject.profile.with_base_types(table) if table is not None else None


# --- scans ----------------------------------------------------------------------------------------------------------


def _of_scan(subject: Subject, node: Node) -> Dependent | None:
    table = _table(subject, node)
    given = _given(node, table)
    if given is None or (table is not None and _is_old(table)):
        return None
    columns = tuple(dict.fromkeys(a.left.column.column for a, *_ in given if a.left.column is not None))
    if len(columns) < 2 or _starts_below(node) or (table is not None and _is_impossible(node, given, table)):
        return None
    kinds = {"mcv"} if any(c.kind in _NULLS for same in given for c in same) else {"mcv", "dependencies"}
    return _dependent(subject, node, node, table, columns, kinds)


def _given(node: Node, table: Table | None) -> list[tuple[Comparison, ...]] | None:
    """Return what gives columns their values, alternatives together; None where a condition is of another kind."""
    texts = (node.index_condition, node.recheck_condition, node.filter, *_predicates(node, table))
    found: dict[str, tuple[Comparison, ...]] = {}
    for condition in (c for t in texts for c in _parts(t)):
        given = _fixed(condition, node, table)
        if not given:
            return None
        found.setdefault(sqltext.canonical(condition.text), given)
    return list(found.values())


def _predicates(node: Node, table: Table | None) -> Iterator[str | None]:
    """Yield the predicates of partial indexes that are read: the plan leaves out what they imply."""
    names = {n.index for n in (node, *node.walk()) if n.index}
    indexes: Sequence[Index] = table.indexes if table is not None else ()
    yield from (i.predicate for i in indexes if i.name in names)


def _fixed(condition: Condition, node: Node, table: Table | None) -> tuple[Comparison, ...]:
    """Return the comparisons of one column with fixed values that a condition is: `a = 1 OR a = 2` is two."""
    parts = [p if isinstance(p, Comparison) else None for p in disjuncts(condition)]
    sides = [_on_column(p, node, table) for p in parts if p is not None]
    known = [s for s in sides if s is not None]
    is_one = len(known) == len(parts) and len({s.left.column for s in known}) == 1
    return tuple(known) if is_one else ()


def _on_column(comparison: Comparison, node: Node, table: Table | None) -> Comparison | None:
    turned = comparison.about(node.alias)
    if turned is None or not _is_plain(turned.left, table):
        return None
    if turned.kind in _NULLS or turned.kind is ComparisonKind.BOOLEAN:
        return turned
    if turned.negated:
        return None
    is_list = turned.kind is ComparisonKind.ANY_EQUALITY and turned.quantifier != "all"
    if turned.kind is not ComparisonKind.EQUALITY and not is_list:
        return None
    return turned if turned.right is not None and turned.right.is_fixed else None


def _is_plain(operand: Operand, table: Table | None) -> bool:
    """Whether it is a column of which statistics can be made; without its type, a cast to text is taken for a label."""
    if operand.column is None or operand.column.column in _SYSTEM:
        return False
    column = table.column(operand.column.column) if table is not None else None
    return relabels(column.type if column is not None else "character varying", operand.casts)


def _starts_below(node: Node) -> bool:
    """Whether a bitmap of one column is off by itself: then that column's own statistics are wrong."""
    bitmaps = [n for n in node.walk() if n.kind == "Bitmap Index Scan" and n.actual is not None and has_estimate(n)]
    asked = sum(len(_parts(n.index_condition)) for n in bitmaps)
    if len(_parts(node.recheck_condition)) > asked:  # the predicate of a partial index, which counts in its estimate
        return False
    return any(len(_parts(n.index_condition)) == 1 and error_of(n) >= INPUT_OFF for n in bitmaps)


def _parts(text: str | None) -> tuple[Condition, ...]:
    return conjuncts(sqltext.condition(text)) if text else ()


def _is_old(table: Table) -> bool:
    """Whether the table was never analyzed, or so much of it changed that the rule on stale statistics speaks."""
    return table.tuples < 0 or table.activity.modified_since_analyze >= 0.5 * max(table.rows, 1.0)


def _is_impossible(node: Node, given: Sequence[tuple[Comparison, ...]], table: Table) -> bool:
    """Whether more was found than the strictest condition alone may keep: then its own statistics are wrong."""
    shares = [share_of(same, table) for same in given]
    known = [s for s in shares if s is not None]
    if len(known) < len(shares) or node.actual is None:
        return True
    looked_at = node.actual.rows + (node.actual.rows_removed_by_filter or 0.0)
    most = min(s.most for s in known) * max(table.rows, looked_at)
    return node.actual.rows > TOLERANCE * max(most, 1.0) or error_of(node) > TOLERANCE * most_times(known)


# --- groups ---------------------------------------------------------------------------------------------------------


def _of_groups(subject: Subject, node: Node) -> Dependent | None:
    scans = _scans(node)
    names = _grouped(subject, node)
    if not scans or len(names) < 2 or node.raw.get("Partial Mode") == "Partial" or not all(map(_reads_most, scans)):
        return None
    scan = max(scans, key=lambda n: n.actual.rows if n.actual is not None else 0.0)
    table = _table(subject, scan)
    root = partition_root(table, subject.profile) if table is not None else None
    relations = {n.relation if root is None else _root(subject, n) for n in scans}
    is_union = len({n.relation for n in scans}) < len(scans)  # the branches' values are added up, not multiplied
    if len(relations) != 1 or is_union or not _is_of(names, scans, root) or (root is not None and _is_old(root)):
        return None
    columns = tuple(c.column for c in names)
    if not _is_misjudged(subject, node, scans) or (root is not None and _is_from_singles(node, columns, root)):
        return None
    return _dependent(subject, node, scan, root, columns, {"ndistinct"}, groups=True)


def _scans(node: Node) -> list[Node]:
    """Return the scans whose rows are grouped, nothing where something else stands between them."""
    found: list[Node] = []
    for below in node.inputs:
        if below.kind in SCANS and below.relation is not None:
            found.append(below)
            continue
        is_part = below.kind in _GROUPINGS and below.raw.get("Partial Mode") == "Partial"
        parts = _scans(below) if is_part or below.kind in _HANDS_ON else []
        if not parts:
            return []
        found.extend(parts)
    return found


def _grouped(subject: Subject, node: Node) -> tuple[sqltext.ColumnName, ...]:
    """Return the columns that are grouped by, nothing where one is an expression or groups are left out."""
    keys = node.group_key
    if node.kind == "Unique":
        text = subject.query.text
        is_distinct = subject.facts.is_distinct and not re.search(r"\bdistinct\s+on\b", text, re.IGNORECASE)
        keys = node.inputs[0].sort_key if is_distinct and node.inputs else ()
    sets = node.raw.get("Grouping Sets") or [{"Group Key": []}]  # a plan in text form has one for a plain GROUP BY too
    if node.filter or sets not in ([{"Group Key": list(keys)}], [{"Group Key": []}]):
        return ()
    columns = [operand.column if (operand := sqltext.sort_key(k).operand) is not None else None for k in keys]
    plain = dict.fromkeys(c for c in columns if c is not None and c.column not in _SYSTEM)
    return tuple(plain) if all(columns) else ()


def _reads_most(scan: Node) -> bool:
    """Whether a scan keeps half of its rows or more: a condition that keeps few may leave out groups."""
    actual = scan.actual
    if actual is None or scan.index_condition or scan.recheck_condition or scan.kind == "Sample Scan":
        return False
    return (actual.rows_removed_by_filter or 0.0) <= actual.rows


def _root(subject: Subject, scan: Node) -> RelationName | None:
    table = table_of(scan, subject.profile)
    return partition_root(table, subject.profile).relation if table is not None else None


def _is_of(names: Sequence[sqltext.ColumnName], scans: Sequence[Node], root: Table | None) -> bool:
    aliases = {a for s in scans for a in (s.alias, s.relation.name if s.relation else None)}
    if len(scans) > 1 and root is not None:  # a partitioned table's own alias stands nowhere in the plan
        return len({n.alias for n in names}) == 1 and all(root.column(n.column) for n in names)
    return all(n.alias is None or n.alias in aliases for n in names)


def _is_misjudged(subject: Subject, node: Node, scans: Sequence[Node]) -> bool:
    """Whether the groups are off while the rows are not, and in a way that the planner's assumption explains."""
    rows = [error_of(s) for s in scans if has_estimate(s)]
    if len(rows) < len(scans) or any(max(e, 1 / e) >= INPUT_OFF for e in rows):
        return False
    if error_of(node) < 1:
        return not may_stop_early(subject, node)
    expected = sum(estimate(s) for s in scans) * MOST_GROUPS
    return math.isclose(estimate(node), expected, rel_tol=0.05)


def _is_from_singles(node: Node, columns: Sequence[str], table: Table) -> bool:
    """Whether one column alone has fewer values by statistics than were found, or more: then those are wrong."""
    assert node.actual is not None
    distinct = [distinct_of(table, c) for c in columns]
    known = [d for d in distinct if d is not None]
    if len(known) < len(distinct):
        return True
    return max(known) > TOLERANCE * node.actual.rows or node.actual.rows > TOLERANCE * math.prod(known)


# --- statistics that are there --------------------------------------------------------------------------------------


def _dependent(
    subject: Subject,
    node: Node,
    scan: Node,
    table: Table | None,
    columns: tuple[str, ...],
    kinds: set[str],
    *,
    groups: bool = False,
) -> Dependent | None:
    """Return the node with its columns, None where statistics of such a kind cover them already."""
    there = [(s, _columns(s) & set(columns)) for s in (table.statistics if table else ()) if kinds & set(s.kinds)]
    if scan.relation is None or any(covered == set(columns) for _, covered in there):
        return None
    relation = table.relation if table is not None else scan.relation
    return Dependent(
        node=node,
        relation=relation,
        root=partition_root(table, subject.profile).relation if table is not None else relation,
        columns=columns,
        groups=groups,
        could_look=table is not None,
        partly=next((s.name for s, covered in there if len(covered) > 1), ""),
    )


def _columns(statistics: ExtendedStatistics) -> set[str]:
    return set(statistics.keys[: len(statistics.keys) - statistics.expression_count])
