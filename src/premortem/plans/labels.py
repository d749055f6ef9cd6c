"""Reads a node's heading in EXPLAIN's text form into the properties that the JSON form has for it.

`Parallel Hash Right Anti Join` and `Index Scan Backward using i on s.t a` are put together from several properties
(PostgreSQL 18, `src/backend/commands/explain.c`, ExplainNode and ExplainTargetRel); here they are taken apart again.
"""

from __future__ import annotations

import re

from premortem.model import Json

NAME = r'(?:"(?:[^"]|"")*"|[^\s".]+)'
_JOIN = re.compile(
    r"(Nested Loop|Hash|Merge)(?: ((?:Right )?(?:Semi|Anti)|Left|Right|Full|Unique (?:Outer|Inner)))?( Join)?\Z"
)
_AGGREGATE = re.compile(r"(Group|Hash|Mixed)?Aggregate\Z")
_SET_OPERATION = re.compile(r"(Hash)?SetOp(?: (.+))?\Z")
_MODIFICATION = re.compile(r"(Foreign )?(Insert|Update|Delete|Merge)\Z")
_CUSTOM = re.compile(r"Custom Scan \((.*)\)\Z")
_TARGETED = re.compile(
    rf"(?P<kind>.+?)(?P<backward> Backward)?(?: using (?P<index>{NAME}))?"
    rf"(?: on (?P<target>{NAME}(?:\.{NAME})?(?: {NAME})?))?\Z"
)
_TARGET = re.compile(rf"(?:(?P<schema>{NAME})\.)?(?P<name>{NAME})(?: (?P<alias>{NAME}))?\Z")
_STRATEGIES = {None: "Plain", "Group": "Sorted", "Hash": "Hashed", "Mixed": "Mixed"}
#: What the name after `on` is, where it is no relation.
_NAMED = {
    "Function Scan": "Function Name",
    "Table Function Scan": "Table Function Name",
    "CTE Scan": "CTE Name",
    "WorkTable Scan": "CTE Name",
    "Named Tuplestore Scan": "Tuplestore Name",
}
_ALIAS_ONLY = frozenset({"Subquery Scan", "Values Scan"})
_DIRECTED = frozenset({"Index Scan", "Index Only Scan"})
#: Every node that prints nothing but its name.
_PLAIN = frozenset(
    "Append|MergeAppend|Merge Append|Recursive Union|BitmapAnd|BitmapOr|Gather|Gather Merge|Materialize|Memoize|Sort|"
    "Incremental Sort|Group|WindowAgg|Unique|LockRows|Limit|Hash|Result|ProjectSet|Foreign Scan".split("|")
)
_SCAN = re.compile(
    r"(?:Seq|Sample|Index|Index Only|Bitmap Index|Bitmap Heap|Tid|Tid Range|Subquery|Function|Table "
    r"Function|Values|CTE|Named Tuplestore|WorkTable|Foreign|Custom) Scan\b"
)


def properties(label: str) -> dict[str, Json]:
    """Return the JSON properties that a heading stands for; an unknown one becomes the kind as it is.

    >>> properties('Hash Right Anti Join')
    {'Parallel Aware': False, 'Node Type': 'Hash Join', 'Join Type': 'Right Anti'}
    >>> properties('Parallel Seq Scan on shop."Order" o')['Relation Name']
    'Order'
    """
    found: dict[str, Json] = {}
    rest = label
    for prefix, name in (("Parallel ", "Parallel Aware"), ("Async ", "Async Capable")):
        found |= {name: True} if rest.startswith(prefix) else ({name: False} if name == "Parallel Aware" else {})
        rest = rest.removeprefix(prefix)
    return found | (_joined(rest) or _aggregated(rest) or _set_operation(rest) or _targeted(rest))


def is_known(label: str) -> bool:
    """Whether a heading is one that PostgreSQL prints."""
    rest = label.removeprefix("Parallel ").removeprefix("Async ")
    on = re.match(r"(?:Foreign )?(?:Insert|Update|Delete|Merge) on ", rest)
    return bool(on or _SCAN.match(rest) or rest in _PLAIN or _joined(rest) or _aggregated(rest) or _set_operation(rest))


def unquoted(name: str) -> str:
    """Return an identifier as the catalog has it.

    >>> unquoted('"Or""der"'), unquoted("orders")
    ('Or"der', 'orders')
    """
    return name[1:-1].replace('""', '"') if len(name) > 1 and name[0] == name[-1] == '"' else name


def _joined(label: str) -> dict[str, Json] | None:
    match = _JOIN.match(label)
    if match is None or (match[1] != "Nested Loop" and match[3] is None):
        return None
    kind = match[1] if match[1] == "Nested Loop" else f"{match[1]} Join"
    return {"Node Type": kind, "Join Type": match[2] or "Inner"}


def _aggregated(label: str) -> dict[str, Json] | None:
    mode, _, rest = label.rpartition(" ")
    match = _AGGREGATE.match(rest)
    if match is None or mode not in ("", "Partial", "Finalize"):
        return None
    return {"Node Type": "Aggregate", "Strategy": _STRATEGIES[match[1]], "Partial Mode": mode or "Simple"}


def _set_operation(label: str) -> dict[str, Json] | None:
    match = _SET_OPERATION.match(label)
    if match is None:
        return None
    return {"Node Type": "SetOp", "Strategy": "Hashed" if match[1] else "Sorted", "Command": match[2]}


def _targeted(label: str) -> dict[str, Json]:
    match = _TARGETED.match(label)
    if match is None:
        return {"Node Type": label}
    found = _kind(match["kind"])
    kind = str(found["Node Type"])
    if kind in _DIRECTED:
        found["Scan Direction"] = "Backward" if match["backward"] else "Forward"
    elif match["backward"]:
        found["Node Type"] = kind + match["backward"]
    if match["index"]:
        found["Index Name"] = unquoted(match["index"])
    return found | _target(kind, match["target"])


def _kind(label: str) -> dict[str, Json]:
    if match := _MODIFICATION.match(label):
        return {"Node Type": "Foreign Scan" if match[1] else "ModifyTable", "Operation": match[2]}
    if match := _CUSTOM.match(label):
        return {"Node Type": "Custom Scan", "Custom Plan Provider": match[1]}
    return {"Node Type": label}


def _target(kind: str, target: str | None) -> dict[str, Json]:
    match = _TARGET.match(target) if target else None
    if match is None:
        return {}
    name = unquoted(match["name"])
    if kind == "Bitmap Index Scan":
        return {"Index Name": name}
    if kind in _ALIAS_ONLY:
        return {"Alias": name}
    found: dict[str, Json] = {_NAMED.get(kind, "Relation Name"): name}
    found |= {"Schema": unquoted(match["schema"])} if match["schema"] else {}
    return found | {"Alias": unquoted(match["alias"]) if match["alias"] else name}
