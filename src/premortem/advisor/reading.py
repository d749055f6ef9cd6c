"""What the plans of a query ask of each relation: conditions, ORs, orders, and the columns it needs.

```
wants
├── _relations     alias -> table to index; the partitions of a scan count as their partitioned parent
├── _conditions    filters, index, recheck and join conditions of every node -> terms and arms
├── _orders        sort and group keys, MIN/MAX, DISTINCT, and the order that an index scan gives today
└── _outputs       the columns that anything above the scan mentions
```

A plan is read rather than the SQL text: views, row-level security, casts and equivalences are already worked in.  All
parameter sets' plans are read, since one shows as a join condition what another shows as a filter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from premortem import sqltext
from premortem.advisor.conditions import arms, collation_key, operand, terms
from premortem.advisor.constants import bare
from premortem.advisor.partitions import indexed
from premortem.advisor.selectivity import share_of
from premortem.advisor.wants import PINS, Operand, OrderKey, Term, Use, Want
from premortem.model import Node, Plan, Planned, Profile, RelationName, Table

_NO_SCAN = frozenset({"ModifyTable", "Foreign Scan", "Bitmap Index Scan"})
_ORDERED_SCANS = frozenset({"Index Scan", "Index Only Scan"})
#: Nodes whose output columns are computed from many rows, or that make several of one.
_MADE_OF_ROWS = frozenset({"Aggregate", "Group", "WindowAgg", "ProjectSet"})
#: The group keys of each alias whose rows were aggregated.
_Grouped = Mapping[str, frozenset[str]]
_MENTION = re.compile(
    r'(?<![\w"$.])("(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$]*)\.("(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$]*|\*)'
)
_WORD = re.compile(r'"(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$]*')
_EXTREME = re.compile(r"^\(?(?:PARTIAL )?(min|max)\((.*)\)\)?$", re.IGNORECASE | re.DOTALL)


@dataclass(slots=True)
class _Draft:
    """What was found of one relation so far."""

    table: Table
    alias: str
    terms: dict[tuple[object, str], Term] = field(default_factory=dict)
    arms: list[tuple[tuple[Term, ...], ...]] = field(default_factory=list)
    orders: list[tuple[OrderKey, ...]] = field(default_factory=list)
    distances: list[Operand] = field(default_factory=list)
    mentioned: set[str] = field(default_factory=set)
    filtered: set[str] = field(default_factory=set)
    whole_rows: bool = False
    weight: float = 0.0


def wants(planned: Iterable[Planned], profile: Profile) -> tuple[Want, ...]:
    """Return what the plans ask of each relation, the most expensive scans first."""
    drafts: dict[tuple[str, RelationName], _Draft] = {}
    in_order = sorted(planned, key=lambda p: not p.parameters.is_generic)
    has_generic = any(p.parameters.is_generic for p in in_order)
    for one in in_order:
        literal = one.parameters.is_generic or one.parameters.name == "literal" or not has_generic
        _read(one.plan, profile, drafts, literal=literal)
    found = (_finished(draft, has_parameters=has_generic) for draft in drafts.values())
    return tuple(sorted(found, key=lambda w: -w.weight))


def _finished(draft: _Draft, *, has_parameters: bool) -> Want:
    found = [replace(t, share=share_of(t, draft.table)) for t in draft.terms.values()]
    return Want(
        table=draft.table, alias=draft.alias, terms=tuple(found), arms=tuple(dict.fromkeys(draft.arms)),
        orders=tuple(dict.fromkeys(o for o in draft.orders if o)), distances=tuple(dict.fromkeys(draft.distances)),
        outputs=None if draft.whole_rows else frozenset(draft.mentioned), filtered=frozenset(draft.filtered),
        weight=draft.weight, has_parameters=has_parameters,
    )  # fmt: skip


def _read(plan: Plan, profile: Profile, drafts: dict[tuple[str, RelationName], _Draft], *, literal: bool) -> None:
    relations = _relations(plan, profile, drafts)
    for node in plan.walk():
        _conditions(node, relations, profile, literal=literal)
        _orders(node, relations, profile)
    _outputs(plan, relations)


# relations --------------------------------------------------------------------------------------------------


def _relations(plan: Plan, profile: Profile, drafts: dict[tuple[str, RelationName], _Draft]) -> Mapping[str, _Draft]:
    """Return the draft that each alias of the plan stands for."""
    found: dict[str, _Draft] = {}
    modified = {
        n.relation for n in plan.walk() if n.kind == "ModifyTable" and n.operation in ("Update", "Delete", "Merge")
    }
    for node, loops in _with_loops(plan.root, 1.0):
        if node.relation is None or node.alias is None or node.kind in _NO_SCAN:
            continue
        table = indexed(node.relation, profile)
        if table is None:
            continue
        stem = _stem(node, table)
        draft = drafts.setdefault((stem, table.relation), _Draft(profile.with_base_types(table), stem))
        draft.weight = max(draft.weight, min(1.0, node.total_cost * loops / max(plan.total_cost, 0.01)))
        draft.whole_rows |= node.relation in modified
        found[node.alias] = found[stem] = draft
    return found


def _with_loops(node: Node, loops: float) -> Iterator[tuple[Node, float]]:
    """Yield the nodes with how often each runs."""
    yield node, loops
    for child in node.children:
        yield from _with_loops(child, loops * _repeats(node, child))


def _repeats(node: Node, child: Node) -> float:
    if child.parent_relationship == "SubPlan":
        if "hashed" in (node.filter or ""):
            return 1.0
        runs = 1.0 if node.inputs else node.total_cost / max(child.total_cost, 0.01)  # of a scan, before its filter
        return float(max([1.0, runs, *(n.rows for n in node.inputs)]))
    if (
        node.kind == "Nested Loop"
        and child.parent_relationship == "Inner"
        and child.kind not in ("Materialize", "Memoize")
    ):
        outer = next((n for n in node.inputs if n is not child), None)
        return max(1.0, outer.rows if outer else 1.0)
    return 1.0


def _stem(node: Node, table: Table) -> str:
    """Return the alias that the query used: PostgreSQL numbers the aliases of partitions."""
    alias = node.alias or ""
    is_partition = node.relation != table.relation
    return re.sub(r"_\d+$", "", alias) if is_partition else alias


# conditions -------------------------------------------------------------------------------------------------


def _conditions(node: Node, relations: Mapping[str, _Draft], profile: Profile, *, literal: bool) -> None:
    texts = [node.join_filter, node.hash_condition, node.merge_condition]
    grouped = _grouped((node,))
    if node.filter:
        _condition(sqltext.condition(node.filter), _without_missing(node, relations), grouped, literal=literal)
    if node.kind != "Bitmap Index Scan":  # under an OR it is one arm only; the heap scan's recheck says all
        texts += [node.index_condition, node.recheck_condition]
    for text in texts:
        if text:
            _condition(sqltext.condition(text), relations, grouped, literal=literal)
    if node.order_by:
        _distance(sqltext.operand(node.order_by), relations)
    _implied(node, relations, profile)


def _without_missing(node: Node, relations: Mapping[str, _Draft]) -> Mapping[str, _Draft]:
    """Return the relations whose own rows a node's filter is about: an outer join's other side may be missing there."""
    sides = {"Left": node.inputs[1:], "Right": node.inputs[:1], "Full": node.inputs}.get(node.join_type or "", ())
    missing = {n.alias for side in sides for n in side.walk()}
    return {alias: draft for alias, draft in relations.items() if alias not in missing} if missing else relations


def _implied(node: Node, relations: Mapping[str, _Draft], profile: Profile) -> None:
    """Add the predicate of the partial index that is read: the plan does not repeat what it implies."""
    draft = relations.get(node.alias or "")
    table = profile.find_table(node.relation.name, node.relation.schema or None) if node.relation else None
    index = next((i for i in table.indexes if i.name == node.index), None) if table else None
    if draft is None or index is None or index.predicate is None:
        return
    for term in terms(sqltext.condition(index.predicate), None, draft.table):
        _keep(draft, replace(term, constant=True))


def _condition(
    condition: sqltext.Condition, relations: Mapping[str, _Draft], grouped: _Grouped, *, literal: bool
) -> None:
    for alias in _aliases(condition):
        draft = relations.get(alias)
        if draft is None:
            continue
        for term in terms(condition, alias, draft.table):
            if _is_of_rows(term.operand, grouped.get(alias)):
                _keep(draft, _settled(term, relations, literal=literal))
        if alias in grouped:
            continue
        draft.arms.extend(
            tuple(tuple(_settled(t, relations, literal=literal) for t in arm) for arm in found)
            for found in arms(condition, alias, draft.table)
        )


def _settled(term: Term, relations: Mapping[str, _Draft], *, literal: bool) -> Term:
    """Return the term with its partner's own alias, and constant only where the query's text has the value."""
    known = relations.get(term.partner or "")
    partner = known.alias if known is not None else term.partner
    return replace(term, partner=partner, constant=term.constant and literal)


def _keep(draft: _Draft, term: Term) -> None:
    """Add a condition; one that is known from the text as a constant is not repeated with a parameter's value."""
    if term.partner == draft.alias:
        return
    what = (term.operand, term.use, term.operator, term.partner, term.row)
    if not term.constant and any(key[0] == what and key[1] for key in draft.terms):
        return
    draft.terms.setdefault((what, term.text if term.constant else ""), term)


