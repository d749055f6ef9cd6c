"""premortem.toml: what it may say, and that everything else is refused by name."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import pytest

from premortem import advisor, rules, settings
from premortem.errors import SettingsError
from premortem.model import Severity

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
    assert found.limits.changed["seq-scan-discards-rows"] == {"min_rows": 50_000}
    assert set(tomllib.loads(example)) == {"rules", "advisor", "tables"}


def test_a_severity_is_chosen() -> None:
    found = settings.parse('[rules.deep-offset]\nseverity = "error"', "x")
    assert found.severities == {"deep-offset": Severity.ERROR}
    assert not found.off


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[rule.x]", "rule is no setting", "did you mean rules?"),
        ("[rules.deep-ofset]", "rules: deep-ofset is no setting", "did you mean deep-offset?"),
        ("[rules.deep-offset]\nsevrity = 'off'", "has no sevrity", "it has"),
        ("[rules.deep-offset]\nseverity = 'fatal'", "'fatal' is none of error, warning, info, off", None),
        ("[rules.seq-scan-discards-rows]\nmin_rows = 'many'", "must be a number", None),
        ("[rules.seq-scan-discards-rows]\nmin_rows = -1", "not negative", None),
        ("[rules.seq-scan-discards-rows]\nmin_rows = true", "must be a number", None),
        ("rules = 3", "rules: a table is wanted", "write [rules]"),
        ("[rules]\ndeep-offset = 'off'", "rules.deep-offset: a table is wanted", "write [rules.deep-offset]"),
        ("[advisor]\nmin_gian = 3", "advisor: min_gian is no setting", "did you mean min_gain?"),
        ("[advisor]\nmin_gain = nan", "advisor.min_gain: nan must be 0 or more", None),
        ("[advisor]\nexplains = 1.5", "advisor.explains: 1.5 is no whole number", None),
        ("[tables.x]", 'tables."x": rows is missing', None),
        ("[tables.x]\nrows = '1'", "tables.\"x\".rows: '1' is no number", None),
        ("[tables.x]\nrow = 1", 'tables."x": row is no setting', "did you mean rows?"),
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
    for rule in rules.RULES:
        assert f"`{rule.name}`" in REFERENCE
        for field in dataclasses.fields(settings._defaults(rule)):
            assert f"`{field.name} = " in REFERENCE
    for field in dataclasses.fields(advisor.Limits):
        assert f"| `{field.name}` |" in REFERENCE
    for name in settings.OWN_RULES:
        assert f"`{name}`" in REFERENCE
