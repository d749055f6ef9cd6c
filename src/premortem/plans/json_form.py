"""Reads EXPLAIN's JSON form, from any version and however it was copied.

Accepted are the list that EXPLAIN prints, one object of it, a bare node (as `auto_explain` or other programs store it),
and the text of any of these with psql's frame around it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import cast

from premortem.errors import InputError
from premortem.model import Json, Plan, Trigger
from premortem.plans.frames import cleaned, unframed
from premortem.plans.hints import HINT
from premortem.plans.nodes import node, number, objects, text, whole

_ATTEMPTS = 200
_DEEP = 6
_LOOK = re.compile(r'["\u201c]Node Type(?:\\?"|""|\u201d)')
#: Where a value that is a plan can begin; `[42]` of a log prefix is none.
_VALUE = re.compile(r'\{\s*"|\[\s*(?:[\[{]|\Z)')
_FRAME = re.compile(r"^\s*\|?|\s*[+|↵]*\s*$")


def parse_json(source: str | Sequence[object] | Mapping[str, object]) -> Plan:
    """Return the plan that EXPLAIN (FORMAT JSON) printed, given as text or as the value it decodes to.

    Raises InputError where it holds no plan.

    >>> parse_json('[{"Plan": {"Node Type": "Result", "Total Cost": 0.01}}]').root.kind
    'Result'
    """
    explained = next(explained_of(source))[1] if isinstance(source, str) else _explained(cast(Json, source))
    root = explained.get("Plan", explained)
    if not isinstance(root, dict) or "Node Type" not in root:
        raise InputError("this JSON is no EXPLAIN plan: it has no Node Type", hint=HINT)
    try:
        return plan(explained, root)
    except RecursionError:
        raise InputError("this plan is nested too deeply to be read", hint=HINT) from None


def plan(explained: Mapping[str, Json], root: Mapping[str, Json]) -> Plan:
    """Return the plan of a root node and of what EXPLAIN says beside it."""
    settings, planning = explained.get("Settings"), explained.get("Planning")
    return Plan(
        root=node(root),
        settings=MappingProxyType({k: str(v) for k, v in settings.items()} if isinstance(settings, dict) else {}),
        planning_ms=number(explained, "Planning Time"),
        execution_ms=number(explained, "Execution Time"),
        triggers=tuple(_trigger(t) for t in objects(explained, "Triggers")),
        jit=bool(explained.get("JIT")),
        jit_ms=_jit_ms(explained.get("JIT")),
        planning_read_blocks=whole(planning, "Shared Read Blocks") if isinstance(planning, dict) else None,
    )


def _jit_ms(jit: Json) -> float | None:
    if not isinstance(jit, dict):
        return None
    timing = jit.get("Timing")
    if isinstance(timing, dict):
        return number(timing, "Total")
    parts = [number(jit, f"{part} Time") for part in ("Generation", "Inlining", "Optimization", "Emission")]  # 11
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


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
    found = next(explained_in(value), None)
    if found is None:
        raise InputError("this JSON is no EXPLAIN plan", hint=HINT)
    return found


def explained_in(value: Json, depth: int = 0) -> Iterator[Mapping[str, Json]]:
    """Yield what a value holds of EXPLAIN's output: lists of it, rows of a client (`{"QUERY PLAN": …}`), bare nodes."""
    if isinstance(value, dict):
        if isinstance(value.get("Plan"), dict) or "Node Type" in value:
            yield value
        elif depth < _DEEP:
            yield from (found for part in value.values() for found in explained_in(part, depth + 1))
    elif isinstance(value, list) and depth < _DEEP:
        yield from (found for part in value for found in explained_in(part, depth + 1))
    elif isinstance(value, str) and '"Node Type"' in value and depth < _DEEP:
        yield from (found for _, found in explained_of(value))


def looks_like(text: str) -> bool:
    """Whether a text holds a plan in JSON form, its quotes doubled or escaped by whatever it came through perhaps."""
    return bool(_LOOK.search(text))


def explained_of(text: str) -> Iterator[tuple[int, Mapping[str, Json]]]:
    """Yield what each JSON plan of a text explains, with the number of the line where it starts.

    Raises InputError where a plan is damaged or cut off.
    """
    for attempt in _attempts(text):
        found = list(_scan(attempt))
        if found:
            yield from found
            return
    raise InputError(f"the JSON of this plan is damaged or cut off{_where(text)}", hint=HINT)


def _attempts(text: str) -> Iterator[str]:
    """Yield the text as it is, and as it may have been before something was done to it."""
    yield text
    lines = "\n".join(unframed(cleaned(text)))
    yield lines
    yield "\n".join(_FRAME.sub("", line) for line in text.splitlines())
    if '""Node Type""' in text:
        yield text.replace('""', '"')
    if '\\"Node Type' in text:
        yield text.replace("\\n", "\n").replace('\\"', '"')
    yield lines.replace("\n", "")


def _scan(text: str) -> Iterator[tuple[int, Mapping[str, Json]]]:
    decoder = json.JSONDecoder(parse_constant=lambda name: math.inf if name == "Infinity" else None, strict=False)
    at = tried = 0
    while (match := _VALUE.search(text, at)) and tried < _ATTEMPTS:
        start = match.start()
        try:
            value, at = decoder.raw_decode(text, start)
        except ValueError:
            at, tried = start + 1, tried + 1
            continue
        except RecursionError:
            raise InputError("this JSON is nested too deeply to be read", hint=HINT) from None
        yield from ((text.count("\n", 0, start) + 1, found) for found in explained_in(cast(Json, value)))


def _where(text: str) -> str:
    """Say where the longest readable piece of the JSON ends."""
    match = _VALUE.search(text)
    if match is None:
        return ""
    try:
        json.JSONDecoder(strict=False).raw_decode(text, match.start())
    except json.JSONDecodeError as error:
        return f": {error.msg} at line {error.lineno}"
    except (ValueError, RecursionError):
        return ""
    return ""
