"""`premortem diagnose`: what it prints, its exit codes, and what it makes of bad input."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from premortem import pg
from premortem.cli import main
from tests.diagnosis import shop, traffic

ITEMS = "SELECT id, quantity FROM order_items WHERE product_sku = %(sku)s AND status = %(status)s"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "diagnose.md"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "premortem.toml").write_text("[watch.limits]\nmean_ms = 1\n")
    return tmp_path


@pytest.fixture
def busy(database: str) -> Iterator[str]:
    shop.load(database)
    asking = traffic.asking(ITEMS, sku="SKU-7", status="pending")
    with traffic.running(database, asking):
        yield database


def keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from keys(inner) if name != "tags" else ()
    if isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def test_one_screen_says_what_why_and_what_to_type(busy: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deploys = '{"service": "shop", "revision": "a7c3dbe", "at": "2026-01-31T14:03:00+00:00"}\n'
    (here / "deploys.json").write_text(deploys)
    assert main(["diagnose", busy, "--seconds", "2", "--budget", "200", "--deploys", "deploys.json"]) == 1
    shown = capsys.readouterr().out
    for said in ("order_items by product_sku and status", "CREATE INDEX CONCURRENTLY", "Seq Scan", "undo:", "HURTS"):
        assert said in shown
    assert len(shown.splitlines()) <= 45


def test_json_for_programs_and_every_field_of_it_is_documented(
    busy: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagnose", busy, "--seconds", "2", "--budget", "200", "-f", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["format"] == 1
    assert told["hurts"][0]["why"]["cause"] == "missing-index"
    documented = set(re.findall(r"`(\w+)`", PAGE.read_text("utf-8")))
    assert set(keys(told)) - documented == set()


def test_markdown_for_the_incidents_channel(busy: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diagnose", busy, "--seconds", "2", "--budget", "200", "-f", "markdown"]) == 1
    shown = capsys.readouterr().out
    assert "```sql\nCREATE INDEX CONCURRENTLY" in shown
    assert "**Why** (missing-index" in shown


def test_an_instance_of_the_settings_by_its_name(
    database: str, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "premortem.toml").write_text('[[instances]]\nname = "shop-1"\ndsn = {env = "SHOP_DSN"}\n')
    monkeypatch.setenv("SHOP_DSN", database)
    assert main(["diagnose", "shop-1", "--seconds", "0.2"]) == 0
    assert "NOTHING HURTS" in capsys.readouterr().out


def test_a_role_that_sees_nothing_could_not_tell(database: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop.run(database, "DROP ROLE IF EXISTS nobody_here", "CREATE ROLE nobody_here LOGIN")
    code = main(["diagnose", f"{database} user=nobody_here", "--seconds", "0.2"])
    shop.run(database, "DROP ROLE nobody_here")
    assert code == 3
    assert "COULD NOT TELL" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["diagnose", " "], 2, "the connection string is empty"),
        (["diagnose", "host=/nowhere dbname=x"], 3, "is a server running"),
        (["diagnose", "postgresql://a:secret@@b"], 2, "cannot be read"),
        (["diagnose", "host=/nowhere", "--deploys", "nowhere.json"], 2, "nowhere.json cannot be read"),
        (["diagnose", "host=/nowhere", "--deploys", "premortem.toml"], 2, "holds no deploys"),
    ],
)
def test_bad_input(arguments: list[str], code: int, said: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert "secret" not in shown.err + shown.out


def test_a_store_that_does_not_answer_is_a_gap(database: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "premortem.toml").write_text('[watch]\nstore = "host=/nowhere dbname=state"\n')
    assert main(["diagnose", database, "--seconds", "0.2"]) == 0
    assert "the watcher's memory" in capsys.readouterr().out


def test_nothing_is_left_on_the_server(busy: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["diagnose", busy, "--seconds", "2", "--budget", "200"])
    with pg.writer(busy, purpose="test") as db:
        own = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'premortem/%' AND pid <> %(own)s"
        left = own.replace("%'", "%%'") + " AND application_name NOT LIKE 'premortem/test'"
        for _ in range(600):  # a backend is gone a moment after its client
            if not (count := db.value(left, own=db.pid)):
                break
            time.sleep(0.1)
        assert count == 0
        counted = db.value(
            "SELECT count(*) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid"
            " WHERE d.datname = current_database() AND s.query LIKE '%EXPLAIN%'"
        )
    assert counted == 0
