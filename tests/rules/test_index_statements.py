"""An index that is dropped and made again is what it was: on a real server, its name, place and statistics included."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from premortem import catalog, pg
from premortem.model import Profile, Values
from premortem.rules.indexes import create_sql, drop_sql, own_indexes

SCHEMA = """
create schema "My Shop";
create table "My Shop"."Order" (id int primary key, "Note" text, day date, code text);
create index "Order on INDEX day" on "My Shop"."Order" (day desc nulls last) where "Note" is not null;
create index "order's note" on "My Shop"."Order" (lower("Note"), day) tablespace far;
alter index "My Shop"."order's note" alter column 1 set statistics 700;
create unique index code_c on "My Shop"."Order" (code collate "C" text_pattern_ops) include (day)
    with (fillfactor = 70);
create table log (at date, kind text) partition by range (at);
create table log_a partition of log for values from ('2026-01-01') to ('2026-02-01');
create table log_b partition of log for values from ('2026-02-01') to ('2026-03-01') partition by list (kind);
create table log_b_1 partition of log_b for values in ('x');
create index log_kind on log (lower(kind)) tablespace far
"""
STATE = """
select n.nspname::text, c.relname::text, pg_get_indexdef(c.oid), t.spcname::text, i.indisvalid,
       array(select a.attstattarget::int from pg_attribute a where a.attrelid = c.oid order by a.attnum)
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
     left join pg_tablespace t on t.oid = c.reltablespace
where n.nspname in ('public', 'My Shop') order by 1, 2
"""


@pytest.fixture
def far(server: pg.Server) -> Iterator[None]:
    """A second tablespace, inside of the cluster's own folder."""
    with pg.writer(server, purpose="test") as db:
        db.execute("SET allow_in_place_tablespaces = on")
        db.execute("CREATE TABLESPACE far LOCATION ''")
    yield
    with pg.writer(server, purpose="test") as db:
        db.execute("DROP TABLESPACE far")


def pulled(dsn: str) -> Profile:
    with pg.session(dsn, purpose="test") as db:
        return catalog.pull(db, values=Values.NONE)


def test_what_is_dropped_is_made_again_as_it_was(server: pg.Server, far: None, database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        for statement in SCHEMA.split(";\n"):
            db.execute(statement)
    profile = pulled(database)
    with pg.writer(database, purpose="test") as db:
        before = db.tuples(STATE)
        own = [(t, i) for t, i in own_indexes(profile) if not i.primary]
        assert len(own) == 4
        for table, index in own:
            for statement in drop_sql(table, index):
                db.execute(statement)
        assert len(db.tuples(STATE)) == 1
        for table, index in own:
            for statement in create_sql(table, index, profile):
                db.execute(statement)
        assert db.tuples(STATE) == before
