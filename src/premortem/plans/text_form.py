"""Reads EXPLAIN's text form, which is what people paste, into the same tree as the JSON form.

```
parse_text
├── unframed        psql's frame, log prefixes, quotes, arrows
├── _Reader         lines → property objects in PostgreSQL's JSON vocabulary, nested by indentation
│   ├── labels.properties
│   └── values.value
├── completed       the zeros that the text form leaves out and the JSON form prints
└── json_form.plan
```
A line that is no node, no property and no heading is the continuation of the value above it, and kept there.
"""

from __future__ import annotations

import re

from premortem.errors import InputError
from premortem.model import Json, Plan
from premortem.plans import labels, values
from premortem.plans.frames import unframed
from premortem.plans.json_form import HINT, plan

_FIGURES = re.compile(r"\s\((?:cost=|actual |never executed|rows=\d)")
_ARROW = "->"
_HEADING = re.compile(r"(?:InitPlan|SubPlan|CTE) \S")
_PROPERTY = re.compile(r"(?P<name>[A-Z][\w /()-]*?):(?: +(?P<value>.*))?\Z", re.DOTALL)
_EXPRESSION = re.compile(r"\s*(?:[A-Z][\w -]{0,40}(?:Cond|Filter|Key|Condition|By|Call)|Filter|Output|Settings): ")
_TARGET = re.compile(r"(?:Foreign )?(?:Insert|Update|Delete|Merge) on \S")
_TAIL = re.compile(
    r"(?:Planning(?: [Tt]ime)?|Execution [Tt]ime|Total runtime|Settings|JIT|Query Identifier|Serialization|Memory|"
    r"Trigger .*|Time|Optimizer.*|Slice statistics.*):"
)
_TRIGGER = re.compile(
    r"Trigger(?: (?P<name>(?!for constraint).+?))?(?: for constraint (?P<constraint>.+?))?(?: on (?P<relation>\S+))?:"
    r"(?: time=(?P<time>[\d.]+))? calls=(?P<calls>[\d.]+)"
)
_SETTING = re.compile(r"([\w.]+) = '((?:[^']|'')*)'")
_ROOT_COLUMN = -6  # where the root's arrow would stand, if it had one


def parse_text(text: str) -> Plan:
    """Return the plan that EXPLAIN printed in its text form.

    Raises InputError where the text holds none.

    >>> plan = parse_text('''Limit  (cost=0.00..0.04 rows=1 width=4)
    ...   ->  Seq Scan on orders o  (cost=0.00..35.50 rows=2550 width=4)
    ...         Filter: (id > 3)''')
    >>> plan.root.children[0].relation.name, plan.root.children[0].filter
    ('orders', '(id > 3)')
    """
    lines = _logical(unframed(text))
    start = _start(lines)
    if start is None:
        raise InputError("this text holds no EXPLAIN plan", hint=HINT)
    reader = _Reader(lines[start:])
    try:
        root = values.completed(reader.root)
        return plan(reader.explained, root)
    except RecursionError:
        raise InputError("this plan is nested too deeply to be read", hint=HINT) from None


def _start(lines: list[str]) -> int | None:
    """Return where the root node stands: the first line with costs, or else the first that is a known node."""
    with_figures = (at for at, line in enumerate(lines) if _FIGURES.search(line) and not _EXPRESSION.match(line))
    known = (at for at, line in enumerate(lines) if labels.is_known(line.strip().removeprefix(_ARROW).strip()))
    return next(with_figures, next(known, None))


def _logical(lines: list[str]) -> list[str]:
    """Return the lines with those joined that one string constant runs over, whatever they look like."""
    found, at = [], 0
    while at < len(lines):
        end = _string_end(lines, at) if _EXPRESSION.match(lines[at]) else at
        found.append("\n".join(lines[at : end + 1]))
        at = end + 1
    return found


