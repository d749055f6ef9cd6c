"""The same plan in all four forms, and whatever was done to its text, is one plan; on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

import pytest

from premortem import pg, plans
from premortem.model import Node, Plan
from tests.plans.damages import HARMLESS, LOSSY
from tests.plans.test_live import HERE, PARALLEL, STATEMENTS
from tests.rules.executions import SCENARIOS
from tests.rules.executions import SCHEMA as EXECUTED

OPTIONS = "ANALYZE, VERBOSE, BUFFERS, WAL, SETTINGS, SUMMARY"
#: What differs between two executions of one statement.
VARIES = {
    "startup_ms", "total_ms", "read_ms", "memory_kb", "disk_kb", "shared_hit_blocks", "shared_read_blocks",
    "shared_dirtied_blocks", "temp_read_blocks", "temp_written_blocks", "wal_records", "wal_full_pages", "wal_bytes",
    "heap_fetches", "batches", "original_batches", "cache_evictions", "rows",
}  # fmt: skip


@pytest.fixture
def db(database: str) -> Iterator[pg.Session]:
    with pg.writer(database, purpose="test") as db:
        db.execute((HERE / "schema.sql").read_text())
        db.execute(EXECUTED)
        db.execute("VACUUM ANALYZE")
        yield db


def corpus(db: pg.Session) -> Iterator[tuple[str, str, str]]:
    """Settings, options and statement of everything that is tried."""
    newer = ", SERIALIZE, MEMORY" if db.server_version >= 170_000 else ""
    for statement in STATEMENTS:
        yield "", OPTIONS + newer, statement
    for name in ("sort-spills-to-disk", "hash-spills-to-disk", "lossy-bitmap", "memoize-cache-misses", "slow-trigger"):
        yield SCENARIOS[name].settings, OPTIONS + newer, SCENARIOS[name].statement
    parallel = "; ".join(f"SET {name} = '{value}'" for name, value in PARALLEL.items())
    yield parallel, OPTIONS + newer, "SELECT * FROM orders ORDER BY note, amount"
    yield "", "ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF", "SELECT count(*) FROM orders WHERE amount > 3"


def explained(db: pg.Session, settings: str, options: str, statement: str, form: str) -> str:
    with db.rolled_back():
        for part in settings.split(";"):
            if part.strip():
                db.execute(part)
        return "\n".join(map(str, db.values(f"EXPLAIN ({options}, FORMAT {form}) {statement}"))) + "\n"


def steady(node: Node) -> Node:
    actual = node.actual
    if actual is not None:
        told = {f.name: None for f in fields(actual) if f.name in VARIES - {"rows"}}
        actual = replace(actual, rows=0.0, **told)  # type: ignore[arg-type]
    below = tuple(map(steady, node.children))
    return replace(node, raw={}, actual=actual, children=below, startup_cost=0, total_cost=0, rows=0)


def outline(plan: Plan) -> list[object]:
    return [(n.path, n.parent_relationship, n.subplan_name, plans.label(n), n.rows, n.total_cost,
             n.actual and (n.actual.rows, n.actual.loops, n.actual.total_ms)) for n in plan.walk()]  # fmt: skip


def test_all_forms_are_one_plan(db: pg.Session) -> None:
    for settings, options, statement in corpus(db):
        texts = {form: explained(db, settings, options, statement, form) for form in ("TEXT", "XML", "YAML")}
        with db.rolled_back():
            for part in settings.split(";"):
                if part.strip():
                    db.execute(part)
            whole = plans.parse_json(db.value(f"EXPLAIN ({options}, FORMAT JSON) {statement}"))
        for form, text in texts.items():
            read = plans.read(text)
            assert len(read) == 1
            assert steady(read[0].plan.root) == steady(whole.root), f"{form}\n{text}"
            assert read[0].plan.settings == whole.settings
            assert [t.constraint for t in read[0].plan.triggers] == [t.constraint for t in whole.triggers]
            assert (read[0].plan.planning_ms is None) == (whole.planning_ms is None)


def test_a_damaged_text_is_the_same_plan(db: pg.Session) -> None:
    for settings, options, statement in corpus(db):
        if "\n" in statement or "\\n" in statement:
            continue  # a constant over two lines has no blanks of psql's in it, and gets them here
        text = explained(db, settings, options, statement, "TEXT")
        (whole,) = plans.read(text)
        assert whole.sound
        for name, damage in HARMLESS.items():
            read = plans.read(damage(text))
            assert len(read) == (2 if name == "another plan after it" else 1), f"{name}\n{damage(text)}"
            assert plans.lines(read[0].plan) == plans.lines(whole.plan), f"{name}\n{damage(text)}"
            assert read[0].plan.execution_ms == whole.plan.execution_ms
        if "COSTS OFF" in options:
            continue  # the costs are what tells how many inputs an Append has
        for name, damage in LOSSY.items():
            read = plans.read(damage(text))
            assert outline(read[0].plan) == outline(whole.plan), f"{name}\n{damage(text)}"