def _aliases(condition: sqltext.Condition) -> tuple[str, ...]:
    names = (c.alias for cmp in sqltext.comparisons(condition) for o in cmp.operands for c in o.columns)
    return tuple(dict.fromkeys(n for n in names if n is not None))


def _distance(side: sqltext.Operand | None, relations: Mapping[str, _Draft]) -> bool:
    """Add a wish for the nearest rows first; False where the key is none."""
    if side is None or not {"<->", "<=>", "<#>"} & set(side.operators) or len(side.columns) != 1:
        return False
    draft = relations.get(side.columns[0].alias or "")
    if draft is not None and draft.table.column(side.columns[0].column) is not None:
        draft.distances.append(Operand(column=side.columns[0].column, columns=(side.columns[0].column,)))
    return True


# orders -----------------------------------------------------------------------------------------------------


def _orders(node: Node, relations: Mapping[str, _Draft], profile: Profile) -> None:
    for keys in (node.sort_key, node.group_key):
        _order(keys, relations, _grouped(node.inputs))
    if node.kind == "Aggregate" and not node.group_key:
        for text in node.output:
            extreme = _EXTREME.match(text)
            if extreme:
                _order((extreme.group(2),), relations, _grouped(node.inputs))
    draft = relations.get(node.alias or "")
    if node.kind in _ORDERED_SCANS and draft is not None:
        _given_order(node, draft, profile)


