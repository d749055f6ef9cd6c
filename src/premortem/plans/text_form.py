"""Reads EXPLAIN's text form, which is what people paste, into the same tree as the JSON form.

```
regions             where plans are in a text, and their lines without what stands around them
└── explained       lines → property objects in PostgreSQL's JSON vocabulary, nested by indentation
    ├── labels.properties
    ├── measured.taken_apart
    ├── values.completed    the zeros that the text form leaves out and the JSON form prints
    └── repair.rebuilt      where the indentation was lost
```
A line that is no node, no property and no heading is the continuation of the value above it, and kept there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from premortem.errors import InputError
from premortem.model import Json, Plan
from premortem.plans import labels, measured, repair, values
from premortem.plans.frames import cleaned
from premortem.plans.hints import HINT
from premortem.plans.json_form import plan
from premortem.plans.quotation import unquoted
from premortem.plans.regions import FIGURES, HEADING, PROPERTY, TAIL, TARGET, Region, regions

_ARROW = "->"
_TRIGGER = re.compile(
    r"Trigger(?: (?P<name>(?!for constraint).+?))?(?: for constraint (?P<constraint>.+?))?(?: on (?P<relation>\S+))?:"
    r"(?: time=(?P<time>[\d.]+))? calls=(?P<calls>[\d.]+)"
)
_SETTING = re.compile(r"([\w.]+) = '((?:[^']|'')*)'")
#: A node's name with what is left of a quotation's or a frame's marks: such a node would be judged as nothing.
_NO_KIND = re.compile(r"[^\w(]|.*[>|│#*%~]", re.DOTALL)
_ROOT_COLUMN = -6  # where the root's arrow would stand, if it had one


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What a region holds, in the JSON form's vocabulary; `sound` is False where the tree is a guess."""

    properties: dict[str, Json]
    root: dict[str, Json]
    sound: bool

    @property
    def plan(self) -> Plan:
        """The plan; RecursionError where it is nested too deeply."""
        return plan(self.properties, self.root)


def parse_text(text: str) -> Plan:
    """Return the first plan that EXPLAIN printed in its text form.

    Raises InputError where the text holds none.

    >>> plan = parse_text('''Limit  (cost=0.00..0.04 rows=1 width=4)
    ...   ->  Seq Scan on orders o  (cost=0.00..35.50 rows=2550 width=4)
    ...         Filter: (id > 3)''')
    >>> plan.root.children[0].relation.name, plan.root.children[0].filter
    ('orders', '(id > 3)')
    """
    region = next(regions(unquoted(cleaned(text))), None)
    if region is None:
        raise InputError("this text holds no EXPLAIN plan", hint=HINT)
    try:
        return explained(region).plan
    except RecursionError:
        raise InputError("this plan is nested too deeply to be read", hint=HINT) from None


def explained(region: Region) -> Explained:
    """Return what a region's lines say; RecursionError where they are nested too deeply.

    Raises InputError where what should be a node's name is none.
    """
    reader = _Reader(region.lines)
    _refuse_others(reader.root, region.line)
    root = values.completed(reader.root)
    if repair.is_sound(root):
        return Explained(properties=reader.explained, root=root, sound=True)
    return Explained(properties=reader.explained, root=repair.rebuilt(root) or root, sound=False)


def _refuse_others(node: Json, line: int) -> None:
    if not isinstance(node, dict):
        return
    kind = str(node.get("Node Type", ""))
    if _NO_KIND.match(kind):
        raise InputError(f"the plan on line {line} has a node that is none: {kind[:60]!r}", hint=HINT)
    plans = node.get("Plans")
    for child in plans if isinstance(plans, list) else ():
        _refuse_others(child, line)


