"""What every rule owes its readers: headings, a name, a page, settings that are checked, and a name that stays."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from premortem import rules
from premortem.errors import SettingsError
from premortem.rules import RULES, Rule

ROOT = Path(__file__).parents[2]
HEADINGS = ["Sees", "Hurts", "Do", "Quiet"]


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_a_rule_says_what_it_sees_why_it_hurts_what_to_do_and_when_it_is_quiet(rule: Rule) -> None:
    assert re.findall(r"^(\w+):\s", rule.page or "", re.MULTILINE) == HEADINGS
    assert rule.says.endswith(".")


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_a_name_is_two_words_or_more_in_kebab_case(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.name)


def test_every_name_ever_published_is_still_a_rule() -> None:
    published = (Path(__file__).parent / "published.txt").read_text().split()
    assert sorted(published) == sorted(r.name for r in RULES)


def test_the_pages_are_current() -> None:
    ran = subprocess.run(
        [sys.executable, ROOT / "scripts" / "rule_pages.py", "--check"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_a_threshold_can_be_set() -> None:
    limits = rules.limits({"deep-offset": {"min_rows": 5}})
    assert limits.changed["deep-offset"]["min_rows"] == 5


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"deep-ofset": {}}, "no rule deep-ofset"),
        ({"deep-offset": {"min_row": 5}}, "has no min_row"),
        ({"deep-offset": {"min_rows": "many"}}, "must be a number"),
        ({"deep-offset": {"min_rows": True}}, "must be a number"),
        ({"deep-offset": {"min_rows": -1}}, "must be a number"),
    ],
)
def test_a_wrong_threshold_is_refused_by_name(table: dict[str, dict[str, object]], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        rules.limits(table)
