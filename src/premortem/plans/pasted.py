"""Reads whatever holds plans: one or many, in any of EXPLAIN's forms, with the statements that they are plans of.

```
read
├── messages        jsonlog and csvlog: the messages that hold plans
├── json_form       "Node Type"            every value of the text that is a plan, wherever it stands
├── xml_form        <explain>
├── yaml_form       Plan: Node Type:
└── text_form       everything else
```
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from premortem.errors import InputError
from premortem.model import Json, Node, Plan
from premortem.plans import json_form, messages, statements, yaml_form
from premortem.plans.frames import cleaned, unframed
from premortem.plans.hints import HINT
from premortem.plans.quotation import unquoted
from premortem.plans.regions import Region, regions
from premortem.plans.text_form import explained


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasted:
    """One plan of a text.

    `line` is where it starts, from 1; `statement` the text of its statement where that is there too; `json` its root
    in the JSON form's vocabulary.  `sound` is False where the indentation was lost and the tree put together anew.
    """

    plan: Plan
    line: int
    statement: str | None = None
    sound: bool = True

    @property
    def json(self) -> Json:
        """The root node in the JSON form's vocabulary."""
        return _json(self.plan.root)


def read(text: str) -> tuple[Pasted, ...]:
    """Return all the plans that a text holds.

    Raises InputError where it holds none, or one that cannot be read.
    """
    try:
        found = tuple(_read(messages.unpacked(text)))
    except RecursionError:
        raise InputError("this plan is nested too deeply to be read", hint=HINT) from None
    if not found:
        raise InputError("this text holds no EXPLAIN plan", hint=HINT)
    return found


def parse(text: str) -> Plan:
    """Return the first plan of a text, in whatever form.

    Raises InputError where the text holds none.
    """
    return read(text)[0].plan


def _read(text: str) -> Iterator[Pasted]:
    if json_form.looks_like(text):
        text = "\n".join(unquoted(text.split("\n")))
        yield from _of_objects(json_form.explained_of(text), text)
    elif "<explain" in text or "</explain" in text:
        from premortem.plans import xml_form  # the XML parser takes longer to import than all of this room

        plain = "\n".join(unframed(unquoted(cleaned(text))))
        yield from _of_objects(((plain.count("\n", 0, at) + 1, v) for at, v in xml_form.objects(plain)), plain)
    elif yaml_form.looks_like(plain := "\n".join(unframed(unquoted(cleaned(text))))):
        yield from _of_objects(_of_yaml(plain.split("\n")), plain)
    else:
        yield from map(_of_region, regions(unquoted(cleaned(text))))


def _of_yaml(lines: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Json]]]:
    for at, value in yaml_form.values(lines):
        yield from ((at + 1, found) for found in json_form.explained_in(value))


def _of_objects(found: Iterable[tuple[int, Mapping[str, Json]]], text: str) -> Iterator[Pasted]:
    """Yield the plans of what EXPLAIN's other forms hold; a statement may stand between a plan and the one before."""
    lines = text.split("\n")
    last = 0
    for line, explained_object in found:
        said = explained_object.get("Query Text")
        statement = said if isinstance(said, str) else statements.above(lines[last : max(line - 1, 0)])
        yield Pasted(plan=json_form.parse_json(explained_object), line=max(line, 1), statement=statement)
        last = line


def _of_region(region: Region) -> Pasted:
    found = explained(region)
    return Pasted(plan=found.plan, line=region.line, statement=statements.above(region.before), sound=found.sound)


def _json(node: Node) -> Json:
    below: dict[str, Json] = {"Plans": [_json(child) for child in node.children]} if node.children else {}
    return {**{name: _finite(value) for name, value in node.raw.items()}, **below}


def _finite(value: Json) -> Json:
    """Return a value without the infinite numbers that JSON has no words for."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