def _string_end(lines: list[str], start: int) -> int:
    """Return the line on which the strings that are open at the end of a line are closed, itself where none is."""
    quote = ""
    for at in range(start, len(lines)):
        quote = _open_quote(lines[at], quote)
        if not quote:
            return at
    return start


def _open_quote(line: str, quote: str) -> str:
    for character in line:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
    return quote


class _Reader:
    """Reads lines one after the other into nested property objects."""

    def __init__(self, lines: list[str]) -> None:
        self.explained: dict[str, Json] = {}
        self.root: dict[str, Json] = {}
        self._nodes: list[tuple[int, dict[str, Json]]] = []  # from the root down to the newest, with arrow columns
        self._heading: tuple[int, str] | None = None
        self._open: tuple[dict[str, Json], str] | None = None  # the property that the last line belongs to
        self._tail = False
        self._read(lines)

    def _read(self, lines: list[str]) -> None:
        base = _column(lines[0])
        for at, line in enumerate(lines):
            column = _column(line)
            body = line.strip()
            if at and column <= base and _begins(body):
                break
            self._line(column, body, lines[at + 1].strip() if at + 1 < len(lines) else "")

    def _line(self, column: int, body: str, following: str) -> None:
        if body.startswith(_ARROW) or not self._nodes or _begins(body):
            self._node(column if body.startswith(_ARROW) else None, body.removeprefix(_ARROW).strip())
        elif _TAIL.match(body):
            self._after(body)
        elif _HEADING.match(body) and following.startswith(_ARROW):
            self._heading = (column, body)
        elif _TARGET.match(body) and self._newest.get("Node Type") == "ModifyTable":
            self._append("Target Tables", {**labels.properties(body)})
        elif match := _PROPERTY.match(body):
            self._property(match["name"], match["value"] or "")
        else:
            self._continue(body)

    @property
    def _newest(self) -> dict[str, Json]:
        return self._nodes[-1][1]

    def _node(self, column: int | None, body: str) -> None:
        """Hang a new node under the nearest one that stands further left."""
        self._tail, self._open = False, None
        figures = _FIGURES.search(body)
        label, numbers = (body[: figures.start()], body[figures.start() :]) if figures else (body, "")
        found = labels.properties(label.strip()) | values.figures(numbers)
        place = _ROOT_COLUMN if not self._nodes else (column if column is not None else self._nodes[-1][0] + 6)
        self._hang(place, found)

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
            return
        if name.startswith("Worker "):
            self._append("Workers", f"{name}: {value}")
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
        holder[name] = f"{holder[name]}\n{body}"

    def _after(self, body: str) -> None:
        """Keep what EXPLAIN says below the tree."""
        self._tail, self._open = True, None
        if match := _TRIGGER.match(body):
            triggers = self.explained.setdefault("Triggers", [])
            assert isinstance(triggers, list)
            triggers.append(_trigger(match))
            return
        name, _, value = body.partition(":")
        name = {"Planning time": "Planning Time", "Execution time": "Execution Time"}.get(name, name)
        name = "Execution Time" if name == "Total runtime" else name
        self.explained[name] = _tail_value(name, value.strip())


def _begins(body: str) -> bool:
    """Whether a line without an arrow is the root of another plan."""
    return bool(_FIGURES.search(body)) and not body.startswith(_ARROW) and not _PROPERTY.match(body)


def _column(line: str) -> int:
    return len(line) - len(line.lstrip())


def _tail_value(name: str, value: str) -> Json:
    if name == "Settings":
        return {key: setting.replace("''", "'") for key, setting in _SETTING.findall(value)}
    if name == "JIT":
        return {"Text": value}
    return value.removesuffix(" ms") if name.endswith(" Time") else value


def _trigger(match: re.Match[str]) -> dict[str, Json]:
    named: dict[str, Json] = {"Trigger Name": match["name"], "Constraint Name": match["constraint"]}
    return named | {"Relation": match["relation"], "Time": match["time"], "Calls": match["calls"]}