class _Reader:
    """Reads lines one after the other into nested property objects."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.explained: dict[str, Json] = {}
        self.root: dict[str, Json] = {}
        self._nodes: list[tuple[int, dict[str, Json]]] = []  # from the root down to the newest, with arrow columns
        self._heading: tuple[int, str] | None = None
        self._open: tuple[dict[str, Json], str] | None = None  # the property that the last line belongs to
        self._tail = ""  # the part below the tree that the last line began
        for at, line in enumerate(lines):
            self._line(_column(line), line.strip(), lines[at + 1].strip() if at + 1 < len(lines) else "")

    def _line(self, column: int, body: str, following: str) -> None:
        if body.startswith(_ARROW) or not self._nodes or _begins(body):
            arrow = body.startswith(_ARROW)
            self._node(column if arrow else column - 4, body.removeprefix(_ARROW).strip())
        elif TAIL.match(body):
            self._after(body)
        elif HEADING.match(body) and (following.startswith(_ARROW) or _begins(following)):
            self._heading = (column, body)
        elif TARGET.match(body) and self._newest.get("Node Type") == "ModifyTable":
            self._append("Target Tables", {**labels.properties(body)})
        elif match := PROPERTY.match(body):
            self._property(match["name"], match["value"] or "")
        else:
            self._continue(body)

    @property
    def _newest(self) -> dict[str, Json]:
        return self._nodes[-1][1]

    def _node(self, column: int, body: str) -> None:
        """Hang a new node under the nearest one that stands further left."""
        self._tail, self._open = "", None
        figures = FIGURES.search(body)
        label, numbers = (body[: figures.start()], body[figures.start() :]) if figures else (body, "")
        found = labels.properties(label.strip()) | values.figures(numbers)
        self._hang(_ROOT_COLUMN if not self._nodes else max(column, _ROOT_COLUMN + 1), found)

    def _hang(self, place: int, found: dict[str, Json]) -> None:
        if not self._nodes:
            self.root = found
            self._nodes = [(place, found)]
            return
        above = self._heading[0] if self._heading else place
        while len(self._nodes) > 1 and self._nodes[-1][0] >= above:
            self._nodes.pop()
        parent = self._newest
        plans = parent.setdefault("Plans", [])
        assert isinstance(plans, list)
        found["Parent Relationship"] = self._relationship(parent, plans)
        if self._heading:
            found["Subplan Name"] = self._heading[1]
        plans.append(found)
        self._heading = None
        self._nodes.append((place, found))

    def _relationship(self, parent: dict[str, Json], siblings: list[Json]) -> str:
        if self._heading:
            return "SubPlan" if self._heading[1].startswith("SubPlan") else "InitPlan"
        fed = sum(1 for s in siblings if isinstance(s, dict) and s.get("Parent Relationship") not in values.APART)
        return values.relationship(str(parent.get("Node Type")), fed)

    def _property(self, name: str, value: str) -> None:
        if self._tail:
            self._tail_property(name, value)
        elif name.startswith("Worker "):
            self._append("Workers", f"{name}: {value}")
            self._open = None
        elif name in values.REPEATED and self._newest.get("Node Type") == "Aggregate":
            self._append("Grouping Sets", {name: value})
        else:
            self._newest.setdefault(name, value)
            self._open = (self._newest, name)

    def _append(self, name: str, value: Json) -> None:
        listed = self._newest.setdefault(name, [])
        if isinstance(listed, list):
            listed.append(value)

    def _continue(self, body: str) -> None:
        if self._open is None:
            if self._nodes and not self._tail:
                self._append("Unknown", body)
            return
        holder, name = self._open
        holder[name] = f"{holder[name]} {body}".lstrip()

    def _after(self, body: str) -> None:
        """Keep what EXPLAIN says below the tree."""
        self._open = None
        if match := _TRIGGER.match(body):
            triggers = self.explained.setdefault("Triggers", [])
            assert isinstance(triggers, list)
            triggers.append(_trigger(match))
            self._tail = "Triggers"
            return
        name, _, value = body.partition(":")
        if self._tail == "Planning" and name == "Memory":
            return
        name = {"Planning time": "Planning Time", "Execution time": "Execution Time"}.get(name, name)
        name = "Execution Time" if name == "Total runtime" else name
        self._tail = name
        self.explained[name] = _tail_value(name, value.strip())

    def _tail_property(self, name: str, value: str) -> None:
        """Keep what stands indented below the tree: the blocks that planning read, the time that compiling took."""
        holder = self.explained.get(self._tail)
        if not isinstance(holder, dict):
            return
        if self._tail == "JIT" and name == "Timing":
            holder["Timing"] = measured.timing(value)
        elif self._tail == "Planning":
            holder |= measured.taken_apart(name, value)
        else:
            holder[name] = value.removesuffix(" ms")


def _begins(body: str) -> bool:
    """Whether a line without an arrow is a node all the same."""
    return bool(FIGURES.search(body)) and not body.startswith(_ARROW) and not PROPERTY.match(body)


def _column(line: str) -> int:
    return len(line) - len(line.lstrip())


def _tail_value(name: str, value: str) -> Json:
    if name == "Settings":
        return {key: setting.replace("''", "'") for key, setting in _SETTING.findall(value)}
    if name == "JIT":
        return {"Text": value}
    if name == "Planning":
        return {}
    return value.removesuffix(" ms") if name.endswith(" Time") else value


def _trigger(match: re.Match[str]) -> dict[str, Json]:
    named: dict[str, Json] = {"Trigger Name": match["name"], "Constraint Name": match["constraint"]}
    return named | {"Relation": match["relation"], "Time": match["time"], "Calls": match["calls"]}
