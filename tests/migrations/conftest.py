"""Production of a size that no test could load: a real schema's profile with its figures multiplied, and a workload."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from premortem import catalog, check, migrations, pg, twin
from premortem.cli import migrating
from premortem.migrations.files import parse
from premortem.model import Finding, Profile, Query, Site, Table, TableActivity, Values, Workload
from premortem.settings import Settings

SCHEMA = """
CREATE TABLE customers (id bigint PRIMARY KEY, email varchar(100), name text);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint, status varchar(20), total numeric(10,2), note text,
    created_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX orders_customer ON orders (customer_id);
CREATE INDEX orders_status ON orders (status);
CREATE TABLE attic (id bigint PRIMARY KEY, v text);
CREATE TABLE tiny (id int PRIMARY KEY, v text);
CREATE TABLE events (at date NOT NULL, v int) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO customers SELECT i, 'c' || i || '@example.com', 'n' FROM generate_series(1, 2000) i;
INSERT INTO orders SELECT i, 1 + i % 2000, 'open', 1, 'x' FROM generate_series(1, 20000) i;
INSERT INTO attic SELECT i, 'x' FROM generate_series(1, 20000) i;
INSERT INTO tiny SELECT i, 'x' FROM generate_series(1, 200) i;
INSERT INTO events SELECT '2026-01-01'::date + i % 58, i FROM generate_series(1, 20000) i;
VACUUM ANALYZE
"""
TIMES = {"orders": 5000, "customers": 500, "attic": 5000, "events_1": 2000, "events_2": 2000}
WORKLOAD = {
    "SELECT * FROM orders WHERE customer_id = $1": 300.0,
    "INSERT INTO orders (id, customer_id) VALUES ($1, $2)": 40.0,
    "SELECT note FROM orders WHERE id = $1": 20.0,
    "SELECT * FROM customers WHERE id = $1": 500.0,
    "SELECT * FROM tiny WHERE id = $1": 5.0,
    "SELECT count(*) FROM events WHERE at = $1": 2.0,
}

Judge = Callable[..., migrations.Judged]


def workload(rates: dict[str, float]) -> Workload:
    since = datetime(2026, 11, 1, tzinfo=UTC)
    statements = tuple(
        Query(
            text=text, original=text, fingerprint=str(n), site=Site(source="pg_stat_statements", name=str(n)),
            parameter_count=text.count("$"), calls=rate * 86_400, calls_per_second=rate,
            mean_time=timedelta(milliseconds=2),
        )
        for n, (text, rate) in enumerate(rates.items())
    )  # fmt: skip
    return Workload(since=since, window=timedelta(days=20), statements=statements)


def times(table: Table, factor: int) -> Table:
    indexes = tuple(
        replace(
            i, pages=i.pages * factor, relation_pages=i.relation_pages * factor, tuples=i.tuples * factor, level=None
        )
        for i in table.indexes
    )
    sizes = {"pages": table.pages * factor, "relation_pages": table.relation_pages * factor}
    activity = TableActivity(window=timedelta(days=20))
    return replace(table, tuples=table.tuples * factor, indexes=indexes, activity=activity, **sizes)  # type: ignore[arg-type]


@pytest.fixture
def production(database: str) -> Profile:
    with pg.writer(database, purpose="test") as db:
        for statement in SCHEMA.split(";\n"):
            db.execute(statement)
    with pg.session(database, purpose="test") as session:
        profile = catalog.pull(session, values=Values.ALL)
    tables = tuple(times(t, TIMES.get(t.name, 1)) for t in profile.tables)
    return replace(profile, tables=tables, workload=workload(WORKLOAD))


@pytest.fixture
def twins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = pg.cache_directory() / f"twins-{secrets.token_hex(6)}"
    folder.mkdir(mode=0o755)
    monkeypatch.setattr("premortem.twin.cache._root", lambda: folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def judge(server: pg.Server, production: Profile, twins: Path) -> Iterator[Judge]:
    """Applies migrations to a twin of that production and judges them, with the queries of the change."""
    with ExitStack() as stack:

        def run(
            text: str, *, path: str = "m.sql", queries: tuple[Query, ...] = (), settings: Settings | None = None,
            profile: Profile | None = None,
        ) -> migrations.Judged:  # fmt: skip
            change = (parse(path, text),)
            before = profile or production
            opened = stack.enter_context(twin.open(before, migrations=change, installation=server.installation))
            planner = check.Planner(
                explain=opened.explain, parameter_types=opened.parameter_types, replanner=opened.replanner
            )
            chosen = settings or Settings()
            reports = tuple(check.run(q, planner=planner, profile=opened.profile, settings=chosen) for q in queries)
            return migrating.judged(change, before, opened, planner, reports, chosen)

        yield run


def by_line(judged: migrations.Judged) -> dict[int, dict[str, Finding]]:
    """Findings by the line and the rule."""
    found: dict[int, dict[str, Finding]] = {}
    for finding in judged.findings:
        assert finding.site is not None
        assert finding.site.line is not None
        assert finding.rule not in found.get(finding.site.line, {}), finding
        found.setdefault(finding.site.line, {})[finding.rule] = finding
    return found
