"""Reads the values of EXPLAIN's text form: figures in parentheses, lists, block counters, and what it leaves out."""

from __future__ import annotations

import re

from premortem.model import Json
from premortem.plans import measured

APART = ("InitPlan", "SubPlan")
#: Properties of an aggregate that come once per grouping set.
REPEATED = ("Group Key", "Hash Key", "Sort Key")
_LISTED = frozenset({"Sort Key", "Presorted Key", "Group Key", "Output", "Conflict Arbiter Indexes"})
_FLAGS = frozenset({"Inner Unique", "Single Copy", "Disabled"})
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\Z")
_NUMERIC = re.compile(r"Rows Removed by .*|Workers (?:Planned|Launched)|Heap Fetches|Subplans Removed|Index Searches")
_FIGURE = r"\d+(?:\.\d+)?(?:e[-+]?\d+)?"
_COST = re.compile(
    rf"\(cost=(?P<startup>-?{_FIGURE})\.\.(?P<total>-?{_FIGURE}|inf|Infinity) rows=(?P<rows>{_FIGURE})"
    r" width=(?P<width>\d+)\)"
)
_ACTUAL = re.compile(
    rf"\(actual(?: time=(?P<startup>{_FIGURE})\.\.(?P<total>{_FIGURE}))?"
    rf" rows=(?P<rows>{_FIGURE}) loops=(?P<loops>{_FIGURE})\)"
)
_JOINS = frozenset({"Nested Loop", "Hash Join", "Merge Join", "Recursive Union", "SetOp"})
_MEMBERS = frozenset({"Append", "Merge Append", "MergeAppend", "BitmapAnd", "BitmapOr"})
_BLOCK_NAMES = tuple(
    f"{kind} {what} Blocks"
    for kind, counted in (
        ("Shared", ("Hit", "Read", "Dirtied", "Written")),
        ("Local", ("Hit", "Read", "Dirtied", "Written")),
        ("Temp", ("Read", "Written")),
    )
    for what in counted
)
#: What the text form leaves out when it is zero, and the property that makes the JSON form print it all the same.
_ZEROS = {
    "Filter": "Rows Removed by Filter",
    "Join Filter": "Rows Removed by Join Filter",
    "Index Cond": "Rows Removed by Index Recheck",
    "Recheck Cond": "Rows Removed by Index Recheck",
}


def figures(text: str) -> dict[str, Json]:
    """Return the costs and measurements in a node's parentheses.

    >>> figures("(cost=0.29..8.31 rows=1 width=4)")["Total Cost"], figures("(never executed)")
    (8.31, {'Actual Rows': 0.0, 'Actual Loops': 0.0})
    """
    found: dict[str, Json] = {}
    if cost := _COST.search(text):
        found |= {"Startup Cost": float(cost["startup"]), "Total Cost": float(cost["total"])}
        found |= {"Plan Rows": float(cost["rows"]), "Plan Width": int(cost["width"])}
    if actual := _ACTUAL.search(text):
        if actual["startup"]:
            found |= {"Actual Startup Time": float(actual["startup"]), "Actual Total Time": float(actual["total"])}
        found |= {"Actual Rows": float(actual["rows"]), "Actual Loops": float(actual["loops"])}
    elif "never executed" in text:
        found |= {"Actual Rows": 0.0, "Actual Loops": 0.0}
    return found


def relationship(parent: str, fed: int) -> str:
    """Return how a node feeds its parent, which has `fed` inputs already."""
    if parent in _JOINS:
        return "Inner" if fed else "Outer"
    if parent in _MEMBERS:
        return "Member"
    return "Subquery" if parent == "Subquery Scan" else "Outer"


def completed(root: dict[str, Json]) -> dict[str, Json]:
    """Return the tree with typed values, and with the zeros that the text form does not print."""
    nodes = list(_walk(root))
    timed = any("Actual Total Time" in n for n in nodes)
    counted = any("Buffers" in n for n in nodes)
    verbose = any("Output" in n for n in nodes)
    for node in nodes:
        _type(node)
        if "Actual Loops" in node:
            _fill(node, timed=timed, counted=counted)
        if verbose and "Join Type" in node:
            node.setdefault("Inner Unique", False)
    return root


def _walk(properties: dict[str, Json]) -> list[dict[str, Json]]:
    found, waiting = [], [properties]
    while waiting:
        node = waiting.pop()
        found.append(node)
        plans = node.get("Plans")
        waiting += [p for p in plans if isinstance(p, dict)] if isinstance(plans, list) else []
    return found


def _type(node: dict[str, Json]) -> None:
    for name, value in list(node.items()):
        if isinstance(value, str):
            node[name] = _typed(name, value)
            node.update(measured.taken_apart(name, value))
    lines = node.get("Workers")
    if isinstance(lines, list):
        node["Workers"] = measured.workers([line for line in lines if isinstance(line, str)])
    sets = node.get("Grouping Sets")
    if isinstance(sets, list):
        node["Grouping Sets"] = [_grouping_set(s) for s in sets if isinstance(s, dict)]


def _grouping_set(keys: dict[str, Json]) -> Json:
    return {name: [key for key in split(str(value)) if key != "()"] for name, value in keys.items()}


def _typed(name: str, value: str) -> Json:
    if name in _LISTED:
        return [*split(value)]
    if name in _FLAGS:
        return value == "true"
    return float(value) if _NUMERIC.match(name) and _NUMBER.match(value) else value


def _fill(node: dict[str, Json], *, timed: bool, counted: bool) -> None:
    for reason, name in _ZEROS.items():
        if reason in node and node.get("Node Type") != "Bitmap Index Scan":
            node.setdefault(name, 0.0)
    if timed:
        node.setdefault("Actual Startup Time", 0.0)
        node.setdefault("Actual Total Time", 0.0)
    for name in _BLOCK_NAMES if counted else ():
        node.setdefault(name, 0)


def split(listed: str) -> tuple[str, ...]:
    """Return the members of a comma-separated list of expressions.

    >>> split("a, f(b, 'x, y'), \\"c,d\\" DESC")
    ('a', "f(b, 'x, y')", '"c,d" DESC')
    """
    parts, depth, quote, start = [], 0, "", 0
    for at, character in enumerate(listed):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth == 0 and listed[at + 1 : at + 2] == " ":
            parts.append(listed[start:at])
            start = at + 2
    return (*parts, listed[start:])
