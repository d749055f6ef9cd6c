"""Measures a pull: how long it takes on a server with many tables, how big the file is, and how fast it is read again.

    python bench/profile/run.py [--tables 5000] [--rows 2000] [--major 18]

Every table has ten columns with full statistics (100 most common values, 101 histogram bounds where the type has
them) and five indexes.  Without --rows the statistics are those of one analyzed table, copied in pg_statistic: right
for the time of a pull, but such a file compresses better than a real one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from premortem import catalog, pg
from premortem.model import Values

TABLE = """CREATE TABLE {name} (
    id bigint PRIMARY KEY, customer_id int, status text, email text, created_at timestamptz, total numeric(10,2),
    product_sku varchar(40), note text, is_open boolean, token uuid)"""
INDEXES = ("(customer_id)", "(status, created_at)", "(lower(email))", "(product_sku) WHERE is_open")
FILL = """INSERT INTO {name} SELECT g, (random() ^ 3 * 30000)::int, (ARRAY['new', 'paid', 'sent', 'done'])[1 + g % 4],
    md5((g % 60000)::text || '{name}') || '@example.org', timestamptz '2024-01-01' + g * interval '1 minute',
    g % 90000 / 7.0, 'SKU-' || (random() ^ 2 * 20000)::int, repeat(md5(g::text || '{name}'), 2), g % 9 = 0,
    md5(g::text || '{name}')::uuid
    FROM generate_series(1, {rows}) g"""
COPY_STATISTICS = """
DO $$
DECLARE columns text := (SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
                         WHERE attrelid = 'pg_statistic'::regclass AND attnum > 1);
BEGIN
    EXECUTE format('INSERT INTO pg_statistic (starelid, %s) SELECT c.oid, %s FROM pg_statistic s
        JOIN pg_class o ON o.oid = s.starelid JOIN pg_class c
          ON c.relkind = o.relkind AND c.relname ~ ''^t[0-9]+'' AND c.relname <> o.relname
         AND regexp_replace(c.relname, ''^t[0-9]+'', '''') = regexp_replace(o.relname, ''^t[0-9]+'', '''')
        WHERE o.relname ~ ''^t1(_|$)''', columns, columns);
    UPDATE pg_class c SET relpages = 3000, reltuples = 200000 WHERE relkind = 'r' AND relname ~ '^t[0-9]+$';
END $$"""


@contextmanager
def measured(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"{what:<42} {time.perf_counter() - start:7.2f} s", flush=True)


def build(db: pg.Session, tables: int, rows: int) -> None:
    for first in range(1, tables + 1, 100):
        with db.transaction():
            for n in range(first, min(first + 100, tables + 1)):
                db.execute(TABLE.format(name=f"t{n}"))
                for keys in INDEXES:
                    db.execute(f"CREATE INDEX ON t{n} {keys}")
    if rows:
        for n in range(1, tables + 1):
            db.execute(FILL.format(name=f"t{n}", rows=rows))
        db.execute("ANALYZE")
    else:
        db.execute(FILL.format(name="t1", rows=200_000))
        db.execute("ANALYZE t1")
        db.execute("SET allow_system_table_mods = on")
        db.execute(COPY_STATISTICS)
    db.execute("ANALYZE pg_catalog.pg_class, pg_catalog.pg_attribute, pg_catalog.pg_index, pg_catalog.pg_statistic")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a pull.")
    parser.add_argument("--tables", type=int, default=5000)
    parser.add_argument("--keep", type=Path, help="folder in which to leave the profiles")
    parser.add_argument("--rows", type=int, default=0, help="fill and analyze every table with so many rows of its own")
    parser.add_argument("--major", type=int, default=18)
    arguments = parser.parse_args()
    settings = {"max_locks_per_transaction": 4096, "autovacuum": False, "max_wal_size": "8GB"}
    with TemporaryDirectory() as folder, pg.start(pg.installation(arguments.major), settings=settings) as server:
        with measured(f"(building {arguments.tables:,} tables)"), pg.writer(server, purpose="bench") as db:
            build(db, arguments.tables, arguments.rows)
            db.execute("CREATE EXTENSION pageinspect")
        for values in Values:
            path = (arguments.keep or Path(folder)) / f"{values}.profile"
            with measured(f"pull --values {values}"), pg.session(server, purpose="profile") as session:
                profile = catalog.pull(session, values=values, progress=_step())
            with measured("  write"):
                catalog.write(profile, path)
            print(f"{'  size':<42} {path.stat().st_size / 1e6:7.2f} MB")
            with measured("  read"):
                again = catalog.read(path)
            with measured("  diff"):
                catalog.diff(profile, again)


def _step() -> Callable[[str], None]:
    last: list[Any] = [time.perf_counter(), ""]

    def tell(what: str) -> None:
        now = time.perf_counter()
        if last[1]:
            print(f"    {last[1]:<38} {now - last[0]:7.2f} s", flush=True)
        last[:] = [now, what]

    return tell


if __name__ == "__main__":
    main()
