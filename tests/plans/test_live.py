"""The text and the JSON form of one statement are one plan, on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from premortem import pg, plans
from premortem.model import Node, Plan

HERE = Path(__file__).parent
STATEMENTS = [s.strip() for s in (HERE / "statements.sql").read_text().split("\n", 1)[1].split(";\n") if s.strip()]
PARALLEL = {
    "parallel_setup_cost": "0",
    "parallel_tuple_cost": "0",
    "min_parallel_table_scan_size": "0",
    "min_parallel_index_scan_size": "0",
    "max_parallel_workers_per_gather": "2",
}
WAYS: dict[str, dict[str, str]] = {
    "as it comes": {},
    "parallel": PARALLEL,
    "nested loops": {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_sort": "off"},
    "merges": {"enable_hashjoin": "off", "enable_nestloop": "off", "enable_hashagg": "off"},
    "no bitmaps": {"enable_bitmapscan": "off", "enable_seqscan": "off", "enable_material": "off"},
}


@pytest.fixture
def db(database: str) -> Iterator[pg.Session]:
    with pg.writer(database, purpose="test") as db:
        db.execute((HERE / "schema.sql").read_text())
        db.execute("VACUUM ANALYZE")
        yield db


def bare(node: Node, *, verbose: bool, measured: bool = False) -> Node:
    """The node without what the text form cannot say, and without what differs between two runs of a statement."""
    if measured and node.actual is not None:
        # a rolled-back change leaves its pages behind, so the second run's estimates are others
        node = replace(
            node,
            startup_cost=0,
            total_cost=0,
            rows=0,
            actual=replace(
                node.actual,
                startup_ms=None,
                total_ms=None,
                shared_hit_blocks=None,
                shared_read_blocks=None,
                shared_dirtied_blocks=None,
                temp_read_blocks=None,
                temp_written_blocks=None,
            ),
        )
    return replace(
        node,
        raw={},
        inner_unique=node.inner_unique if verbose else None,
        children=tuple(bare(child, verbose=verbose, measured=measured) for child in node.children),
    )


def both(db: pg.Session, statement: str, options: str) -> tuple[Plan, Plan, str]:
    with db.rolled_back():
        as_json = plans.parse_json(db.value(f"EXPLAIN (FORMAT JSON{options}) {statement}"))
    with db.rolled_back():
        printed = "\n".join(str(line) for line in db.values(f"EXPLAIN (FORMAT TEXT{options}) {statement}"))
    return as_json, plans.parse(printed), printed


@pytest.mark.parametrize("options", [", VERBOSE", ", SETTINGS", ", COSTS OFF, VERBOSE"])
def test_both_forms_are_one_plan(db: pg.Session, options: str) -> None:
    verbose = "VERBOSE" in options
    for settings in WAYS.values():
        for name, value in settings.items():
            db.execute(f"SET {name} = '{value}'")
        for statement in STATEMENTS:
            as_json, as_text, printed = both(db, statement, options)
            assert bare(as_text.root, verbose=verbose) == bare(as_json.root, verbose=verbose), printed
            assert as_text.settings == as_json.settings
            assert plans.shape(as_text) == plans.shape(as_json)
        db.execute("RESET ALL")


@pytest.mark.parametrize("options", [", ANALYZE, VERBOSE, TIMING OFF", ", ANALYZE, BUFFERS"])
def test_both_forms_are_one_measured_plan(db: pg.Session, options: str) -> None:
    verbose = "VERBOSE" in options
    for statement in STATEMENTS:
        as_json, as_text, printed = both(db, statement, options)
        plain = [bare(plan.root, verbose=verbose, measured=True) for plan in (as_json, as_text)]
        assert plain[0] == plain[1], printed
        fired = [[(t.constraint, t.calls) for t in plan.triggers] for plan in (as_json, as_text)]
        assert fired[0] == fired[1]


def test_blocks_are_read_from_the_text_form(db: pg.Session) -> None:
    as_json, as_text, printed = both(db, "SELECT count(*) FROM item WHERE note IS NULL", ", ANALYZE, BUFFERS")
    scans = [next(plan.scans("Seq Scan")).actual for plan in (as_json, as_text)]
    assert scans[0] is not None
    assert scans[1] is not None
    assert scans[1].shared_hit_blocks == scans[0].shared_hit_blocks, printed
    assert scans[1].shared_read_blocks == 0
