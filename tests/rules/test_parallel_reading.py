"""What processes share is counted once, however EXPLAIN prints it: real parallel plans against the same without."""

from __future__ import annotations

import pytest

from premortem import catalog, pg, plans
from premortem.model import Plan, Profile, Values
from premortem.plans.worst import keeps
from premortem.rules.execution import executions
from premortem.rules.readings import Reading, readings

SCHEMA = """
CREATE TABLE mails (id int PRIMARY KEY, box int, kind int, at date, filler text) WITH (autovacuum_enabled = off);
INSERT INTO mails SELECT g, g % 30, g % 4, date '2024-01-01' + g % 700, repeat('x', 60)
    FROM generate_series(1, 60000) g;
CREATE INDEX mails_box ON mails (box);
CREATE TABLE boxes (id int PRIMARY KEY, name text);
INSERT INTO boxes SELECT g, 'box ' || g FROM generate_series(1, 20000) g;
"""
PARTITIONED = """
CREATE TABLE log (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE log1 PARTITION OF log FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
CREATE TABLE log2 PARTITION OF log FOR VALUES FROM ('2024-07-01') TO ('2025-01-01');
INSERT INTO log SELECT g, date '2024-01-01' + g % 360 FROM generate_series(1, 20000) g;
CREATE INDEX ON log (id);
"""
ALONE = "SET max_parallel_workers_per_gather = 0;"
PARALLEL = (
    "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;"
    "SET min_parallel_index_scan_size = 0; SET max_parallel_workers_per_gather = {};"
)
BITMAP = "SET enable_seqscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off;"
ONLY_INDEX = "SET enable_seqscan = off; SET enable_bitmapscan = off;"
LOOPS = "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off; SET enable_memoize = off;"
CASES = {
    "a bitmap": (BITMAP, "SELECT * FROM mails WHERE box = 7", "Bitmap Heap Scan"),
    "a bitmap and a filter": (BITMAP, "SELECT * FROM mails WHERE box < 9 AND kind = 3", "Bitmap Heap Scan"),
    "an index": (ONLY_INDEX, "SELECT filler FROM mails WHERE box < 9", "Index Scan"),
    "an index and a filter": (ONLY_INDEX, "SELECT * FROM mails WHERE box < 9 AND kind = 3", "Index Scan"),
    "an index alone": (ONLY_INDEX, "SELECT count(box) FROM mails WHERE box < 9", "Index Only Scan"),
    "a table": ("", "SELECT * FROM mails WHERE kind = 3", "Seq Scan"),
    "the inner side of a join": (LOOPS, "SELECT * FROM mails m JOIN boxes b ON b.id = m.id", "Index Scan"),
}


@pytest.mark.parametrize("workers", [1, 3])
def test_processes_that_share_a_scan_read_it_once(database: str, workers: int) -> None:
    profile = loaded(database)
    with pg.writer(database, purpose="test") as db:
        for name, (settings, sql, kind) in CASES.items():
            alone = read(db, profile, ALONE + settings, sql, kind)
            together = read(db, profile, PARALLEL.format(workers) + settings, sql, kind)
            assert together.execution.processes > 1, name
            assert together.read == pytest.approx(alone.read, rel=0.05), name
            assert together.kept == pytest.approx(alone.kept, rel=0.05), name


def test_a_partition_that_one_process_takes_is_read_once(database: str) -> None:
    profile = loaded(database, PARTITIONED)
    with pg.writer(database, purpose="test") as db:
        sql = "SELECT * FROM log WHERE id < 3000"
        alone = read(db, profile, ALONE + ONLY_INDEX, sql, "Index Scan")
        together = read(db, profile, PARALLEL.format(2) + ONLY_INDEX, sql, "Index Scan")
        assert together.read == pytest.approx(alone.read, rel=0.05)
        assert together.kept == pytest.approx(alone.kept, rel=0.05)


def test_a_filter_that_keeps_most_is_taken_at_its_word_in_parallel_too(database: str) -> None:
    profile = loaded(database)
    with pg.writer(database, purpose="test") as db:
        sql = "SELECT * FROM mails WHERE kind <> 3"
        alone = keeps(plan(db, ALONE, sql).root, profile)
        gather = plan(db, PARALLEL.format(3), sql).root
        assert gather.kind == "Gather"
        assert keeps(gather, profile) == pytest.approx(alone, rel=0.05)
        assert alone == pytest.approx(0.75, rel=0.05)


def test_a_measured_plan_counts_what_its_processes_did(database: str) -> None:
    settings, sql, _ = CASES["a bitmap"]
    profile = loaded(database)
    with pg.writer(database, purpose="test") as db:
        db.execute(f"RESET ALL; {PARALLEL.format(2)} {settings}")
        (reading,) = readings(plans.parse_json(db.value(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")), profile)
        assert reading.read == pytest.approx(2_000, abs=3)  # PostgreSQL rounds the rows of each loop before 18


def loaded(database: str, *more: str) -> Profile:
    with pg.writer(database, purpose="test") as db:
        for statement in (SCHEMA, *more, "VACUUM ANALYZE"):
            db.execute(statement)
    with pg.session(database, purpose="test") as db:
        return catalog.pull(db, values=Values.ALL)


def plan(db: pg.Session, settings: str, sql: str) -> Plan:
    db.execute(f"RESET ALL; {settings}")
    return plans.parse_json(db.value(f"EXPLAIN (VERBOSE, FORMAT JSON) {sql}"))


def read(db: pg.Session, profile: Profile, settings: str, sql: str, kind: str) -> Reading:
    planned = plan(db, settings, sql)
    assert kind in {e.node.kind for e in executions(planned, profile)}, planned.root
    return next(r for r in readings(planned, profile) if r.node.kind == kind)
