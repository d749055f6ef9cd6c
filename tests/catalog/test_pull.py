"""A pull against real servers: everything that a plan depends on, by every kind of role, beside locks and timeouts."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from premortem import catalog, pg
from premortem.errors import PremortemError, ServerTimeout
from premortem.model import (
    ConstraintKind,
    ObjectKind,
    Profile,
    RelationKind,
    RelationName,
    Table,
    TableActivity,
    Values,
)
from tests.pg.test_pgbouncer import PROGRAM, bouncer

SHOP = Path(__file__).with_name("shop.sql").read_text()


def pull(dsn: str, values: Values = Values.ALL) -> Profile:
    with pg.session(dsn, purpose="test") as session:
        return catalog.pull(session, values=values)


def run(dsn: str, sql: str) -> None:
    with pg.writer(dsn, purpose="test") as db:
        db.execute(sql)


@pytest.fixture
def shop(database: str) -> str:
    run(database, SHOP)
    return database


@pytest.fixture
def role(server: pg.Server) -> Callable[[str, str], str]:
    """A connection string of another role."""

    def made(dsn: str, name: str) -> str:
        run(dsn, f"DO $$ BEGIN CREATE ROLE {name} LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
        return re.sub(r"user=\S+", f"user={name}", dsn)

    return made


def table(profile: Profile, name: str, schema: str = "public") -> Table:
    found = profile.table(RelationName(schema=schema, name=name))
    assert found is not None
    return found


def still(tables: tuple[Table, ...]) -> tuple[Table, ...]:
    """Tables without what moves from one pull to the next."""
    return tuple(
        replace(t, activity=TableActivity(), indexes=tuple(replace(i, scans=None, scans_per_second=None, last_used=None)
                                                            for i in t.indexes))
        for t in tables
    )  # fmt: skip


def test_every_relation_is_read_in_order_of_creation(shop: str) -> None:
    names = [t.full_name for t in pull(shop).tables]
    assert names == [
        "s2.t", "t", "s2.mv", "v", "part", "part_1", "part_1_1", "part_d", '"Parent.x"', "child", "unl", "docs",
        '"a name that is exactly sixty-three bytes long, as long as can b"',
    ]  # fmt: skip


def test_columns_keep_their_numbers_and_options(shop: str) -> None:
    docs = table(pull(shop), "docs")
    assert [(c.name, c.number, c.type) for c in docs.columns] == [
        ("id", 1, "integer"), ("body", 2, "tsvector"), ("doc", 3, "jsonb"), ("tags", 4, "text[]"),
        ("at", 5, "timestamp with time zone"), ("span", 6, "int4range"), ("Größe", 8, "integer"),
        ("author_id", 9, "integer"),
    ]  # fmt: skip
    by_name = {c.name: c for c in docs.columns}
    assert by_name["id"].identity == "always"
    assert by_name["tags"].statistics_target == 50
    assert by_name["author_id"].n_distinct_override == -0.5
    made = table(pull(shop), "t", "s2")
    assert {c.name: (c.type, c.default, c.generated) for c in made.columns} == {
        "id": ("integer", "nextval('s2.t_id_seq'::regclass)", ""), "mood": ('"Ünï.c""ode"."Mood"', None, ""),
        "p": ("s2.pair", None, ""), "x": ("integer", "(1 + 2)", "stored"),
    }  # fmt: skip


def test_statistics_of_every_kind_are_read(shop: str) -> None:
    docs = table(pull(shop), "docs")
    found = {c.name: c.statistics[0] for c in docs.columns}
    assert found["Größe"].n_distinct == -1.0
    assert len(found["Größe"].histogram_bounds or ()) == 101
    assert (found["tags"].most_common_elements or ())[:2] == ("b", "tag0")
    assert found["tags"].element_count_histogram is not None
    assert found["body"].most_common_elements is not None
    assert found["span"].range_length_histogram is not None
    assert found["span"].range_empty_fraction == 0.0
    assert (found["span"].range_bounds_histogram or ("",))[0] == "[1,6)"
    index = next(i for i in docs.indexes if i.name == "docs_btree")
    assert (index.expression_columns[0].number, index.expression_columns[0].statistics[0].n_distinct) == (2, -1.0)


def test_extended_statistics_are_read_by_position_of_key(shop: str) -> None:
    (found,) = table(pull(shop), "docs").statistics
    assert (found.schema, found.name, found.keys, found.expression_count) == (
        "s2", "docs_stats", ("Größe", "author_id", "(id % 10)"), 1,
    )  # fmt: skip
    assert {positions for positions, _ in found.ndistinct or ()} == {(0, 1), (0, 2), (1, 2), (0, 1, 2)}
    degrees = dict(found.dependencies or ())
    assert degrees[0, 1] == 1.0
    assert any(degree != round(degree, 6) for degree in degrees.values()) or set(degrees.values()) <= {0.0, 1.0}
    assert len((found.most_common_values or ((),))[0]) == 3
    assert len(found.expression_statistics) == 1
    assert found.expression_statistics[0] is not None
    assert found.expression_statistics[0].n_distinct == 10


def test_all_index_kinds_are_read(shop: str) -> None:
    profile = pull(shop)
    docs = table(profile, "docs")
    by_name = {i.name: i for i in docs.indexes}
    assert [i.name for i in docs.indexes] == [
        "docs_btree",
        "docs_gin",
        "docs_tags",
        "docs_gist",
        "docs_brin",
        "docs_hash",
    ]
    btree = by_name["docs_btree"]
    assert [(k.column, k.expression, k.descending, k.nulls_first, k.opclass_is_default) for k in btree.keys] == [
        ("Größe", None, True, False, True), (None, "(id + 1)", False, False, True),
        (None, "lower(tags[1])", False, False, False),
    ]  # fmt: skip
    assert (btree.include, btree.predicate, btree.keys[2].opclass) == (
        ("at",),
        '("Größe" > 10)',
        "pg_catalog.text_pattern_ops",
    )
    assert by_name["docs_brin"].metapage == (("pages_per_range", 32.0),)
    assert by_name["docs_gin"].keys[0].opclass == "pg_catalog.jsonb_path_ops"
    assert all(i.pages > 0 for i in docs.indexes)
    partitions = {i.name: i.parent for t in profile.tables for i in t.indexes if t.name.startswith("part")}
    assert partitions["part_1_b_idx"] == RelationName(schema="public", name="part_b")
    assert partitions["part_1_1_b_idx"] == RelationName(schema="public", name="part_1_b_idx")


def test_constraints_partitions_and_security_are_read(shop: str) -> None:
    profile = pull(shop)
    docs = table(profile, "docs")
    key = docs.foreign_keys[0]
    assert (key.columns, key.references, key.referenced_columns, key.on_delete, key.on_update) == (
        ("author_id",), RelationName(schema="public", name="t"), ("id",), "cascade", "set null",
    )  # fmt: skip
    assert [c.columns for c in docs.constraints if c.kind is ConstraintKind.CHECK] == [("Größe",)]
    (policy,) = docs.policies
    assert (policy.command, policy.permissive, policy.roles) == ("UPDATE", False, ("public",))
    assert (policy.using, policy.check) == ("(author_id = 1)", "(author_id = 2)")
    inner = table(profile, "part_1")
    assert (inner.partition_key, inner.partition_bound, inner.parents) == (
        "RANGE (b)",
        "FOR VALUES IN (1)",
        (RelationName(schema="public", name="part"),),
    )
    assert table(profile, "part_d").partition_bound == "DEFAULT"
    assert table(profile, "child").parents == (RelationName(schema="public", name="Parent.x"),)
    assert table(profile, "unl").persistence == "unlogged"
    assert [t.name for t in table(profile, "t", "s2").triggers] == ["tell"]
    assert "JOIN s2.t b USING (id)" in (table(profile, "v").definition or "")
    assert table(profile, "mv", "s2").kind is RelationKind.MATERIALIZED_VIEW


def test_every_object_can_be_made_again_elsewhere(shop: str, server: pg.Server) -> None:
    profile = pull(shop)
    assert {o.kind for o in profile.objects} >= {
        ObjectKind.SCHEMA, ObjectKind.ENUM, ObjectKind.DOMAIN, ObjectKind.COMPOSITE, ObjectKind.RANGE,
        ObjectKind.SEQUENCE, ObjectKind.FUNCTION, ObjectKind.AGGREGATE, ObjectKind.OPERATOR, ObjectKind.RULE,
        ObjectKind.OPERATOR_FAMILY, ObjectKind.OPERATOR_CLASS, ObjectKind.CAST, ObjectKind.TEXT_SEARCH,
    }  # fmt: skip
    run(shop, "DROP DATABASE IF EXISTS elsewhere WITH (FORCE)")
    run(shop, "CREATE DATABASE elsewhere")
    try:
        assert _left_over(server.dsn("elsewhere"), [o.definition for o in profile.objects if not o.after_tables]) == []
    finally:
        run(shop, "DROP DATABASE elsewhere WITH (FORCE)")
    assert [(o.schema, o.name) for o in profile.objects if o.after_tables and o.kind is ObjectKind.FUNCTION] == [
        ("s2", "of_row(s2.t)"), ("s2", "all_of_them()"),
    ]  # fmt: skip
    assert "function s2.in_c(integer)" in {gap.subject for gap in profile.gaps}


def _left_over(dsn: str, statements: list[str]) -> list[str]:
    """What could not be run, trying again as long as anything could."""
    with pg.writer(dsn, purpose="test") as db:
        db.execute("SET check_function_bodies = off")
        while True:
            failed = [text for text in statements if not _ran(db, text)]
            if not failed or len(failed) == len(statements):
                return failed
            statements = failed


def _ran(db: pg.Session, text: str) -> bool:
    try:
        db.execute(text)
    except PremortemError:
        return False
    return True


def test_the_least_privilege_sees_what_a_superuser_sees(
    shop: str, server: pg.Server, role: Callable[[str, str], str]
) -> None:
    run(shop, "CREATE EXTENSION pageinspect")
    reader = role(shop, '"o\'dd %I"').replace('"o\'dd %I"', r"'o\'dd %I'")
    for _ in range(2):  # it can be run twice
        run(shop, catalog.grants_sql("o'dd %I"))
    try:
        seen, all_of_it = pull(reader), pull(shop)
        assert still(seen.tables) == still(all_of_it.tables)
        assert seen.objects == all_of_it.objects
        assert {g.subject for g in seen.gaps} == {g.subject for g in all_of_it.gaps} == {"function s2.in_c(integer)"}
        assert all(i.level is not None for t in seen.tables for i in t.indexes if i.method == "btree" and i.pages)
        gin = next(i for i in table(seen, "docs").indexes if i.name == "docs_tags")
        assert dict(gin.metapage)["n_entries"] == 31
        with pg.session(reader, purpose="test") as session, pytest.raises(PremortemError, match="permission denied"):
            session.value("SELECT count(*) FROM public.docs")
    finally:
        run(shop, 'DROP SCHEMA premortem CASCADE; DROP OWNED BY "o\'dd %I"; DROP ROLE "o\'dd %I"')


def test_a_role_with_nothing_gets_a_profile_and_its_gaps(shop: str, role: Callable[[str, str], str]) -> None:
    profile = pull(role(shop, "nobody_special"))
    gaps = {gap.subject: gap for gap in profile.gaps}
    assert "docs" in gaps["column statistics"].says
    assert "premortem profile grants --role nobody_special" in gaps["column statistics"].cure
    assert {"extended statistics", "B-tree heights", "GIN metapages", "workload"} <= gaps.keys()
    assert table(profile, "docs").rows == 5000
    assert len(profile.tables) == 13


def test_a_stranger_who_owns_the_helpers_schema_is_refused(database: str, role: Callable[[str, str], str]) -> None:
    role(database, "stranger")
    run(database, "CREATE SCHEMA premortem AUTHORIZATION stranger")
    run(database, "CREATE ROLE admin CREATEROLE")
    try:
        with pytest.raises(PremortemError, match="belongs to somebody else"):
            run(database, "SET ROLE admin; " + catalog.grants_sql("reader"))
    finally:
        run(database, "DROP SCHEMA premortem; DROP ROLE admin")


def test_a_locked_table_costs_moments_and_becomes_a_gap(shop: str) -> None:
    with pg.writer(shop, purpose="alter") as other, other.transaction():
        other.execute("LOCK TABLE docs, t IN ACCESS EXCLUSIVE MODE")
        profile = pull(shop)
    gaps = {gap.subject: gap.says for gap in profile.gaps}
    assert "docs" in gaps["sizes"]
    assert "docs" in gaps["definitions"]
    docs = table(profile, "docs")
    assert docs.pages == docs.relation_pages > 0
    assert docs.column("Größe") is not None
    assert {"docs_gin", "docs_hash", "docs_brin"} <= {i.name for i in docs.indexes}, "these can do without a lock"
    assert docs.foreign_keys
    free = {i.name: i for i in table(pull(shop), "docs").indexes}
    for index in docs.indexes:
        same = replace(index, scans=None, scans_per_second=None, last_used=None, pages=0, metapage=())
        other = replace(free[index.name], scans=None, scans_per_second=None, last_used=None, pages=0, metapage=())
        plain = index.definition.replace("pg_catalog.", "")
        assert replace(same, definition=plain) == replace(other, definition=other.definition.replace("'", ""))
    assert table(profile, "part_1_1").partition_bound is not None


def test_a_pull_holds_no_lock_on_tables(shop: str) -> None:
    with pg.session(shop, purpose="test") as session:
        catalog.pull(session, values=Values.ALL)
        with pg.writer(shop, purpose="look") as other:
            locks = "SELECT relation::regclass::text FROM pg_locks WHERE pid = %(pid)s AND relation >= 16384"
            held = other.values(locks, pid=session.pid)
    assert set(held) <= {"pg_stat_statements", "pg_stat_statements_info"}


def test_a_statement_timeout_in_the_middle_is_told(shop: str) -> None:
    with pg.writer(shop, purpose="alter") as other, other.transaction():
        other.execute("LOCK TABLE pg_catalog.pg_trigger IN ACCESS EXCLUSIVE MODE")
        short = timedelta(milliseconds=300)
        with (
            pg.session(shop, purpose="test", statement_timeout=short, lock_timeout=timedelta(seconds=9)) as session,
            pytest.raises(ServerTimeout, match="statement timeout"),
        ):
            catalog.pull(session, values=Values.ALL)


def test_tables_that_come_and_go_meanwhile_do_not_matter(shop: str) -> None:
    stop = threading.Event()

    def churn() -> None:
        with pg.writer(shop, purpose="churn") as db:
            while not stop.is_set():
                db.execute("CREATE TABLE passing (a int PRIMARY KEY, b int DEFAULT 1 CHECK (b > 0))")
                db.execute("DROP TABLE passing")

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(5):
            assert len(pull(shop).tables) >= 13
    finally:
        stop.set()
        thread.join()


SECRETS = """
CREATE TABLE people (id bigint PRIMARY KEY, name text, email varchar(80), card bigint, born date, ip inet, token uuid,
                     photo bytea, doc jsonb, tags text[], span int8range, body tsvector, status text);
