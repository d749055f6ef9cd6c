"""What can be typed is documented, and what is documented can be typed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from premortem.cli import parser, reference
from premortem.report import FORMATS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
COMMANDS = {c.prog: c for c in reference.commands(parser.build())}

VERBS = "pull|grants|show|diff|record|build|verify|list|remove|run"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_is_in_the_reference(name: str) -> None:
    assert f"\n## {name}\n" in PAGE
    section = PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]
    for option in reference.options(COMMANDS[name]):
        for typed in option.option_strings or [option.metavar]:
            assert f"`{typed}`" in section
        assert option.help


def test_generated_pages_are_not_stale() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "docs", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_in_the_pages_can_be_typed(page: Path) -> None:
    known = {c.removeprefix("premortem ") for c in COMMANDS}
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL))
    for typed in re.findall(rf"^(?:\$ )?premortem ([a-z]+(?: (?:{VERBS})\b)?)", blocks, re.MULTILINE):
        assert typed in known


def test_the_formats_of_the_parser_are_those_of_the_report() -> None:
    assert tuple(FORMATS) == parser.FORMATS


def test_the_values_of_the_parser_are_those_of_the_model() -> None:
    from premortem.model import Values

    assert set(parser.VALUES) == set(Values)
