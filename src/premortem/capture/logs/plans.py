"""The query that auto_explain prints before its plan, in each of its four formats."""

from __future__ import annotations

import html
import json
import re
from typing import NamedTuple

from premortem.capture.logs.values import values


class Told(NamedTuple):
    """A query with its parameters, and the plan as it stands."""

    text: str
    parameters: tuple[str | None, ...] | None
    plan: str


#: The first line of a plan in text form: its cost is always printed.
_PLAN_LINE = re.compile(r"^[ \t]*(?:->)?[ \t]*[A-Z][^\n]*?\(cost=\d", re.MULTILINE)
_TEXT_PARAMETERS = re.compile(r"^[ \t]*Query Parameters: (?=\$1 = )", re.MULTILINE)
_XML_TEXT = re.compile(r"<Query-Text>(.*?)</Query-Text>", re.DOTALL)
_XML_PARAMETERS = re.compile(r"<Query-Parameters>(.*?)</Query-Parameters>", re.DOTALL)
_YAML_TEXT = re.compile(r'^[ \t]*Query Text: ("(?:[^"\\]|\\.)*")', re.MULTILINE | re.DOTALL)
_YAML_PARAMETERS = re.compile(r'^[ \t]*Query Parameters: ("(?:[^"\\]|\\.)*")', re.MULTILINE | re.DOTALL)


def told(body: str) -> Told | None:
    """Return what stands after `plan:`, None where it cannot be read (cut off, for example)."""
    body = body.strip()
    if body.startswith("{"):
        return _of_json(body)
    if body.startswith("<explain"):
        return _of_xml(body)
    if body.startswith("Query Text: "):
        return _of_yaml(body) if _YAML_TEXT.match(body) and "\nPlan:" in body else _of_text(body)
    return None


def _of_json(body: str) -> Told | None:
    try:
        found = json.loads(body, strict=False)
    except ValueError:
        return None
    text = found.get("Query Text")
    parameters = found.get("Query Parameters")
    return Told(text, _values(parameters), body) if isinstance(text, str) else None


def _of_xml(body: str) -> Told | None:
    text, parameters = _XML_TEXT.search(body), _XML_PARAMETERS.search(body)
    if text is None or "</explain>" not in body:
        return None
    return Told(html.unescape(text[1]), _values(html.unescape(parameters[1]) if parameters else None), body)


def _of_yaml(body: str) -> Told | None:
    text, parameters = _YAML_TEXT.search(body), _YAML_PARAMETERS.search(body)
    return Told(_unquoted(text[1]), _values(_unquoted(parameters[1]) if parameters else None), body) if text else None


def _unquoted(text: str) -> str:
    """Return a YAML string, which EXPLAIN escapes as JSON does."""
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        return text.strip('"')


def _of_text(body: str) -> Told | None:
    plan = _PLAN_LINE.search(body)
    if plan is None:
        return None
    head = body[len("Query Text: ") : plan.start()]
    lines = list(_TEXT_PARAMETERS.finditer(head))
    if lines:
        parameters = lines[-1]  # the query's own text may have such a line
        return Told(head[: parameters.start()].rstrip("\n"), _values(head[parameters.end() :].rstrip("\n")), body)
    return Told(head.rstrip("\n"), None, body)


def _values(text: object) -> tuple[str | None, ...] | None:
    return values(f"Query Parameters: {text}") if isinstance(text, str) else None