CREATE INDEX ON people (lower(email));
CREATE STATISTICS both_of_them ON name, card, (upper(email)) FROM people;
INSERT INTO people SELECT 770000000000 + g, 'Zappa' || g % 300, 'zappa' || g || '@Example.org', 5500000000000 + g % 90,
    date '1950-01-01' + g % 9000, ('192.168.' || g % 250 || '.' || g % 7)::inet, md5(g::text)::uuid,
    decode(md5(g::text), 'hex'), jsonb_build_object('kind', 'alpha', 'owner', 'Zappa' || g, 'n', 880000000000 + g),
    ARRAY['zappa' || g % 400, 'x'], int8range(660000000000 + g, 660000000000 + g + 10),
    to_tsvector('simple', 'zappa' || g % 500), CASE WHEN g % 100 = 0 THEN 'open' ELSE 'done' END
    FROM generate_series(1, 3000) g;
ANALYZE people;
"""


@pytest.mark.parametrize("values", [Values.LOW_CARDINALITY, Values.NONE])
def test_no_customers_value_leaves_production(database: str, values: Values) -> None:
    run(database, SECRETS)
    profile = pull(database, values)
    data = repr(replace(profile, workload=type(profile.workload)())).lower()
    assert not re.search(r"zappa|192\.168|[5-8]{2}0{6,}\d", data)
    with pg.writer(database, purpose="test") as db:
        hashes = db.values("SELECT md5(g::text) FROM generate_series(1, 3000) g")
    assert not any(found.replace("-", "") in hashes for found in re.findall(r"[0-9a-f-]{32,36}", data))
    people = table(profile, "people")
    status = people.columns[-1].statistics[0]
    if values is Values.LOW_CARDINALITY:
        assert (status.most_common_values, status.pseudonyms) == (("done", "open"), False)
        assert all(c.statistics[0].pseudonyms for c in people.columns[:-1])
        assert '"kind": "alpha"' in (people.columns[8].statistics[0].histogram_bounds or ("",))[0]
    else:
        assert (status.most_common_values, status.most_common_frequencies) == (None, (0.99, 0.01))


def test_pseudonyms_change_nothing_but_values(database: str) -> None:
    run(database, SECRETS)
    before, after = table(pull(database), "people"), table(pull(database, Values.LOW_CARDINALITY), "people")
    for old, new in zip(before.columns, after.columns, strict=True):
        a, b = old.statistics[0], new.statistics[0]
        assert (a.n_distinct, a.null_fraction, a.average_width, a.correlation) == (
            b.n_distinct, b.null_fraction, b.average_width, b.correlation
        )  # fmt: skip
        assert a.most_common_frequencies == b.most_common_frequencies
        for name in ("most_common_values", "histogram_bounds", "most_common_elements", "range_bounds_histogram"):
            assert len(getattr(a, name) or ()) == len(getattr(b, name) or ()), (old.name, name)
            assert len(set(getattr(a, name) or ())) == len(set(getattr(b, name) or ())), (old.name, name)


@pytest.mark.parametrize("column", ["id", "name", "email", "born", "ip", "token", "photo", "tags", "span"])
def test_pseudonyms_are_sorted_as_postgresql_sorts_the_values(database: str, column: str) -> None:
    """The histogram is PostgreSQL's own order of the values; the pseudonyms must be in its order of theirs."""
    run(database, SECRETS)
    found = next(c for c in table(pull(database, Values.LOW_CARDINALITY), "people").columns if c.name == column)
    shown = found.statistics[0].histogram_bounds or found.statistics[0].range_bounds_histogram
    with pg.writer(database, purpose="test") as db:
        sorting = f"SELECT v FROM unnest(%(shown)s::text[]) WITH ORDINALITY u (v, n) ORDER BY v::{found.type}, n"
        ordered = db.values(sorting, shown=list(shown or ()))
    assert shown
    assert ordered == shown


