"""An index that a plan's conditions suggest, where there is no planner to ask: advice, and nothing more.

Equalities come first, then the range or the order that the query wants, as every B-tree wants it; which of several
equalities goes first is left as the candidates' usual order has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from premortem.advisor.existing import same_index
from premortem.advisor.proposing import proposals
from premortem.advisor.reading import wants
from premortem.model import IndexCandidate, Node, Plan, Planned, Profile, Table, quoted

#: A string, a cast's type or a qualified name, none of which are looked into; or a name that may be a column.
_TOKEN = re.compile(
    r"""'(?:[^']|'')*' | ::\s*"?[\w ]+"?(?:\[\])? | [\w"$]+\.[\w"$]+"""
    r"""| (?P<name>"(?:[^"]|"")+" | [A-Za-z_]\w*)(?!\s*\()""",
    re.VERBOSE,
)


def untried(planned: Planned, table: Table, profile: Profile) -> IndexCandidate | None:
    """Return the first candidate for a table, None where its conditions suggest none that is not there already."""
    plan = replace(planned, plan=_qualified(planned.plan, profile))
    for want in wants((plan,), profile):
        if want.table.relation != table.relation:
            continue
        groups = (group for group in proposals(want, profile) if len(group) == 1)
        return next((c for (c,) in groups if c.predicate is None and same_index(c, want.table) is None), None)
    return None


def _qualified(plan: Plan, profile: Profile) -> Plan:
    """Return the plan with the relation's alias before each column, as VERBOSE has it.

    Without VERBOSE PostgreSQL leaves aliases out where a statement is about one relation.
    """
    aliases = {n.alias for n in plan.walk() if n.relation is not None and n.alias is not None}
    tables = [t for n in plan.walk() if n.relation and (t := profile.find_table(n.relation.name, n.relation.schema))]
    if len(aliases) != 1 or not tables:
        return plan
    (alias,) = aliases
    columns = {c.name for t in tables for c in t.columns}

    def qualify(text: str) -> str:
        return _TOKEN.sub(lambda m: _name(m, columns, quoted(alias)), text)

    return replace(plan, root=_rewritten(plan.root, qualify))


def _name(match: re.Match[str], columns: set[str], alias: str) -> str:
    name = match["name"]
    if name is None:
        return match[0]
    bare = name[1:-1].replace('""', '"') if name.startswith('"') else name
    return f"{alias}.{name}" if bare in columns else name


def _rewritten(node: Node, change: Callable[[str], str]) -> Node:
    def of(text: str | None) -> str | None:
        return change(text) if text is not None else None

    return replace(
        node,
        filter=of(node.filter),
        index_condition=of(node.index_condition),
        recheck_condition=of(node.recheck_condition),
        sort_key=tuple(map(change, node.sort_key)),
        presorted_key=tuple(map(change, node.presorted_key)),
        group_key=tuple(map(change, node.group_key)),
        children=tuple(_rewritten(child, change) for child in node.children),
    )
