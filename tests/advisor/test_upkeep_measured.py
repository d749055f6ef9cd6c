"""What writing to an index logs, as said of it beforehand and as a server of each major logs it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from premortem import advisor, catalog, pg
from premortem.model import (
    IndexCandidate,
    IndexKey,
    Profile,
    Query,
    RelationName,
    Setting,
    Site,
    StatementKind,
    Table,
    TableActivity,
    Values,
)

#: Pages of an index that grew in no order split in waves, one for each doubling: a whole one is an average.
ROWS, BATCH = 10_000, 10_000
MOVED = ROWS // 5
DAY = 86_400.0
ROW = """
    i, (random() * 5000)::int, (random() * 30)::int, md5((i + :seed)::text)::uuid,
    timestamptz '2026-01-01' + i * interval '1 minute', 'user' || (random() * 1e9)::int || '@example.com',
    CASE WHEN i % 20 = 0 THEN 'open' ELSE 'done' END, ARRAY['t' || i % 100, 't' || i % 7, 'u' || i % 500], 0
"""
SCHEMA = """
    CREATE TABLE {name} (id bigint PRIMARY KEY, account int, city int, uid uuid, created timestamptz, email text,
        status text, tags text[], hits int) WITH (fillfactor = 50);
"""
TABLE = RelationName(schema="public", name="plain")


def on(*columns: str, **rest: object) -> IndexCandidate:
    return IndexCandidate(table=TABLE, keys=tuple(IndexKey(column=c) for c in columns), **rest)  # type: ignore[arg-type]


CANDIDATES = [
    on("uid"), on("created"), on("account"), on("email"), on("city", "created"), on("account", include=("created",)),
    on("account", predicate="status = 'open'"), on("uid", method="hash"), on("created", method="brin"),
    on("tags", method="gin"),
]  # fmt: skip


def filled(db: pg.Session, name: str, *statements: str) -> None:
    """A table that grew row by row, with its indexes there from the start."""
    db.execute(SCHEMA.format(name=name))
    for statement in ("SELECT setseed(0.5)", *statements):
        db.execute(statement)
    db.execute(f"INSERT INTO {name} SELECT {ROW} FROM generate_series(1, {ROWS}) AS i".replace(":seed", "0"))
    db.execute(f"VACUUM ANALYZE {name}")


def pulled(database: str) -> Profile:
    with pg.session(database, purpose="test") as db:
        return catalog.pull(db, values=Values.ALL)


def logged(db: pg.Session, *statements: str) -> float:
    before = db.value("SELECT pg_current_wal_insert_lsn()")
    for statement in statements:
        db.execute(statement)
    return float(db.value("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %(before)s::pg_lsn)", before=before))


def inserts(name: str) -> str:
    rows = f"generate_series({ROWS + 1}, {ROWS + BATCH})"
    return f"INSERT INTO {name} SELECT {ROW} FROM {rows} AS i".replace(":seed", "0")


def daily(profile: Profile, activity: TableActivity) -> tuple[Table, Profile]:
    """The table with so many writes a day, and no VACUUM of it."""
    table = replace(profile.find_table("plain", "public"), activity=activity)  # type: ignore[type-var]
    rare = Setting(name="autovacuum_vacuum_threshold", value="1e15")
    settings = (rare, *(s for s in profile.settings if s.name != rare.name))
    return table, replace(profile, tables=(table,), settings=settings)


def create(candidate: IndexCandidate, table: str) -> str:
    moved = replace(candidate, table=RelationName(schema="public", name=table))
    return moved.create_sql(f"{table}_more", concurrently=False)


def test_what_inserts_log_is_within_a_quarter_of_what_is_said(database: str) -> None:
    ratios = {}
    with pg.writer(database, purpose="test") as db:
        filled(db, "plain")
        plain = logged(db, inserts("plain"))
        profile = pulled(database)
        per_second = TableActivity(window=timedelta(days=30), inserts=BATCH / DAY)
        table, known = daily(profile, per_second)
        for number, candidate in enumerate(CANDIDATES):
            name = f"more_{number}"
            filled(db, name, create(candidate, name))
            flush = (f"SELECT gin_clean_pending_list('{name}_more')",) if candidate.method == "gin" else ()
            more = logged(db, inserts(name), *flush) - plain
            said = advisor.upkeep(candidate, table, known, advisor.index_size(candidate, table))
            assert said.entries == pytest.approx(BATCH * (3 if candidate.method == "gin" else 1), rel=0.35) or (
                candidate.predicate is not None
            )
            ratios[candidate.definition] = (said.wal_bytes / max(more, 1.0), said.wal_bytes, more)
    for what, (ratio, said_bytes, more) in ratios.items():
        assert 1 / 1.25 <= ratio <= 1.25 or max(said_bytes, more) < 50_000, (what, ratio, said_bytes, more)


def test_updates_that_are_hot_no_more_log_what_is_said(database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        filled(db, "plain", "CREATE INDEX plain_account ON plain (account)")
        filled(db, "more", "CREATE INDEX more_account ON more (account)", "CREATE INDEX more_hits ON more (hits)")
        change = "UPDATE {} SET hits = hits + 1 WHERE id % 5 = 1"
        profile = pulled(database)
        more = logged(db, change.format("more")) - logged(db, change.format("plain"))
    activity = TableActivity(window=timedelta(days=30), updates=MOVED / DAY, hot_updates=MOVED / DAY)
    table, known = daily(profile, activity)
    text = "UPDATE plain SET hits = hits + $1 WHERE id = $2"
    counted = Query(
        text=text, original=text, fingerprint="", site=Site(source="pg_stat_statements"), kind=StatementKind.UPDATE,
        calls=1e6,
    )  # fmt: skip
    known = replace(known, workload=replace(known.workload, statements=(counted,)))
    said = advisor.upkeep(on("hits"), table, known, advisor.index_size(on("hits"), table))
    assert said.lost_hot_updates == pytest.approx(MOVED)
    assert 1 / 1.25 <= said.wal_bytes / more <= 1.25


def test_the_profile_of_a_server_has_what_the_figures_need(database: str) -> None:
    profile = pulled(database)
    assert float(profile.setting("checkpoint_timeout")) == 300
    assert profile.setting("full_page_writes") == "off"  # our own servers can do without
    assert {"max_wal_size", "wal_compression", "shared_buffers"} <= {s.name for s in profile.settings}
    assert profile.taken_at > datetime(2026, 1, 1, tzinfo=UTC)
