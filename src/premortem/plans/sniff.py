"""Tells EXPLAIN's forms apart."""

from __future__ import annotations

import re

from premortem.errors import InputError
from premortem.model import Plan
from premortem.plans.json_form import HINT, parse_json
from premortem.plans.text_form import parse_text

_FOREIGN = re.compile(r"\s*<\?xml|\s*<explain|\s*- Plan:")


def parse(text: str) -> Plan:
    """Return the plan in a text, be it EXPLAIN's JSON or text form.

    Raises InputError where the text holds none.
    """
    if _FOREIGN.match(text):
        raise InputError("EXPLAIN's XML and YAML forms are not read", hint=HINT)
    return parse_json(text) if '"Node Type"' in text else parse_text(text)