def test_settings_are_those_of_the_database_and_hold_no_secrets(database: str) -> None:
    name = re.search(r"dbname=(\S+)", database)
    assert name is not None
    run(database, f"ALTER DATABASE {name[1]} SET work_mem = '77MB'")
    run(database, f"ALTER DATABASE {name[1]} SET app.jwt_secret = 'hunter2'")
    run(database, f'ALTER DATABASE {name[1]} SET search_path = "$user", shop, public')
    profile = pull(database)
    assert profile.setting("work_mem") == str(77 * 1024)
    assert profile.setting("jit") == "on", "our session's own settings do not count"
    assert profile.search_path == ("shop", "public")
    assert [(s.role, s.database, s.name, s.value) for s in profile.role_settings] == [
        (None, name[1], "work_mem", "77MB"), (None, name[1], "search_path", '"$user", shop, public'),
    ]  # fmt: skip
    assert "hunter2" not in repr(profile)


def test_the_workload_has_rates_and_no_passwords(shop: str) -> None:
    run(shop, "SELECT public.pg_stat_statements_reset(); CREATE ROLE passing PASSWORD 'hunter2'; DROP ROLE passing")
    for _ in range(3):
        run(shop, "SELECT * FROM docs WHERE author_id = 5")
    profile = pull(shop)
    (found,) = [q for q in profile.workload.statements if "docs" in q.text]
    assert (found.text, found.calls, found.parameter_count) == ("SELECT * FROM docs WHERE author_id = $1", 3.0, 1)
    assert found.calls_per_second is not None
    assert found.calls_per_second > 0
    assert profile.workload.window is not None
    assert "hunter2" not in repr(profile)
    assert not any("premortem/" in q.text for q in profile.workload.statements)