def _grouped(nodes: Sequence[Node]) -> _Grouped:
    """Return the group keys of each alias whose rows these nodes or nodes below have aggregated."""
    found: dict[str, frozenset[str]] = {}
    for node in nodes:
        for maker in (n for n in node.walk() if n.kind in _MADE_OF_ROWS):
            keys = frozenset(bare(key) for key in maker.group_key)
            found |= {n.alias: keys | found.get(n.alias, keys) for n in maker.walk() if n.alias is not None}
    for maker in (n for node in nodes for n in node.walk() if n.kind == "ProjectSet"):  # its rows are no table's at all
        found |= dict.fromkeys((n.alias for n in maker.walk() if n.alias is not None), frozenset[str]())
    return found


def _is_of_rows(side: Operand, group_keys: frozenset[str] | None) -> bool:
    """Whether an operand is of the relation's own rows: above an aggregate, an expression is, if it is a group key."""
    return side.expression is None or group_keys is None or bare(side.expression) in group_keys


def _order(keys: tuple[str, ...], relations: Mapping[str, _Draft], grouped: _Grouped) -> None:
    """Add the leading keys that one relation could give sorted."""
    parsed = [sqltext.sort_key(key) for key in keys]
    if not parsed or _distance(parsed[0].operand, relations):
        return
    draft = _named(_alias_of(parsed[0]), relations)
    if draft is None:
        return
    found: list[OrderKey] = []
    for key in parsed:
        if key.operand is None or not key.operand.columns or _named(_alias_of(key), relations) is not draft:
            break
        side = _collated(operand(key.operand, draft.table), key.collation, draft.table)
        if not _is_of_rows(side, grouped.get(_alias_of(key) or "")) or not _is_stored(side, draft.table):
            break
        found.append(OrderKey(operand=side, descending=key.descending, nulls_first=key.nulls_first))
    if found:
        draft.orders.append(tuple(found))


def _is_stored(side: Operand, table: Table) -> bool:
    """Whether all of an operand's columns are the table's own: an index holds no row as a whole, no system column."""
    return all(table.column(name) is not None for name in side.columns)


