"""`premortem rules`: the rules, and what each sees."""

from __future__ import annotations

import argparse
from difflib import get_close_matches

from premortem import rules
from premortem.cli import output
from premortem.errors import UsageError


def run(arguments: argparse.Namespace) -> int:
    """List the rules, or print what one of them says of itself."""
    output.write(_one(arguments.rule) if arguments.rule else _all())
    return 0


def _all() -> str:
    width = max(len(r.name) for r in rules.RULES)
    return "".join(f"{r.name:<{width}}  {r.severity.value:<7}  {r.says}\n" for r in rules.RULES)


def _one(name: str) -> str:
    found = next((r for r in rules.RULES if r.name == name), None)
    if found is None:
        close = get_close_matches(name, [r.name for r in rules.RULES], n=1)
        raise UsageError(f"there is no rule {name}", hint=f"did you mean {close[0]}?" if close else "premortem rules")
    page = (found.page or "").strip()
    return f"{found.name} ({found.severity.value})\n\n{page}\n"
