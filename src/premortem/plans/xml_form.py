"""Reads EXPLAIN's XML form into PostgreSQL's JSON vocabulary.

XML names cannot hold blanks, so `Rows Removed by Filter` is `Rows-Removed-by-Filter` there; `_HYPHENATED` are those
that have a hyphen or a slash of their own.  A plan needs no document type and no entities, and text that brings its own
is refused, for such can be made to fill the memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from premortem.errors import InputError
from premortem.model import Json
from premortem.plans.hints import HINT

_DOCUMENT = re.compile(r"<explain\b.*?</explain\s*>", re.DOTALL)
_DECLARES = re.compile(r"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_HYPHENATED = {"One Time Filter": "One-Time Filter"}
_LISTS = frozenset({"Plans", "Workers", "Triggers", "Grouping Sets", "Target Tables", "Hash Keys", "Group Keys"})
_FLAGS = frozenset({"Parallel Aware", "Async Capable", "Inner Unique", "Single Copy", "Disabled"})
_PRESORTED = "Pre-sorted Groups"


def objects(text: str) -> Iterator[tuple[int, dict[str, Json]]]:
    """Yield what each EXPLAIN of the text explains, as the JSON form would have it, with the offset where it starts.

    Raises InputError where the XML cannot be read.
    """
    if _DECLARES.search(text):
        raise InputError("this XML declares a document type or entities, which no plan does", hint=HINT)
    if "<explain" in text and not _DOCUMENT.search(text):
        raise InputError("this XML plan is cut off: </explain> is missing", hint=HINT)
    for match in _DOCUMENT.finditer(text):
        try:
            root = ElementTree.fromstring(match[0])
        except (ElementTree.ParseError, ValueError) as error:
            raise InputError(f"this XML plan cannot be read: {error}", hint=HINT) from None
        yield from ((match.start(), found) for found in _explained(root))


def _explained(root: Element) -> Iterator[dict[str, Json]]:
    for holder in (root, *root):
        if any(_name(child) == "Plan" for child in holder):
            found = _value(holder, "")
            assert isinstance(found, dict)
            yield found


def _value(element: Element, name: str) -> Json:
    if len(element) == 0:
        text = element.text or ""
        return _flag(text) if name in _FLAGS else ([] if name in _LISTS or text.isspace() else text)
    if name in _LISTS:
        return [_value(child, "") for child in element]
    if all(_name(child) == "Item" for child in element):
        return [_value(child, "") for child in element]
    if name == "Settings":
        return {child.tag.rpartition("}")[2]: child.text or "" for child in element}
    return _object(element)


def _object(element: Element) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for child in element:
        name = _name(child)
        if name == "Incremental Sort Groups":  # both groups have this name here; full sorts come first
            name = _PRESORTED if "Full-sort Groups" in found else "Full-sort Groups"
        if name == "Sort Space":  # likewise; memory comes first, and a lone one goes by the methods
            used = found.get("Sort Methods Used")
            external = isinstance(used, list) and all("external" in str(method) for method in used)
            name = "Sort Space Disk" if external or "Sort Space Memory" in found else "Sort Space Memory"
        found[name] = _value(child, name)
    return found


def _flag(text: str) -> Json:
    return {"true": True, "false": False}.get(text.strip(), text)


def _name(element: Element) -> str:
    """Return a property's name as the JSON form has it.

    >>> _name(Element("{http://www.postgresql.org/2009/explain}Shared-I-O-Read-Time"))
    'Shared I/O Read Time'
    """
    name = element.tag.rpartition("}")[2].replace("-", " ").replace("I O ", "I/O ")
    return _HYPHENATED.get(name, name)
