"""`check --mirror` on real servers: evidence, proof, refusal, and nothing left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from premortem import pg
from premortem.cli import main
from tests.execution.conftest import Staging

MISSING = "SELECT * FROM items WHERE sku = $1 AND status = $2"
JOINED = "SELECT i.id FROM orders o JOIN items i ON i.order_id = o.id WHERE o.customer_id = $1 AND i.status = $2"


def judged(staging: Staging, folder: Path, *queries: str, options: tuple[str, ...] = ()) -> tuple[int, dict[str, Any]]:
    source, report = folder / "q.sql", folder / "report.json"
    source.write_text("".join(f"{q};\n" for q in queries))
    told = [
        "check",
        "-p",
        str(staging.file),
        "--mirror",
        staging.dsn,
        str(source),
        "-f",
        "json",
        "-o",
        str(report),
        "-q",
    ]
    code = main([*told, *options])
    return code, json.loads(report.read_text()) if report.exists() else {}


def test_a_missing_index_is_proved_by_building_it(staging: Staging, tmp_path: Path) -> None:
    before = staging.contents()
    code, report = judged(staging, tmp_path, MISSING, options=("--mirror-values",))
    assert code == 1
    (query,) = report["queries"]
    executed = query["executed"]
    assert {e["parameters"] for e in executed["before"]} >= {"rare", "absent", "sampled", "sampled-2"}
    assert all(e["finished"] and e["plan"]["Actual Rows"] >= 0 for e in executed["before"])
    after = {e["parameters"]: e for e in executed["after"]}
    assert all(after[e["parameters"]]["blocks"] * 10 < e["blocks"] for e in executed["before"])
    (built,) = executed["built"]
    assert built["size_bytes"] > 8192
    (finding,) = (f for f in query["findings"] if f["rule"] == "seq-scan-discards-rows")
    assert finding["remedy"]["proof"] == "proved"
    assert built["name"] in finding["remedy"]["measured"]
    assert {"measured"} <= {e["source"] for e in finding["evidence"]}
    assert staging.contents() == before


#: What the proposal is, by which rows ANALYZE happened to see.
PROPOSED = {"items_sku_status_idx": "(sku, status)", "items_sku_idx": "(sku)"}


@pytest.mark.parametrize("names", [("tried_here",), tuple(PROPOSED)], ids=("another name", "the proposal's name"))
def test_an_index_that_somebody_left_there_does_not_make_the_query_pass(
    staging: Staging, tmp_path: Path, names: tuple[str, ...]
) -> None:
    with pg.writer(staging.dsn, purpose="test") as db:
        for name in names:
            db.execute(f"CREATE INDEX {name} ON items {PROPOSED.get(name, '(sku, status)')}")
    try:
        before = staging.contents()
        code, report = judged(staging, tmp_path, MISSING, options=("--mirror-values",))
        assert staging.contents() == before
    finally:
        with pg.writer(staging.dsn, purpose="test") as db:
            db.execute(f"DROP INDEX {', '.join(names)}")
    assert code == 1
    (query,) = report["queries"]
    (finding,) = (f for f in query["findings"] if f["rule"] == "seq-scan-discards-rows")
    assert finding["remedy"]["proof"] == "proved"
    assert {b["name"] for b in query["executed"]["built"]} <= PROPOSED.keys()
    assert all(any(name in gap["says"] and "hidden" in gap["effect"] for gap in report["gaps"]) for name in names)


def test_sampled_values_belong_together(staging: Staging, tmp_path: Path) -> None:
    _, report = judged(staging, tmp_path, JOINED, options=("--mirror-values",))
    (query,) = report["queries"]
    sampled = [e for e in query["executed"]["before"] if e["parameters"].startswith("sampled")]
    assert len(sampled) == 2
    with pg.session(staging.dsn, purpose="test") as db:
        for ran in sampled:
            customer, status = ran["values"]
            found = db.value(
                "SELECT count(*) FROM public.orders o JOIN public.items i ON i.order_id = o.id"
                " WHERE o.customer_id = %(c)s AND i.status = %(s)s", c=int(customer), s=status,
            )  # fmt: skip
            assert found > 0
            assert ran["plan"]["Actual Rows"] * ran["plan"]["Actual Loops"] == pytest.approx(found, abs=1)


def test_a_staging_copys_rows_are_not_shown_unasked(staging: Staging, tmp_path: Path) -> None:
    _, report = judged(staging, tmp_path, MISSING)
    sets = {e["parameters"] for e in report["queries"][0]["executed"]["before"]}
    assert sets
    assert not any(name.startswith("sampled") for name in sets)
    assert any("--mirror-values" in gap["cure"] for gap in report["gaps"])


def test_what_writes_is_undone(staging: Staging, tmp_path: Path) -> None:
    before = staging.contents()
    writes = ("UPDATE items SET pieces = pieces + 1 WHERE sku = $1", "DELETE FROM items WHERE order_id = $1",
              "INSERT INTO orders (customer_id, status) VALUES ($1, $2)", "SELECT logged()")  # fmt: skip
    _, report = judged(staging, tmp_path, *writes)
    ran = {q["text"]: q["executed"] for q in report["queries"]}
    assert all(len(ran[text]["before"]) >= 1 for text in writes)
    assert staging.contents() == before


def test_what_does_not_finish_fails_with_its_cure(staging: Staging, tmp_path: Path) -> None:
    slow = "SELECT count(*) FROM items a, items b WHERE a.pieces + b.pieces = 3 AND a.sku = $1"
    code, report = judged(staging, tmp_path, slow, "SELECT pg_sleep(3)", options=("--mirror-timeout", "0.05"))
    assert code == 1
    for query in report["queries"]:
        (finding,) = (f for f in query["findings"] if f["rule"] == "did-not-finish")
        assert finding["severity"] == "error"
        assert "50 ms" in finding["says"]


def test_rules_on_executions_fire(staging: Staging, tmp_path: Path) -> None:
    misjudged = "SELECT customer_id, count(*) FROM orders WHERE total % 10 = 3 GROUP BY 1"
    _, report = judged(staging, tmp_path, misjudged)
    (query,) = report["queries"]
    assert "row-estimate-wrong" in {f["rule"] for f in query["findings"]}


def test_an_index_in_a_table_with_updated_rows_is_tried_for_good_and_dropped(staging: Staging, tmp_path: Path) -> None:
    """HOT chains with different values make PostgreSQL keep the index from the transaction that builds it."""
    with pg.writer(staging.dsn, purpose="test") as db:
        db.execute("UPDATE items SET sku = sku || 'x' WHERE id % 40 = 0")
        db.execute("ANALYZE items")
    old = staging.contents()
    with pg.writer(staging.dsn, purpose="test") as reader, reader.transaction():
        reader.execute("SELECT 1 FROM items LIMIT 1")  # keeps the old versions alive
        with pg.writer(staging.dsn, purpose="test") as db:
            db.execute("UPDATE items SET sku = sku || 'y' WHERE id % 40 = 0")
        _, report = judged(staging, tmp_path, MISSING)
    assert report["queries"][0]["executed"]["built"]
    assert staging.contents()[2] == old[2]


def test_indexes_of_a_killed_run_are_swept(staging: Staging, tmp_path: Path) -> None:
    with pg.writer(staging.dsn, purpose="test") as db:
        db.execute("CREATE INDEX left_behind ON items (sku)")
        db.execute("COMMENT ON INDEX left_behind IS 'premortem: tried on the mirror, to be dropped'")
        db.execute("CREATE INDEX somebodys ON items (pieces)")
    judged(staging, tmp_path, "SELECT 1 FROM orders WHERE id = $1")
    with pg.writer(staging.dsn, purpose="test") as db:
        found = db.values("SELECT indexname::text FROM pg_indexes WHERE tablename = 'items'")
        db.execute("DROP INDEX somebodys")
    assert "left_behind" not in found
    assert "somebodys" in found


@pytest.mark.parametrize(
    ("role", "says"),
    [("production", "says that it is production"), ("", "the one that the profile was taken from")],
)
def test_production_is_refused(
    staging: Staging, tmp_path: Path, capsys: pytest.CaptureFixture[str], role: str, says: str
) -> None:
    with pg.writer(staging.dsn, purpose="test") as db:
        name = db.value("SELECT current_database()::text")
        db.execute(f"ALTER DATABASE {name} SET premortem.role = '{role}'")
    try:
        code, report = judged(staging, tmp_path, MISSING)
    finally:
        with pg.writer(staging.dsn, purpose="test") as db:
            db.execute(f"ALTER DATABASE {name} SET premortem.role = 'staging'")
    assert (code, report) == (2, {})
    assert says in capsys.readouterr().err


def test_a_query_that_the_mirror_refuses_is_judged_by_its_plans(staging: Staging, tmp_path: Path) -> None:
    with pg.writer(staging.dsn, purpose="test") as db:
        db.execute("ALTER TABLE orders DROP COLUMN note")
    query = "SELECT note FROM items i JOIN orders o ON o.id = i.order_id WHERE sku = $1"
    try:
        _, report = judged(staging, tmp_path, query)
    finally:
        with pg.writer(staging.dsn, purpose="test") as db:
            db.execute("ALTER TABLE orders ADD COLUMN note text DEFAULT 'n'")
    (told,) = report["queries"]
    assert told["verdict"] == "fail"
    assert told["executed"]["before"] == []
    assert any("note" in gap["says"] for gap in told["gaps"])


def test_the_changes_migrations_hold_on_the_mirror_and_are_undone(staging: Staging, tmp_path: Path) -> None:
    before = staging.contents()
    migration = tmp_path / "0001_orders.sql"
    migration.write_text(
        "CREATE INDEX CONCURRENTLY items_sku_status ON items (sku, status);\n"
        "ALTER TABLE items ADD COLUMN colour text NOT NULL DEFAULT 'red';\n"
    )
    query = "SELECT colour FROM items WHERE sku = $1 AND status = $2"
    _, report = judged(staging, tmp_path, query, options=("--migrations", str(migration), "--mirror-values"))
    (told,) = report["queries"]
    plans = json.dumps([e["plan"] for e in told["executed"]["before"]])
    assert "items_sku_status" in plans
    assert told["verdict"] == "pass"
    assert staging.contents() == before


def test_migrations_that_the_mirror_refuses_are_a_gap(staging: Staging, tmp_path: Path) -> None:
    migration = tmp_path / "0001_orders.sql"
    migration.write_text("ALTER TABLE items ADD CONSTRAINT few CHECK (pieces < 3);")
    _, report = judged(staging, tmp_path, MISSING, options=("--migrations", str(migration)))
    assert any("migrations on the mirror" in g["subject"] and "few" in g["says"] for g in report["gaps"])
    assert report["queries"][0]["executed"]["before"]
