"""`premortem rules` lists every name that can be found, by what it judges, and explains each."""

from __future__ import annotations

import json

import pytest

from premortem import cli
from premortem.settings import known_rules


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["rules", *arguments]) == 0
    return capsys.readouterr().out


def test_every_name_is_listed_once_under_what_it_judges(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys)
    names = [line.split()[0] for line in out.splitlines() if line.startswith("  ")]
    assert sorted(names) == sorted(known_rules())
    groups = [part.splitlines() for part in out.split("\n\n")]
    assert [g[0].split(":")[0] for g in groups] == ["Queries", "Queries", "Schema", "Migrations", "check itself"]
    of = {line.split()[0]: n for n, group in enumerate(groups) for line in group[1:]}
    assert (of["deep-offset"], of["duplicate-index"], of["long-lock"], of["missing-index"]) == (0, 2, 3, 4)


def test_json_says_the_same_and_the_thresholds(capsys: pytest.CaptureFixture[str]) -> None:
    found = {r["name"]: r for r in json.loads(told(capsys, "--format", "json"))}
    assert set(found) == known_rules()
    assert found["deep-offset"]["limits"] == {"min_rows": 10_000, "min_ratio": 10}
    assert found["duplicate-index"]["group"] == "schema"
    assert all(r["says"].endswith(".") and r["severity"] in ("error", "warning", "info") for r in found.values())
    (one,) = json.loads(told(capsys, "deep-offset", "--format", "json"))
    assert one == found["deep-offset"]
    assert one["quiet"].startswith("small offsets")


@pytest.mark.parametrize("name", ["key-near-overflow", "key_near_overflow", "KEY-NEAR-OVERFLOW"])
def test_one_rule_is_explained_with_its_thresholds(capsys: pytest.CaptureFixture[str], name: str) -> None:
    out = told(capsys, name)
    assert out.startswith("key-near-overflow (warning)\n")
    assert "Quiet:" in out
    assert "[rules.key-near-overflow]: min_share = 0.6" in out


def test_every_rule_can_be_explained(capsys: pytest.CaptureFixture[str]) -> None:
    for name in known_rules():
        assert told(capsys, name).startswith(name)


def test_an_unknown_name_is_refused_with_the_closest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rules", "duplicate-indexes"]) == 2
    assert "did you mean duplicate-index?" in capsys.readouterr().err
