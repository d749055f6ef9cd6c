"""`premortem rules`: the rules, and what each sees."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
from collections.abc import Iterator
from difflib import get_close_matches

from premortem import rules
from premortem.cli import output
from premortem.errors import UsageError
from premortem.settings import OWN_RULES

_QUERY, _MEASURED = "query", "query, measured"
_TITLES = {
    _QUERY: "Queries: the plan that production would make, the text, the profile",
    _MEASURED: "Queries: only a plan that was executed (EXPLAIN ANALYZE) shows these",
    "schema": "Schema: what a change makes of it, and all of it with check --schema",
    "migration": "Migrations: what the statements of a change do to tables of production's size",
    "check": "check itself",
}
_FAILS = frozenset({"missing-index", "over-budget", "plan-got-worse", "did-not-finish"})
_HEADINGS = ("Sees", "Hurts", "Do", "Quiet")


def run(arguments: argparse.Namespace) -> int:
    """List the rules, or print what one of them says of itself."""
    chosen = [_named(arguments.rule)] if arguments.rule else list(_all())
    if arguments.format == "json":
        output.write(json.dumps([_as_json(r) for r in chosen], indent=2) + "\n")
    elif arguments.rule:
        output.write(_page(chosen[0]))
    else:
        output.write(_listed(chosen))
    return 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One name that can be found: its group, its usual severity, and its page."""

    name: str
    group: str
    severity: str
    says: str
    rule: rules.Rule | None = None


def _all() -> Iterator[_Entry]:
    for rule in (*rules.RULES, *rules.MIGRATION_RULES):
        group = _MEASURED if rule.needs_analyze else rule.kind.value
        yield _Entry(name=rule.name, group=group, severity=rule.severity.value, says=rule.says, rule=rule)
    for name, says in OWN_RULES.items():
        severity = "error" if name in _FAILS else "warning"
        yield _Entry(name=name, group="check", severity=severity, says=says)


def _named(name: str) -> _Entry:
    """Return the rule of that name.

    Raises UsageError, with the name that comes closest.
    """
    known = {entry.name: entry for entry in _all()}
    wanted = name.lower().replace("_", "-")
    if wanted in known:
        return known[wanted]
    close = get_close_matches(wanted, known, n=1)
    raise UsageError(f"there is no rule {name}", hint=f"did you mean {close[0]}?" if close else "premortem rules")


def _listed(entries: list[_Entry]) -> str:
    width = max(len(e.name) for e in entries)
    parts = []
    for group, title in _TITLES.items():
        rows = [f"  {e.name:<{width}}  {e.severity:<7}  {e.says}" for e in entries if e.group == group]
        if rows:
            parts.append("\n".join([f"{title}:", *rows]))
    return "\n\n".join(parts) + "\n"


def _page(entry: _Entry) -> str:
    if entry.rule is None:
        return f"{entry.name} ({entry.severity})\n\n{entry.says}\n"
    page = (entry.rule.page or "").strip()
    limits = ", ".join(f"{name} = {value:g}" for name, value in _limits(entry.rule).items())
    measured = "\n\nOnly a plan that was executed (EXPLAIN ANALYZE) shows it." if entry.rule.needs_analyze else ""
    thresholds = f"\n\nThresholds, to be set under [rules.{entry.name}]: {limits}" if limits else ""
    return f"{entry.name} ({entry.severity})\n\n{page}{measured}{thresholds}\n"


def _limits(rule: rules.Rule) -> dict[str, float]:
    """Return a rule's thresholds as they are without settings."""
    if rule.kind is rules.Kind.MIGRATION:
        found = rules.MIGRATION_LIMITS.get(rule.name)
    else:
        found = importlib.import_module(f"{rules.__name__}.{rule.name.replace('-', '_')}").Limits()
    return (
        {f.name: getattr(found, f.name) for f in dataclasses.fields(found)} if dataclasses.is_dataclass(found) else {}
    )


def _as_json(entry: _Entry) -> dict[str, object]:
    found: dict[str, object] = {
        "name": entry.name,
        "group": entry.rule.kind.value if entry.rule is not None else "check",
        "severity": entry.severity,
        "needs_analyze": entry.rule is not None and entry.rule.needs_analyze,
        "curable_by_index": entry.rule is not None and entry.rule.curable_by_index,
        "says": entry.says,
    }
    if entry.rule is not None:
        found |= {name.lower(): text for name, text in _sections(entry.rule.page or "").items()}
        found["limits"] = _limits(entry.rule)
    return found


def _sections(page: str) -> dict[str, str]:
    """Return what stands under a page's headings, each as one line."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in page.splitlines():
        heading = next((h for h in _HEADINGS if line.startswith(f"{h}:")), None)
        if heading is not None:
            current = found[heading] = []
            line = line.removeprefix(f"{heading}:")
        if found:
            current.append(line.strip())
    return {heading: " ".join(filter(None, lines)) for heading, lines in found.items()}
