"""A small production, its profile, and a staging copy of it on the same server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from premortem import catalog, pg
from premortem.model import Profile, Values

SCHEMA = """
    CREATE TABLE orders (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer_id int NOT NULL, status text NOT NULL,
        total numeric(10, 2), note text DEFAULT 'n');
    CREATE TABLE items (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id bigint NOT NULL, sku text NOT NULL,
        status text NOT NULL, pieces int);
    INSERT INTO orders (customer_id, status, total)
        SELECT g % 4000, CASE WHEN g % 100 = 0 THEN 'open' ELSE 'paid' END, g % 1000 FROM generate_series(1, 40000) g;
    INSERT INTO items (order_id, sku, status, pieces)
        SELECT 1 + g % 40000, 'sku-' || (g * 7::bigint % 9000), CASE WHEN g % 50 = 0 THEN 'pending' ELSE 'sent' END,
               g % 5
        FROM generate_series(1, 120000) g;
    CREATE FUNCTION logged() RETURNS bigint LANGUAGE sql VOLATILE AS
        'INSERT INTO orders (customer_id, status) VALUES (-1, ''logged'') RETURNING id';
"""
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """A copy of production's size: how to connect, and what is to be true of it after every run."""

    dsn: str
    profile: Profile
    file: Path

    def contents(self) -> tuple[object, ...]:
        """Everything that a run could have left: rows, indexes, extensions, comments."""
        with pg.session(self.dsn, purpose="test") as db:
            return (
                db.tuples("SELECT count(*), sum(pieces), min(xmin::text::bigint) FROM public.items"),
                db.tuples("SELECT count(*), sum(total), sum(customer_id) FROM public.orders"),
                db.tuples(
                    "SELECT schemaname, indexname FROM pg_catalog.pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
                ),
            )


@pytest.fixture(scope="module", params=(15, 18), ids=("pg15", "pg18"))
def staging(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    server: pg.Server = request.getfixturevalue(f"server{request.param}")
    number = next(_numbers)
    production, copy = f"production_{number}", f"staging_{number}"
    with pg.writer(server, purpose="test") as db:
        db.execute(f"CREATE DATABASE {production}")
        with pg.writer(server, purpose="test", database=production) as made:
            made.execute(SCHEMA)
            made.execute("VACUUM ANALYZE")
        db.execute(f"CREATE DATABASE {copy} TEMPLATE {production}")
        db.execute(f"ALTER DATABASE {copy} SET premortem.role = 'staging'")
    with pg.session(server.dsn(production), purpose="test") as db:
        profile = catalog.pull(db, values=Values.ALL)
    file = tmp_path_factory.mktemp("execution") / "prod.profile"
    catalog.write(profile, file)
    yield Staging(dsn=server.dsn(copy), profile=profile, file=file)
    with pg.writer(server, purpose="test") as db:
        for name in (copy, production):
            db.execute(f"DROP DATABASE {name} WITH (FORCE)")
