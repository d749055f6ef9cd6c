"""Writes docs/reference/rules: a page for each rule, from its module's docstring and its case.

python scripts/rule_pages.py --write     make the pages
python scripts/rule_pages.py --check     fail when one is not what it would be made into
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from premortem.rules import RULES, Kind, Rule

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT / "tests" / "rules"
PAGES = ROOT / "docs" / "reference" / "rules"
HEADINGS = ("Sees", "Hurts", "Do", "Quiet")
TITLES = {
    "schema": "## Example",
    "limits": "With thresholds that keep the example small:",
    "facts": "What production counted:",
    "fires": "The query:",
    "finding": "What premortem says:",
    "remedy": "What cures it:",
    "quiet": "## Where it stays quiet",
}
_CURES = {Kind.QUERY: "a change of the query", Kind.SCHEMA: "a change of the schema"}
_SEES = {
    Kind.QUERY: "What premortem looks for in the plan of a query.",
    Kind.SCHEMA: "What premortem looks for in the schema: in what the change's migrations make of it, and in all of it"
    " with `premortem check --schema`.",
}
_NEEDS = (
    "\n\nOnly a plan that was executed can show it (`EXPLAIN ANALYZE`, `auto_explain.log_analyze`), as"
    " [`premortem explain --plan`](../../how-to/read-a-plan.md) reads it. Of a plan with estimates only, such as"
    " `premortem check` makes, the rule says nothing."
)
_EXECUTED = {"fires": "The plan:"}
_HEADING = re.compile(r"^(Sees|Hurts|Do|Quiet):\s+", re.MULTILINE)
_FENCE = re.compile(r"^```(sql|text|toml) (\w+)$", re.MULTILINE)


def sections(page: str) -> dict[str, str]:
    """Return the parts of a rule's docstring: its first sentence under "", then its headings."""
    parts = _HEADING.split(page.strip())
    named = zip(parts[1::2], parts[2::2], strict=True)
    return {"": " ".join(parts[0].split())} | {name: " ".join(text.split()) for name, text in named}


def page(rule: Rule) -> str:
    """Return a rule's page."""
    parts = sections(rule.page or "")
    cure = (
        "an index, which premortem proposes and proves"
        if rule.curable_by_index
        else "what stands under Do"
        if rule.needs_analyze
        else _CURES.get(rule.kind, "another migration")
    )
    table = [f"| {name} | {parts[name]} |" for name in HEADINGS]
    return "\n".join(
        [
            f"# {rule.name}",
            "",
            parts[""],
            "",
            f"Severity: {rule.severity.value}. The usual cure is {cure}.{_NEEDS if rule.needs_analyze else ''}",
            "",
            "| | |",
            "|---|---|",
            *table,
            "",
            example((CASES / f"{rule.name.replace('-', '_')}.md").read_text()).strip(),
            "",
        ]
    )


def example(case: str) -> str:
    """Return a case as it stands on a page: with headings, and fences that any renderer knows."""
    seen: set[str] = set()
    lines: list[str] = []
    for line in case.splitlines():
        match = _FENCE.match(line)
        if match and match[2] not in seen:
            seen.add(match[2])
            lines = _titled(lines, match[2], executed=match[1] == "text")
        lines.append(f"```{match[1]}" if match else line)
    return "\n".join(lines)


def _titled(lines: list[str], block: str, *, executed: bool) -> list[str]:
    """Put a block's title above the prose that leads to it."""
    at = len(lines)
    while at and not lines[at - 1].startswith("```"):
        at -= 1
    led = [*lines[at:]] if block in ("schema", "quiet") else []
    title = _EXECUTED.get(block, TITLES[block]) if executed else TITLES[block]
    return [*lines[: len(lines) - len(led)], "", title, *led] if led else [*lines, title, ""]


def index() -> str:
    """Return the page that lists all rules."""
    parts = [_part(kind) for kind in Kind if any(r.kind is kind for r in RULES)]
    return "\n".join(["# Rules", "", *[line for part in parts for line in part]])


def _part(kind: Kind) -> list[str]:
    rows = [f"| [{r.name}]({r.name}.md) | {r.severity.value} | {r.says} |" for r in RULES if r.kind is kind]
    return [
        f"## {kind.value.capitalize()}",
        "",
        _SEES[kind],
        "",
        "| rule | severity | sees |",
        "|---|---|---|",
        *rows,
        "",
    ]


def wanted() -> dict[Path, str]:
    """Return every page's file and what should be in it."""
    pages = {PAGES / f"{rule.name}.md": page(rule) for rule in RULES}
    texts = pages | {PAGES / "README.md": index()}
    return {path: re.sub(r"\n{3,}", "\n\n", text) for path, text in texts.items()}


def main() -> int:
    """Write the pages, or say which are not current."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the pages")
    parser.add_argument("--check", action="store_true", help="fail when a page is not current")
    arguments = parser.parse_args()
    pages = wanted()
    if arguments.write:
        PAGES.mkdir(parents=True, exist_ok=True)
        for path, text in pages.items():
            path.write_text(text)
    stale = [p for p, text in pages.items() if not p.is_file() or p.read_text() != text]
    stale += [p for p in PAGES.glob("*.md") if p not in pages]
    for path in stale:
        print(f"{path.relative_to(ROOT)} is not current: python scripts/rule_pages.py --write", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
