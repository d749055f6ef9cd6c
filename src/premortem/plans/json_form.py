"""Reads EXPLAIN's JSON form, from any version and however it was copied.

Accepted are the list that EXPLAIN prints, one object of it, a bare node (as `auto_explain` or other programs store it),
and the text of any of these with psql's frame around it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import cast

from premortem.errors import InputError
from premortem.model import Json, Plan, Trigger
from premortem.plans.nodes import node, number, objects, text

HINT = "paste the output of EXPLAIN (FORMAT JSON) or of plain EXPLAIN, with its indentation"
_FRAME = re.compile(r"^\s*\|?|\s*[+|↵]*\s*$")


def parse_json(source: str | Sequence[object] | Mapping[str, object]) -> Plan:
    """Return the plan that EXPLAIN (FORMAT JSON) printed, given as text or as the value it decodes to.

    Raises InputError where it holds no plan.

    >>> parse_json('[{"Plan": {"Node Type": "Result", "Total Cost": 0.01}}]').root.kind
    'Result'
    """
    value = _decoded(source) if isinstance(source, str) else cast(Json, source)
    explained = _explained(value)
    root = explained.get("Plan", explained)
    if not isinstance(root, dict) or "Node Type" not in root:
        raise InputError("this JSON is no EXPLAIN plan: it has no Node Type", hint=HINT)
    try:
        return plan(explained, root)
    except RecursionError:
        raise InputError("this plan is nested too deeply to be read", hint=HINT) from None


def plan(explained: Mapping[str, Json], root: Mapping[str, Json]) -> Plan:
    """Return the plan of a root node and of what EXPLAIN says beside it."""
    settings = explained.get("Settings")
    return Plan(
        root=node(root),
        settings=MappingProxyType({k: str(v) for k, v in settings.items()} if isinstance(settings, dict) else {}),
        planning_ms=number(explained, "Planning Time"),
        execution_ms=number(explained, "Execution Time"),
        triggers=tuple(_trigger(t) for t in objects(explained, "Triggers")),
        jit=bool(explained.get("JIT")),
    )


def _trigger(properties: Mapping[str, Json]) -> Trigger:
    constraint = text(properties, "Constraint Name")
    return Trigger(
        name=text(properties, "Trigger Name") or constraint or "",
        constraint=constraint,
        relation=text(properties, "Relation"),
        time_ms=number(properties, "Time"),
        calls=number(properties, "Calls") or 0.0,
    )


def _explained(value: Json) -> Mapping[str, Json]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = value[0] if value else None
    if not isinstance(value, Mapping):
        raise InputError("this JSON is no EXPLAIN plan", hint=HINT)
    return value


def _decoded(source: str) -> Json:
    for attempt in (source, _unframed(source)):
        try:
            return _first_value(attempt)
        except ValueError:
            continue
        except RecursionError:
            raise InputError("this JSON is nested too deeply to be read", hint=HINT) from None
    raise InputError("this is no JSON that can be read as a plan", hint=HINT)


def _first_value(source: str) -> Json:
    """Return the first JSON array or object of a text, whatever stands before and after it."""
    start = min((at for at in (source.find("["), source.find("{")) if at >= 0), default=-1)
    if start < 0:
        raise ValueError
    decoder = json.JSONDecoder(parse_constant=lambda name: math.inf if name == "Infinity" else None)
    value, _ = decoder.raw_decode(source[start:])
    return cast(Json, value)


def _unframed(source: str) -> str:
    return "\n".join(_FRAME.sub("", line) for line in source.splitlines())
