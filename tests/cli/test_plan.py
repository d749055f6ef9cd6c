"""`premortem explain --plan`: from a paste to a report, without a server, and with a profile's twin."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from premortem import cli, pg
from tests.rules.executions import SCHEMA

SCAN = """\
Limit  (cost=0.00..4000.00 rows=20 width=68) (actual time=310.000..420.031 rows=20 loops=1)
  Buffers: shared hit=3 read=20000
  ->  Seq Scan on orders o  (cost=0.00..45000.00 rows=200 width=68) (actual time=310.000..420.000 rows=20 loops=1)
        Filter: ((status = 'open'::text) AND (created_at > '2024-01-01'::date))
        Rows Removed by Filter: 1999980
        Buffers: shared hit=3 read=20000
Planning Time: 0.120 ms
Execution Time: 420.055 ms
"""
POINT = """\
Index Scan using a on t  (cost=0.29..8.31 rows=1 width=4) (actual time=0.1..0.1 rows=1 loops=1)
  Index Cond: (id = 3)
"""


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = cli.main(["explain", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.txt"
    path.write_text(SCAN)
    return path


def test_a_pasted_scan_fails_with_an_index_as_advice(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run("--plan", str(plan), "-q", capsys=capsys)
    assert code == 1, err
    assert "seq-scan-discards-rows: reads all 2,000,000 rows of orders to keep 20" in " ".join(out.split())
    assert "CREATE INDEX CONCURRENTLY orders_status_created_at_idx" in out
    assert "premortem did not try it" in " ".join(out.split())
    assert "No profile;" in " ".join(out.split())


def test_json_names_the_sources_of_its_figures(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("--plan", str(plan), "-q", "-f", "json", capsys=capsys)
    report = json.loads(out)
    (query,) = report["queries"]
    scan = next(f for f in query["findings"] if f["rule"] == "seq-scan-discards-rows")
    sources = {e["name"]: e["source"] for e in scan["evidence"]}
    assert code == 1
    assert sources["rows read"] == sources["rows kept"] == "measured"
    assert sources["table size"] == "computed"
    assert scan["node"] == [0]
    assert scan["remedy"]["proof"] == "advice"
    assert report["facts"]["plans_from"] == str(plan)
    assert report["facts"]["profile_taken_at"] is None
    assert query["plans"][0]["plan"]["Plans"][0]["Rows Removed by Filter"] == 1999980
    assert {g["subject"] for g in query["gaps"]} == {"the tables' sizes and columns"}


@pytest.mark.parametrize("form", ["markdown", "html", "sarif", "junit", "text", "github", "gitlab"])
def test_every_format_can_show_a_plan(form: str, plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run("--plan", str(plan), "-q", "-f", form, capsys=capsys)
    assert (code, err) == (1, "")
    assert "seq-scan-discards-rows" in out


def test_standard_input_may_hold_several(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"see below\n\n{POINT}\nand then\n\n```\n{SCAN}```\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code, out, _ = run("--plan", "-", "-q", "-f", "json", capsys=capsys)
    queries = json.loads(out)["queries"]
    assert code == 1
    assert [(q["verdict"], q["location"]["line"]) for q in queries] == [("pass", 3), ("fail", 9)]


def test_an_estimated_plan_says_what_it_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.txt"
    path.write_text(POINT.replace(" (actual time=0.1..0.1 rows=1 loops=1)", ""))
    code, out, _ = run("--plan", str(path), "-q", "-f", "json", capsys=capsys)
    assert code == 0
    assert "measurements" in {g["subject"] for g in json.loads(out)["queries"][0]["gaps"]}


def test_what_a_windows_shell_wrote_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.txt"
    path.write_text(SCAN, "utf-16", newline="\r\n")
    assert run("--plan", str(path), "-q", capsys=capsys)[0] == 1


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("hello", [], "holds no EXPLAIN plan"),
        ("", [], "holds no EXPLAIN plan"),
        ('[{"Plan": {"Node Type": "Limit", ', [], "damaged or cut off"),
        ("<explain><Query><Plan>", [], "cut off"),
        (SCAN, ["--set", "a=1"], "--set has no meaning"),
        (SCAN, ["-m", "here"], "--migrations needs a profile"),
    ],
)
def test_what_cannot_be_judged_is_one_error_with_a_hint(
    text: str, arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plan.txt"
    path.write_text(text)
    code, out, err = run("--plan", str(path), "-q", *arguments, capsys=capsys)
    assert (code, out) == (2, "")
    assert says in err
    assert "hint: " in err


def test_a_query_still_needs_a_profile(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run("select 1", capsys=capsys)
    assert code == 2
    assert "needs a profile" in err


@pytest.mark.pg(">= 18")
def test_with_a_profile_and_the_statement_the_twin_proves_an_index(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query = "SELECT * FROM orders WHERE state = 'open' AND amount = 50 AND customer > 3 ORDER BY at DESC LIMIT 5"
    with pg.writer(database, purpose="test") as db:
        db.execute(SCHEMA + "DROP INDEX orders_amount_idx")
        db.execute("VACUUM ANALYZE")
        printed = "\n".join(db.values(f"EXPLAIN (ANALYZE, BUFFERS) {query}"))
    profile = tmp_path / "prod.profile"
    assert cli.main(["profile", "pull", database, "-o", str(profile), "--values", "all"]) == 0
    capsys.readouterr()
    path = tmp_path / "plan.txt"
    path.write_text(f"shop=# explain (analyze, buffers) {query};\n QUERY PLAN\n-----\n{printed}\n(9 rows)\n")
    code, out, err = run("--plan", str(path), "-p", str(profile), "-q", "-f", "json", capsys=capsys)
    (judged,) = json.loads(out)["queries"]
    assert code == 1, err
    assert [p["parameters"] for p in judged["plans"]] == ["pasted", "literal"]
    assert judged["advice"]
    found = next(f for f in judged["findings"] if f["rule"] == "seq-scan-discards-rows")
    assert found["key"].startswith("seq-scan-discards-rows:public.orders:")
    assert found["remedy"]["proof"] == "likely"
