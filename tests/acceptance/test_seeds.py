"""The two post-mortems: with premortem in the pipeline, neither reaches production."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from premortem import demo, pg
from premortem.cli import main
from premortem.demo import shop, story

ITEMS = 300_000
PENDING = "select * from orders where status = 'pending'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A change on its way to a production: its query, and what the gate says of it."""

    dsn: str
    folder: Path
    query: str

    def judged(self) -> tuple[int, dict[str, Any]]:
        """Pull the profile, check the query, and return the exit code and the report."""
        profile, report = self.folder / "prod.profile", self.folder / "report.json"
        (self.folder / "query.sql").write_text(self.query)
        assert main(["profile", "pull", self.dsn, "-o", str(profile)]) == 0
        code = main(
            ["check", "-p", str(profile), str(self.folder / "query.sql"), "--format", "json", "-o", str(report)]
        )
        return code, json.loads(report.read_text())


@pytest.fixture
def release(database: str, tmp_path: Path) -> Callable[[str], Release]:
    with pg.writer(database, purpose="test") as db:
        shop.load(db, ITEMS)
    return lambda query: Release(dsn=database, folder=tmp_path, query=query)


def remedies(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [f["remedy"] for q in report["queries"] for f in q["findings"] if f.get("remedy") and f["remedy"]["sql"]]


def pages_read(dsn: str, query: str) -> int:
    with pg.writer(dsn, purpose="test") as db:
        (explained,) = db.value(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}")
    return int(explained["Plan"]["Shared Hit Blocks"] + explained["Plan"]["Shared Read Blocks"])


def build(dsn: str, statements: list[str]) -> None:
    with pg.writer(dsn, purpose="test") as db:
        for statement in statements:
            db.execute(statement)
        db.execute("ANALYZE")


def test_the_query_without_its_composite_index_is_stopped_and_cured(
    release: Callable[[str], Release], database: str
) -> None:
    change = release(shop.PULL_REQUEST)
    values = shop.STATEMENT.replace("$1", f"'{shop.HOT[0]}'").replace("$2", f"'{shop.HOT[1]}'")
    code, report = change.judged()
    (remedy, *_) = remedies(report)

    assert code == 1
    assert report["verdict"] == "fail"
    assert "(product_sku, status)" in remedy["sql"][0] or "(status, product_sku)" in remedy["sql"][0]
    before = pages_read(database, values)
    build(database, remedy["sql"])
    assert pages_read(database, values) < before / 10
    assert change.judged()[0] == 0


def test_the_orders_that_are_pending_are_stopped_and_cured(release: Callable[[str], Release], database: str) -> None:
    change = release(PENDING)
    code, report = change.judged()
    (remedy, *_) = remedies(report)

    assert code == 1
    assert "ON public.orders" in remedy["sql"][0]
    before = pages_read(database, PENDING)
    build(database, remedy["sql"])
    # At four in a thousand, scattered, nearly every pending order is on a page of its own.
    assert pages_read(database, PENDING) < before
    code, report = change.judged()
    assert code == 0
    assert report["queries"][0]["plans"][0]["plan"]["Node Type"] != "Seq Scan"


def test_the_demo_tells_what_it_measures(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(shop, "PRODUCTION_ITEMS", 200_000)
    said: list[str] = []
    code = demo.run(story.Teller(say=said.append, told=lambda _: None, premortem=lambda a: main([*a])))

    assert code == 0
    text = "".join(said)
    assert "CREATE INDEX CONCURRENTLY" in text
    assert "FAIL" in capfd.readouterr().out
    faster = float(text.partition(" times faster")[0].rsplit(maxsplit=1)[-1].replace(",", ""))
    assert faster > 1
