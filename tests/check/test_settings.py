"""premortem.toml: what it may say, and that everything else is refused by name."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import pytest

from premortem import advisor, rules, settings
from premortem.errors import SettingsError
from premortem.model import Severity
from premortem.settings.parsing import SECTIONS, WATCHED
from premortem.settings.reference import defaults_of

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "settings.md").read_text("utf-8")


def refused(text: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        settings.parse(text, "premortem.toml")
    assert caught.value.exit_code == 2
    assert "premortem.toml" in caught.value.message
    return caught.value


def test_nothing_said_is_the_defaults() -> None:
    assert settings.parse("", "x") == settings.Settings()


def test_everything_that_the_reference_shows_is_understood() -> None:
    example = REFERENCE.split("```toml\n")[1].split("```")[0]
    found = settings.parse(example, "x")
    assert found.off == {"deep-offset"}
    assert found.tables == {"public.new_table": 5_000_000}
    assert found.advisor == dataclasses.replace(advisor.Limits(), min_gain=10)
    assert found.baseline.worse == 3
    assert found.limits.changed["seq-scan-discards-rows"] == {"min_rows": 50_000}
    assert (len(found.budgets), len(found.owners), len(found.paths)) == (4, 2, 1)
    assert set(tomllib.loads(example)) == set(SECTIONS) - set(WATCHED)


def test_a_severity_is_chosen() -> None:
    found = settings.parse('[rules.deep-offset]\nseverity = "error"', "x")
    assert found.severities == {"deep-offset": Severity.ERROR}
    assert not found.off


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[rule.x]", "rule is no setting", "did you mean rules?"),
        ("[rules.deep-ofset]", "rules: deep-ofset is no setting", "did you mean deep-offset?"),
        ("[rules.deep-offset]\nsevrity = 'off'", "toml:2: rules.deep-offset.sevrity", "it has"),
        ("[rules.deep-offset]\nseverity = 'fatal'", "'fatal' is none of error, fail, warning, warn, info, off", None),
        ("[rules]\ndeep-offset = 'wran'", "toml:2: rules.deep-offset: 'wran' is none of", "did you mean warn?"),
        ("[rules.seq-scan-discards-rows]\nmin_rows = 'many'", "must be a number", None),
        ("[rules.seq-scan-discards-rows]\nmin_rows = -1", "not negative", None),
        ("[rules.seq-scan-discards-rows]\nmin_rows = true", "must be a number", None),
        ("rules = 3", "rules: a table is wanted", "write [rules]"),
        ("[rules]\ndeep-offset = 3", "toml:2: rules.deep-offset: a table is wanted", "write [rules.deep-offset]"),
        ("[rules.over-budget]\nmin_rows = 3", "toml:1: rules.over-budget: has no min_rows", "it has severity"),
        ("[paths]\nmatch = 'x'", "toml:1: paths: a list of tables is wanted", "write [[paths]]"),
        ("[[paths]]\nat_most = 'warn'", "toml:1: paths[1]: match is missing", "for example"),
        ("[[paths]]\nmatch = []", "toml:2: paths[1].match: a text or a list", None),
        ("[[paths]]\nmatch = 'x'\nrules.deep-ofset = 'off'", "toml:3: paths[1].rules: deep-ofset", "deep-offset?"),
        ("[[paths]]\nmatch = 'x'\nmatch_most = 'off'", "toml:3: paths[1]: match_most is no setting", None),
        ("\n[[budgets]]\ncost = 1\n[[budgets]]\ntable = 'x'", "toml:4: budgets[2]: a budget needs", "rows_read ="),
        ("[[budgets]]\nrows_raed = 3", "toml:2: budgets[1]: rows_raed is no setting", "did you mean rows_read?"),
        ("[[budgets]]\nms = -3", "toml:2: budgets[1].ms: -3 must be 0 or more", None),
        ("[[owners]]\nowners = '@a'", "toml:1: owners[1]: a path or a table is missing", None),
        ("[[owners]]\npath = '{1..5000}'\nowners = 'x'", "toml:2: owners[1].path: '{1..5000}' is no pattern", None),
        ("[[owners]]\npath = 'x'", "toml:1: owners[1]: owners is missing", None),
        ("[advisor]\nmin_gian = 3", "advisor: min_gian is no setting", "did you mean min_gain?"),
        ("[advisor]\nmin_gain = nan", "advisor.min_gain: nan must be 0 or more", None),
        ("[advisor]\nexplains = 1.5", "advisor.explains: 1.5 is no whole number", None),
        ("[tables.x]", "tables.x: rows is missing", None),
        ("[tables.x]\nrows = '1'", "tables.x.rows: '1' is no number", None),
        ("[tables.x]\nrow = 1", "tables.x: row is no setting", "did you mean rows?"),
        ("[", "is no TOML", None),
    ],
)
def test_what_it_does_not_know_is_refused(text: str, message: str, hint: str | None) -> None:
    error = refused(text)
    assert message in error.message
    if hint is not None:
        assert error.hint is not None
        assert hint in error.hint


def test_every_setting_is_documented() -> None:
    for rule in (*rules.RULES, *rules.MIGRATION_RULES):
        assert f"`{rule.name}`" in REFERENCE
        for field in dataclasses.fields(defaults_of(rule)):
            assert f"`{field.name} = " in REFERENCE
    for field in dataclasses.fields(advisor.Limits):
        assert f"| `{field.name}` |" in REFERENCE
    for name in settings.OWN_RULES:
        assert f"`{name}`" in REFERENCE