def _collated(side: Operand, collation: str | None, table: Table) -> Operand:
    column = table.column(side.column) if side.column else None
    return replace(side, collation=collation_key(collation, column.collation if column else None))


def _named(alias: str | None, relations: Mapping[str, _Draft]) -> _Draft | None:
    """Return the relation of that alias; EXPLAIN leaves it out of output lists where there is one relation only."""
    if alias is not None:
        return relations.get(alias)
    every = {id(d): d for d in relations.values()}
    return next(iter(every.values())) if len(every) == 1 else None


def _alias_of(key: sqltext.SortKey) -> str | None:
    return key.operand.alias if key.operand is not None else None


def _given_order(node: Node, draft: _Draft, profile: Profile) -> None:
    """Add the order that today's index scan gives: the query may rely on it, and no Sort shows it."""
    table = profile.find_table(node.relation.name, node.relation.schema or None) if node.relation else None
    index = next((i for i in table.indexes if i.name == node.index), None) if table else None
    if index is None or index.method != "btree" or any(k.column is None for k in index.keys):
        return
    backward = node.scan_direction == "Backward"
    keys = tuple(
        OrderKey(
            operand=Operand(column=k.column, columns=(k.column or "",)),
            descending=k.descending != backward, nulls_first=k.nulls_first != backward,
        )
        for k in index.keys
    )  # fmt: skip
    pinned = {t.operand for t in draft.terms.values() if t.use in PINS}
    wanted = tuple(k for k in keys if k.operand not in pinned)
    if wanted and (node.filter or not node.index_condition):
        draft.orders.append(wanted[:1])
        draft.orders.append(wanted)


# outputs ----------------------------------------------------------------------------------------------------


def _outputs(plan: Plan, relations: Mapping[str, _Draft]) -> None:
    """Collect the columns that are needed: what scans fetch only because they fetch whole rows does not count."""
    for node in plan.walk():
        draft = relations.get(node.alias or "") if node.relation is not None else None
        exact = draft is None or node is plan.root or len(node.output) < len(draft.table.columns)
        if node.kind in ("LockRows", "ModifyTable"):
            _whole_rows(relations)
        for text in (*(node.output if exact else ()), *node.sort_key, *node.group_key):
            _mentions(text, relations, filters=False)
        for text in _condition_texts(node):
            _mentions(text, relations, filters=True)


def _condition_texts(node: Node) -> Iterator[str]:
    found = (node.filter, node.join_filter, node.hash_condition, node.merge_condition, node.index_condition)
    return (text for text in found if text)


def _whole_rows(relations: Mapping[str, _Draft]) -> None:
    for draft in relations.values():
        draft.whole_rows = True


def _mentions(text: str, relations: Mapping[str, _Draft], *, filters: bool) -> None:
    only = _named(None, relations)
    if only is not None:
        _bare_mentions(text, only, filters=filters)
    for alias, column in _MENTION.findall(text):
        draft = relations.get(_unquoted(alias))
        if draft is None:
            continue
        if column == "*" or draft.table.column(_unquoted(column)) is None:
            draft.whole_rows = True
        else:
            (draft.filtered if filters else draft.mentioned).add(_unquoted(column))


def _bare_mentions(text: str, draft: _Draft, *, filters: bool) -> None:
    """Collect columns named without an alias; a name that is also a function's or a word of a constant does no harm."""
    for name in _WORD.findall(text):
        if draft.table.column(_unquoted(name)) is not None:
            (draft.filtered if filters else draft.mentioned).add(_unquoted(name))


def _unquoted(identifier: str) -> str:
    return identifier[1:-1].replace('""', '"') if identifier.startswith('"') else identifier


def terms_of(plan: Plan, profile: Profile, *uses: Use, arms: bool = False) -> tuple[tuple[Term, Table], ...]:
    """Return the conditions of these kinds in one parameter set's plan, those in an OR only where `arms` says so."""
    drafts: dict[tuple[str, RelationName], _Draft] = {}
    _read(plan, profile, drafts, literal=True)
    found = [(t, d.table) for d in drafts.values() for t in (_every_term(d) if arms else d.terms.values())]
    return tuple((t, table) for t, table in found if t.use in uses)


def _every_term(draft: _Draft) -> Iterator[Term]:
    yield from draft.terms.values()
    for arm in (a for arms_of in draft.arms for a in arms_of):
        yield from arm
