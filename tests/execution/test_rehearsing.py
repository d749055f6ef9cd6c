"""Many indexes on a real copy, hidden and shown: what a query does without and with them, and that nothing stays."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from premortem import catalog, execution, pg
from premortem.errors import ServerError, ServerTimeout, StatementError, TargetRefused
from premortem.execution.differing import Differing, can_hide, differing
from premortem.model import Built, IndexCandidate, IndexKey, ParameterSet, Query, RelationName, Site, Values
from tests.execution.conftest import Staging

ITEMS, ORDERS = (RelationName(schema="public", name=name) for name in ("items", "orders"))
LITERAL = ParameterSet(name="literal")
NOBODY: frozenset[int] = frozenset()


def index(*columns: str, table: RelationName = ITEMS, predicate: str | None = None, **how: object) -> IndexCandidate:
    keys = tuple(IndexKey(column=c) for c in columns)
    return IndexCandidate(table=table, keys=keys, predicate=predicate, **how)  # type: ignore[arg-type]


def query(text: str, count: int = 0, path: tuple[str, ...] | None = None) -> Query:
    site = Site(source="q.sql", line=1)
    return Query(text=text, original=text, fingerprint=text, site=site, parameter_count=count, search_path=path)


BY_SKU = query("SELECT * FROM items WHERE sku = $1 AND status = $2", 2)
VALUES = ParameterSet(name="typical", values=("sku-77", "pending"))


def test_each_run_sees_just_the_indexes_that_it_is_shown(staging: Staging) -> None:
    before = staging.contents()
    with execution.rehearse(staging.dsn, staging.profile) as rehearsal:
        stage = rehearsal.stage
        built = stage.build([index("sku"), index("sku", "status")])
        assert all(isinstance(b, Built) and b.size_bytes > 8192 for b in built)
        (later,) = stage.build([index("status", predicate="status = 'pending'")])
        assert isinstance(later, Built)
        without = stage.run(BY_SKU, VALUES)
        first, both = (stage.run(BY_SKU, VALUES, visible=v) for v in (frozenset({0}), frozenset({0, 1})))
        again = stage.run(BY_SKU, VALUES)
    assert (without.used, first.used, both.used, again.used) == (NOBODY, {0}, {1}, NOBODY)
    assert without.blocks == again.blocks > 10 * first.blocks
    assert staging.contents() == before


@pytest.fixture
def untidy(staging: Staging) -> Iterator[Staging]:
    """Somebody tried indexes there, and dropped one that production has; one is the same under another name."""
    with pg.writer(staging.dsn, purpose="test") as db:
        db.execute("CREATE INDEX left_here ON items (sku)")
        db.execute("CREATE INDEX one_more ON items (pieces DESC)")
        db.execute("ALTER TABLE orders ADD CONSTRAINT strict UNIQUE (id, status)")
        db.execute("ALTER INDEX items_pkey RENAME TO renamed_items_pkey")
        db.execute("ALTER TABLE orders DROP CONSTRAINT orders_pkey")
    yield staging
    with pg.writer(staging.dsn, purpose="test") as db:
        db.execute("DROP INDEX left_here, one_more")
        db.execute("ALTER TABLE orders DROP CONSTRAINT strict, ADD PRIMARY KEY (id)")
        db.execute("ALTER INDEX renamed_items_pkey RENAME TO items_pkey")


def test_indexes_that_production_has_not_are_hidden_and_told(untidy: Staging) -> None:
    before = untidy.contents()
    with execution.rehearse(untidy.dsn, untidy.profile) as rehearsal:
        stage = rehearsal.stage
        (built,) = stage.build([index("sku", "status")])
        assert isinstance(built, Built)
        without, with_ours = stage.run(BY_SKU, VALUES), stage.run(BY_SKU, VALUES, visible=frozenset({0}))
    assert without.blocks > 10 * with_ours.blocks
    assert (without.used, with_ours.used) == (NOBODY, {0})
    hidden, bound, missing = [g for g in rehearsal.gaps if g.subject == "the mirror's indexes"]
    assert hidden.says == "It has 2 indexes (left_here and one_more), and production has not"
    assert "hidden" in hidden.effect
    assert bound.says == "It has 1 index (strict on orders), and production has not"
    assert missing.says == "It lacks 1 index (orders_pkey on orders) of production's"
    assert untidy.contents() == before


def test_partitions_tables_without_any_index_and_tables_of_one_side(database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute("CREATE TABLE events (id int, day date, kind text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)")
        db.execute("CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')")
        db.execute("CREATE INDEX kinds ON events (kind)")
        db.execute("CREATE TABLE bare (id int PRIMARY KEY); CREATE TABLE gone (id int PRIMARY KEY)")
        db.execute("CREATE TABLE broken (id int); CREATE INDEX unusable ON broken (id)")
        db.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'unusable'::regclass")
    with pg.session(database, purpose="test") as db:
        profile = catalog.pull(db, values=Values.NONE)
    with pg.writer(database, purpose="test") as db:
        assert differing(db, profile) == Differing()
        db.execute("ALTER TABLE bare DROP CONSTRAINT bare_pkey; DROP TABLE gone; DROP INDEX kinds")
        db.execute("CREATE TABLE new (id int PRIMARY KEY); CREATE INDEX days ON events (day)")
        db.execute("UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'unusable'::regclass")
        found = differing(db, profile)
        assert set(map(str, found.extra)) == {"days", "unusable"}
        assert found.bound == ()
        assert set(found.missing) == {"bare_pkey on bare", "kinds on events"}
        assert can_hide(db, found.extra)


def test_a_role_that_may_not_hide_them_is_told_so(untidy: Staging) -> None:
    with pg.writer(untidy.dsn, purpose="test") as db:
        db.execute("CREATE ROLE reader LOGIN IN ROLE pg_read_all_data, pg_write_all_data")
    try:
        with execution.rehearse(f"{untidy.dsn} user=reader", untidy.profile) as rehearsal:
            ran = rehearsal.stage.run(BY_SKU, VALUES)
        assert ran.blocks < 100
        told = [g for g in rehearsal.gaps if "left_here" in g.says]
        assert [g.effect for g in told] == ["queries that read them are quicker there than in production"]
    finally:
        with pg.writer(untidy.dsn, purpose="test") as db:
            db.execute("DROP ROLE reader")


def test_processor_time_is_told_to_who_may_know(staging: Staging) -> None:
    with execution.rehearse(staging.dsn, staging.profile) as rehearsal:
        ran = rehearsal.stage.run(query("SELECT count(*) FROM generate_series(1, 200000)"), LITERAL)
    assert ran.cpu_ms is not None
    assert ran.cpu_ms > 1.0


def test_an_existing_index_is_hidden_for_a_moment(staging: Staging) -> None:
    lookup, hidden = query("SELECT total FROM orders WHERE customer_id = 5"), RelationName(schema="public", name="own")
    with pg.writer(staging.dsn, purpose="test") as db:
        db.execute("CREATE INDEX own ON orders (customer_id)")
    with pg.session(staging.dsn, purpose="test") as db:
        profile = catalog.pull(db, values=Values.ALL)
    try:
        with execution.rehearse(staging.dsn, profile) as rehearsal:
            seen = rehearsal.stage.run(lookup, LITERAL)
            unseen = rehearsal.stage.run(lookup, LITERAL, hidden=frozenset({hidden}))
        with pg.session(staging.dsn, purpose="test") as db:
            assert db.value("SELECT true FROM pg_indexes WHERE indexname = 'own'")
    finally:
        with pg.writer(staging.dsn, purpose="test") as db:
            db.execute("DROP INDEX own")
    assert unseen.blocks > 2 * seen.blocks


def test_what_writes_is_undone_each_time(staging: Staging) -> None:
    before = staging.contents()
    with execution.rehearse(staging.dsn, staging.profile) as rehearsal:
        stage = rehearsal.stage
        stage.build([index("sku")])
        texts = ("UPDATE items SET sku = sku || 'x' WHERE sku = 'sku-77'", "DELETE FROM items WHERE sku = 'sku-77'")
        ran = [stage.run(query(t), LITERAL, visible=frozenset({0})) for t in (*texts, *texts)]
    assert all(r.used == {0} for r in ran)
    assert ran[0].blocks == pytest.approx(ran[2].blocks, rel=0.5)
    assert staging.contents() == before


def test_an_index_that_cannot_be_built_says_why_and_spoils_nothing(staging: Staging) -> None:
    with pg.writer(staging.dsn, purpose="test") as db:
        db.execute("CREATE TABLE letters (id int, body text)")
        db.execute(
            "INSERT INTO letters SELECT 1, string_agg(md5(g::text), '') FROM generate_series(1, 2000) g;"
            "INSERT INTO letters SELECT g, 'x' FROM generate_series(2, 500) g"
        )
    letters = RelationName(schema="public", name="letters")
    try:
        with execution.rehearse(staging.dsn, staging.profile) as rehearsal:
            stage = rehearsal.stage
            found = stage.build([index("body", table=letters), index("gone"), index("sku")])
            ran = stage.run(BY_SKU, VALUES, visible=frozenset({0, 1, 2}))
    finally:
        with pg.writer(staging.dsn, purpose="test") as db:
            db.execute("DROP TABLE letters")
    long, gone, fine = found
    assert isinstance(long, StatementError)
    assert (long.sqlstate, "index row" in long.message) == ("54000", True)
    assert isinstance(gone, StatementError)
    assert isinstance(fine, Built)
    assert ran.used == {2}


def test_what_does_not_finish_is_a_run_of_at_least_the_limit(staging: Staging) -> None:
    slow = query("SELECT pg_sleep(5)")
    with execution.rehearse(staging.dsn, staging.profile, limit=timedelta(milliseconds=80)) as rehearsal:
        stage = rehearsal.stage
        usual, shorter = stage.run(slow, LITERAL), stage.run(slow, LITERAL, limit_ms=20)
        stage.limit = timedelta(minutes=1)  # what follows need not be quick
        after = stage.run(BY_SKU, VALUES)
    assert (usual.finished, usual.ms, shorter.finished, shorter.ms) == (False, 80.0, False, 20.0)
    assert after.finished


def test_a_query_that_the_mirror_refuses_is_an_error_and_no_more(staging: Staging) -> None:
    with execution.rehearse(staging.dsn, staging.profile) as rehearsal:
        with pytest.raises(StatementError, match="does not exist"):
            rehearsal.stage.run(query("SELECT absent FROM items"), LITERAL)
        assert rehearsal.stage.run(BY_SKU, VALUES).finished


def test_a_querys_own_search_path_holds_in_every_run(staging: Staging) -> None:
    with pg.writer(staging.dsn, purpose="test") as db:
        db.execute("CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.things AS SELECT 1 AS n")
    things = query("SELECT n FROM things", path=("elsewhere",))
    try:
        with execution.rehearse(staging.dsn, staging.profile) as rehearsal:
            runs = [rehearsal.stage.run(q, p) for q, p in ((things, LITERAL), (BY_SKU, VALUES), (things, LITERAL))]
    finally:
        with pg.writer(staging.dsn, purpose="test") as db:
            db.execute("DROP SCHEMA elsewhere CASCADE")
    assert all(r.finished for r in runs)


def test_a_partitioned_tables_index_is_known_by_its_parts(staging: Staging) -> None:
    with pg.writer(staging.dsn, purpose="test") as db:
        db.execute(
            "CREATE TABLE parts (id int, kind int) PARTITION BY RANGE (id);"
            "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (20000);"
            "CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (20000) TO (40000);"
            "INSERT INTO parts SELECT g, g % 5000 FROM generate_series(1, 39999) g; ANALYZE parts"
        )
    try:
        with execution.rehearse(staging.dsn, staging.profile) as rehearsal:
            stage = rehearsal.stage
            (built,) = stage.build([index("kind", table=RelationName(schema="public", name="parts"))])
            one = query("SELECT * FROM parts WHERE kind = 7")
            without, with_it = stage.run(one, LITERAL), stage.run(one, LITERAL, visible=frozenset({0}))
        with pg.session(staging.dsn, purpose="test") as db:
            assert not db.values("SELECT indexname FROM pg_indexes WHERE tablename LIKE 'parts%'")
    finally:
        with pg.writer(staging.dsn, purpose="test") as db:
            db.execute("DROP TABLE parts")
    assert isinstance(built, Built)
    assert built.size_bytes > 3 * 8192
    assert (without.used, with_it.used) == (NOBODY, {0})


@pytest.fixture
def updated_in_place(staging: Staging) -> Iterator[RelationName]:
    """A table with rows that were updated in place (HOT), whose old versions somebody may still see."""
    with pg.writer(staging.dsn, purpose="test") as db:
        db.execute("CREATE TABLE roomy (id int PRIMARY KEY, tag text) WITH (fillfactor = 40)")
        db.execute("INSERT INTO roomy SELECT g, 'tag-' || g % 900 FROM generate_series(1, 20000) g; ANALYZE roomy")
        with pg.writer(staging.dsn, purpose="test") as reader, reader.transaction():
            reader.value("SELECT pg_catalog.pg_current_xact_id()::text")
            db.execute("UPDATE roomy SET tag = tag || 'y' WHERE id % 40 = 0")
            yield RelationName(schema="public", name="roomy")
        db.execute("DROP TABLE roomy")


OURS = "SELECT c.relname::text FROM pg_class c WHERE obj_description(c.oid, 'pg_class') LIKE 'premortem: tried%'"


def test_an_index_that_waits_for_old_rows_is_built_for_good_and_dropped(
    staging: Staging, updated_in_place: RelationName
) -> None:
    by_tag = query("SELECT * FROM roomy WHERE tag = 'tag-7'")
    with execution.rehearse(staging.dsn, staging.profile) as rehearsal:
        stage = rehearsal.stage
        (first,) = stage.build([index("pieces")])
        found = stage.build([index("tag", table=updated_in_place), index("absent"), index("sku")])
        with pg.session(staging.dsn, purpose="test") as db:
            marked = db.values(OURS)
        ran = stage.run(BY_SKU, VALUES, visible=frozenset({0, 3}))
        without = stage.run(by_tag, LITERAL)
    assert isinstance(first, Built)
    assert [isinstance(f, Built) for f in found] == [True, False, True]
    assert len(marked) == 3
    assert (ran.used, without.used) == ({3}, NOBODY)
    with pg.session(staging.dsn, purpose="test") as db:
        assert db.values(OURS) == ()


def test_what_a_run_had_to_commit_is_swept_when_its_connection_is_killed(
    staging: Staging, updated_in_place: RelationName
) -> None:
    with contextlib.suppress(ServerError), execution.rehearse(staging.dsn, staging.profile) as rehearsal:
        rehearsal.stage.build([index("tag", table=updated_in_place)])
        with pg.writer(staging.dsn, purpose="test") as killer:
            assert len(killer.values(OURS)) == 1
            killer.execute(f"SELECT pg_terminate_backend({rehearsal.stage.db.pid}, 60000)")
    with pg.session(staging.dsn, purpose="test") as db:
        assert db.values(OURS) == ()


def test_what_is_busy_is_not_waited_for(staging: Staging) -> None:
    with pg.writer(staging.dsn, purpose="test") as other, other.transaction():
        other.execute("LOCK TABLE items IN ROW EXCLUSIVE MODE")
        with execution.rehearse(staging.dsn, staging.profile) as rehearsal:
            rehearsal.stage.lock_timeout = timedelta(milliseconds=100)
            (busy,) = rehearsal.stage.build([index("sku")])
    assert isinstance(busy, ServerTimeout)


def test_production_is_refused(staging: Staging) -> None:
    with pg.writer(staging.dsn, purpose="test") as db:
        name = db.value("SELECT current_database()::text")
        db.execute(f"ALTER DATABASE {name} SET premortem.role = 'production'")
    try:
        with pytest.raises(TargetRefused, match="production"), execution.rehearse(staging.dsn, staging.profile):
            pass
    finally:
        with pg.writer(staging.dsn, purpose="test") as db:
            db.execute(f"ALTER DATABASE {name} SET premortem.role = 'staging'")


def test_the_owner_of_the_tables_is_enough(staging: Staging) -> None:
    with pg.writer(staging.dsn, purpose="test") as db:
        owner = f"owner_{db.pid}"
        db.execute(f"CREATE ROLE {owner} LOGIN; GRANT {owner} TO CURRENT_USER")
        db.execute("GRANT CREATE, USAGE ON SCHEMA public TO " + owner)
        db.execute(f"ALTER TABLE items OWNER TO {owner}; ALTER TABLE orders OWNER TO {owner}")
    try:
        with execution.rehearse(staging.dsn + f" user={owner}", staging.profile) as rehearsal:
            stage = rehearsal.stage
            stage.build([index("sku")])
            without, with_it = stage.run(BY_SKU, VALUES), stage.run(BY_SKU, VALUES, visible=frozenset({0}))
    finally:
        with pg.writer(staging.dsn, purpose="test") as db:
            db.execute(f"REASSIGN OWNED BY {owner} TO CURRENT_USER; DROP OWNED BY {owner}; DROP ROLE {owner}")
    assert (without.used, with_it.used, with_it.cpu_ms) == (NOBODY, {0}, None)


def test_ctrl_c_leaves_nothing(staging: Staging) -> None:
    def interrupted() -> None:
        with execution.rehearse(staging.dsn, staging.profile) as rehearsal:
            rehearsal.stage.build([index("sku"), index("pieces")])
            raise KeyboardInterrupt

    before = staging.contents()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert staging.contents() == before


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell that starts tests in the background has them ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_in_a_query_that_runs_leaves_nothing_that_was_built_for_good(
    staging: Staging, updated_in_place: RelationName
) -> None:
    def interrupted() -> None:
        with execution.rehearse(staging.dsn, staging.profile) as rehearsal:
            rehearsal.stage.build([index("tag", table=updated_in_place)])
            timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            rehearsal.stage.limit = timedelta(minutes=10)  # only the interruption ends it
            rehearsal.stage.run(query("SELECT pg_sleep(600)"), LITERAL)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pg.session(staging.dsn, purpose="test") as db:
        assert db.values(OURS) == ()
        for _ in range(600):  # a backend sees a moment later that its client is gone
            if not db.value(
                "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'sleep.600' AND pid <> pg_backend_pid()"
            ):
                break
            time.sleep(0.1)
        else:
            pytest.fail("the query runs on")


def test_values_of_the_copys_rows_go_together(staging: Staging) -> None:
    both = query("SELECT 1 FROM items WHERE sku = $1 AND status = $2 AND pieces < $3", 3)
    with execution.rehearse(staging.dsn, staging.profile) as rehearsal:
        sets = rehearsal.stage.sampled(both, (ParameterSet(name="typical", values=("sku-1", "sent", "9")),))
        none = rehearsal.stage.sampled(query("SELECT 1 FROM items"), (LITERAL,))
    assert none == ()
    assert 1 <= len(sets) <= 2
    assert all(s.values[2] == "9" for s in sets)
    with pg.session(staging.dsn, purpose="test") as db:
        found = [
            db.value("SELECT count(*) FROM public.items WHERE sku = %(sku)s AND status = %(status)s", sku=s.values[0],
                     status=s.values[1])
            for s in sets
        ]  # fmt: skip
    assert all(count > 0 for count in found)