def test_the_query_in_a_cursor_or_a_prepared_statement_is_kept_and_what_is_no_query_is_counted(shop: str) -> None:
    run(
        shop,
        "SELECT public.pg_stat_statements_reset(); "
        "BEGIN; DECLARE c CURSOR FOR SELECT * FROM docs WHERE author_id > 5; FETCH 3 FROM c; COMMIT; "
        "PREPARE p (int) AS SELECT count(*) FROM docs WHERE author_id < $1; EXECUTE p(7); "
        "COPY (SELECT id FROM docs WHERE author_id = 6) TO '/dev/null'; "
        "CREATE TEMP TABLE made AS SELECT * FROM docs WHERE author_id = 8; "
        "CREATE MATERIALIZED VIEW kept AS SELECT 1 AS one; REFRESH MATERIALIZED VIEW kept; "
        "DROP MATERIALIZED VIEW kept; CREATE ROLE passing PASSWORD 'hunter2'; "
        "DROP ROLE passing",
    )
    profile = pull(shop, Values.LOW_CARDINALITY)
    found = {q.text.split()[0]: q for q in profile.workload.statements if "docs" in q.text}
    assert {"DECLARE", "PREPARE", "COPY", "CREATE"} <= found.keys()
    assert found["DECLARE"].text.endswith("SELECT * FROM docs WHERE author_id > $1")
    assert found["DECLARE"].mean_time is None  # what it took is in FETCH's
    assert found["PREPARE"].calls == 1
    assert found["COPY"].text.startswith("COPY (SELECT id FROM docs WHERE author_id = $1)")
    assert [q.text for q in profile.workload.statements if "REFRESH" in q.text] == ["REFRESH MATERIALIZED VIEW kept"]
    kinds = {one.kind: one for one in profile.workload.left_out}
    assert {"fetch", "commit", "drop"} <= kinds.keys()
    assert kinds["fetch"].calls == 1
    assert "hunter2" not in repr(profile)


