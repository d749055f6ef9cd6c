"""What the twin sees on empty tables is what happens to those with rows: rewrites, checks, builds, free changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from premortem import migrations, pg
from premortem.migrations.files import parse
from premortem.migrations.observed import Kind

SCHEMA = """
CREATE TABLE parent (id int PRIMARY KEY);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN anything AS int;
CREATE TABLE t (id int PRIMARY KEY, i int, n numeric(10,2), v varchar(20), x text, ts timestamp,
    tz timestamptz, b bit(4), bv varbit(10), c char(5), arr int[], j json, iv interval(3), tm timestamp(3), p int);
CREATE INDEX t_v ON t (v);
CREATE INDEX t_x ON t (x);
"""
ROWS = """
INSERT INTO parent SELECT i FROM generate_series(1, 10) i;
INSERT INTO t SELECT i, i, i, 'v' || i, 'x', now(), now(), B'1010', B'1', 'abc', '{1}', '{}', '1 day', now(), 1
FROM generate_series(1, 500) i
"""
#: A statement, and what PostgreSQL does with every row of t.
CHANGES: dict[str, set[Kind]] = {
    "ALTER TABLE t ADD COLUMN a int": set(),
    "ALTER TABLE t ADD COLUMN a int DEFAULT 5": set(),
    "ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 5": set(),
    "ALTER TABLE t ADD COLUMN a timestamptz DEFAULT now()": set(),
    "ALTER TABLE t ADD COLUMN a timestamptz DEFAULT clock_timestamp()": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid()": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t ADD COLUMN a serial": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t ADD COLUMN a bigint GENERATED ALWAYS AS IDENTITY": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t ADD COLUMN a int GENERATED ALWAYS AS (i + 1) STORED": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t ADD COLUMN a positive DEFAULT 1": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t ADD COLUMN a int CHECK (a > 0)": {Kind.VERIFY},
    "ALTER TABLE t ADD COLUMN a int UNIQUE": {Kind.BUILD},
    "ALTER TABLE t DROP COLUMN n": set(),
    "ALTER TABLE t ALTER COLUMN v TYPE varchar(40)": set(),
    "ALTER TABLE t ALTER COLUMN v TYPE varchar": set(),
    "ALTER TABLE t ALTER COLUMN v TYPE text": set(),
    "ALTER TABLE t ALTER COLUMN v TYPE varchar(10)": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t ALTER COLUMN x TYPE varchar": set(),
    "ALTER TABLE t ALTER COLUMN x TYPE varchar(100)": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t ALTER COLUMN x TYPE text COLLATE \"C\"": {Kind.BUILD},
    "ALTER TABLE t ALTER COLUMN i TYPE bigint": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t ALTER COLUMN i TYPE oid": set(),
    "ALTER TABLE t ALTER COLUMN i TYPE anything": set(),
    "ALTER TABLE t ALTER COLUMN i TYPE positive": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t ALTER COLUMN i TYPE text": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t ALTER COLUMN n TYPE numeric(12,2)": set(),
    "ALTER TABLE t ALTER COLUMN n TYPE numeric": set(),
    "ALTER TABLE t ALTER COLUMN n TYPE numeric(12,4)": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t ALTER COLUMN ts TYPE timestamptz": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t ALTER COLUMN tm TYPE timestamp(6)": set(),
    "ALTER TABLE t ALTER COLUMN iv TYPE interval": set(),
    "ALTER TABLE t ALTER COLUMN bv TYPE varbit(20)": set(),
    "ALTER TABLE t ALTER COLUMN c TYPE char(10)": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t ALTER COLUMN j TYPE jsonb USING j::jsonb": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t ALTER COLUMN i SET NOT NULL": {Kind.VERIFY},
    "ALTER TABLE t ALTER COLUMN id SET NOT NULL": set(),
    "ALTER TABLE t ADD CONSTRAINT k CHECK (i > 0)": {Kind.VERIFY},
    "ALTER TABLE t ADD CONSTRAINT k CHECK (i > 0) NOT VALID": set(),
    "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (p) REFERENCES parent": {Kind.VALIDATE},
    "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (p) REFERENCES parent NOT VALID": set(),
    "ALTER TABLE t ADD UNIQUE (i)": {Kind.BUILD},
    "ALTER TABLE t SET UNLOGGED": {Kind.REWRITE, Kind.BUILD},
    "ALTER TABLE t SET (fillfactor = 50)": set(),
    "ALTER TABLE t ALTER COLUMN i SET DEFAULT 3": set(),
    "CREATE INDEX k ON t (i)": {Kind.BUILD},
    "REINDEX TABLE t": {Kind.BUILD},
    "CLUSTER t USING t_v": {Kind.REWRITE, Kind.BUILD},
    "TRUNCATE t": set(),
    "ALTER TABLE t RENAME COLUMN i TO k": set(),
    "DO $$ BEGIN EXECUTE 'ALTER TABLE t ALTER COLUMN i TYPE bigint'; END $$": {Kind.REWRITE, Kind.BUILD},
}  # fmt: skip


@pytest.fixture
def empty(database: str) -> Iterator[pg.Session]:
    with pg.writer(database, purpose="test") as db:
        db.execute(SCHEMA)
        yield db


ZONE = "Europe/Berlin"


def seen(db: pg.Session, statement: str, zone: str = ZONE) -> set[Kind]:
    """What applying a migration sees of t, undone again."""
    with db.rolled_back():
        (observed,) = migrations.apply(db, [parse("m.sql", statement)], ["public"], time_zone=zone).observed
    assert observed.skipped is None
    return {w.kind for w in observed.work if w.table.name == "t"}


def test_what_the_twin_sees_is_what_postgresql_does(empty: pg.Session) -> None:
    assert len(CHANGES) >= 30
    wrong = {s: (seen(empty, s), wanted) for s, wanted in CHANGES.items() if seen(empty, s) != wanted}
    assert wrong == {}


def test_the_time_zone_decides(empty: pg.Session) -> None:
    change = "ALTER TABLE t ALTER COLUMN ts TYPE timestamptz"
    assert seen(empty, change, "UTC") == set()
    assert Kind.REWRITE in seen(empty, change, ZONE)


def test_a_table_with_rows_is_rewritten_where_the_empty_one_said_so(empty: pg.Session) -> None:
    said = {s: Kind.REWRITE in seen(empty, s) for s in CHANGES if not s.startswith("TRUNCATE")}
    empty.execute(ROWS)
    empty.execute(f"SET TimeZone = '{ZONE}'")
    wrong = {s: expected for s, expected in said.items() if rewritten(empty, s) != expected}
    assert wrong == {}
    assert sum(said.values()) >= 12
    assert len(said) - sum(said.values()) >= 18


def rewritten(db: pg.Session, statement: str) -> bool:
    """Whether the table has another file after a statement."""
    with db.rolled_back():
        before = db.value("SELECT pg_relation_filenode('t')")
        db.execute(statement)
        return bool(db.value("SELECT pg_relation_filenode('t')") != before)