def test_a_pull_works_through_pgbouncer(shop: str, server: pg.Server) -> None:
    if PROGRAM is None:
        pytest.skip("PgBouncer is not on this machine")
    name = re.search(r"dbname=(\S+)", shop)
    assert name is not None
    with bouncer(server, "transaction") as pooled:
        seen = pull(pooled.replace("dbname=postgres", f"dbname={name[1]}"))
    assert still(seen.tables) == still(pull(shop).tables)


def test_a_reader_with_settings_of_its_own_says_so(database: str, role: Callable[[str, str], str]) -> None:
    reader = role(database, "tuned")
    run(database, "ALTER ROLE tuned SET work_mem = '1GB'")
    try:
        assert "work_mem" in {gap.subject: gap.says for gap in pull(reader).gaps}["settings"]
    finally:
        run(database, "DROP ROLE tuned")


def test_a_pull_from_a_view_only_helper_says_what_it_hides(shop: str, role: Callable[[str, str], str]) -> None:
    """As on a managed service, whose administrator is no superuser."""
    reader = role(shop, "managed_reader")
    run(shop, "CREATE ROLE managed_admin CREATEROLE")
    name = re.search(r"dbname=(\S+)", shop)
    assert name is not None
    try:
        run(
            shop,
            f"""
            GRANT managed_reader, pg_read_all_settings, pg_read_all_stats TO managed_admin WITH ADMIN OPTION;
            GRANT CREATE, CONNECT ON DATABASE {name[1]} TO managed_admin WITH GRANT OPTION;
            GRANT SELECT ON docs TO managed_admin; ALTER TABLE docs DISABLE ROW LEVEL SECURITY; SET ROLE managed_admin
        """
            + ";"
            + catalog.grants_sql("managed_reader"),
        )
        profile = pull(reader)
        assert table(profile, "docs").columns[0].statistics
        assert not table(profile, "t").columns[0].statistics
        assert "docs" not in {g.subject: g.says for g in profile.gaps}["column statistics"]
    finally:
        run(
            shop,
            "RESET ROLE; DROP OWNED BY managed_reader, managed_admin CASCADE; DROP ROLE managed_reader; "
            "DROP ROLE managed_admin",
        )
