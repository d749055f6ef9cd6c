"""What may go, on real servers: each case of a superfluous index, and each index that only looks like one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from premortem import pg, workload
from premortem.errors import InputError
from premortem.model import (
    Drop,
    DropKind,
    IndexCandidate,
    IndexKey,
    Kept,
    Profile,
    Recommendation,
    RelationName,
    Upkeep,
)
from tests.workload.production import Production, counted, made, pulled, with_table

MONTHS = timedelta(days=50)
SCRIPT = "dropping.sql"
ORDERS = (
    "select * from orders where customer_id = $1",
    "select * from orders where customer_id = $1 and day > $2 order by day limit 5",
    "select count(*) from orders where day = $1",
    "select * from events where kind = $1 and at = $2",
    "select * from tags where names @> array[$1]",
)
_made: dict[int, Production] = {}


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened
    _made.clear()


@pytest.fixture
def shop(server: pg.Server, stack: ExitStack) -> Production:
    """The shop on each major, with a twin of it."""
    if server.pid not in _made:
        _made[server.pid] = made(server, SCRIPT, stack)
    return _made[server.pid]


class Verdict:
    """What became of the indexes, by their names."""

    def __init__(self, drops: Sequence[Drop], kept: Sequence[Kept]) -> None:
        self.drops = {d.index.name: d for d in drops}
        self.kept = {k.index.name: k.says for k in kept}

    def goes(self, name: str) -> Drop:
        assert name in self.drops, self.kept.get(name, f"{name} is no suspect: {sorted(self.drops)}")
        return self.drops[name]

    def stays(self, name: str) -> str:
        assert name not in self.drops, self.drops[name]
        return self.kept.get(name, "")


def judged(
    shop: Production,
    *queries: str,
    profile: Profile | None = None,
    calls: float | None = None,
    recommended: Sequence[IndexCandidate] = (),
    replicas: Sequence[Profile] = (),
    now: datetime | None = None,
    noise: float = 0.05,
) -> Verdict:
    """Return what may go for these queries, with recommended indexes in place."""
    profile = profile or shop.profile
    studied = shop.study(*queries)
    if calls is not None:
        studied = tuple(replace(s, demand=replace(s.demand, calls_per_day=calls)) for s in studied)
    world = shop.world(studied, profile)
    first = world.stocked
    refused = world.stock(recommended)
    assert refused == (None,) * len(recommended)
    drops, kept = workload.drops(
        studied,
        world,
        recommended=[recommendation(c, n) for n, c in enumerate(recommended)],
        visible=frozenset(range(first, first + len(recommended))),
        replicas=replicas,
        now=now or profile.taken_at,
        limits=workload.DropLimits(noise=noise),
    )
    return Verdict(drops, kept)


def recommendation(candidate: IndexCandidate, number: int) -> Recommendation:
    return Recommendation(
        candidate=candidate, name=f"new_{number}", size_bytes=0, build_time=timedelta(), lock="", upkeep=Upkeep(),
        gains=(), saves=timedelta(), share=0.0,
    )  # fmt: skip


def index(table: str, *columns: str, predicate: str | None = None) -> IndexCandidate:
    keys = tuple(IndexKey(column=c) for c in columns)
    return IndexCandidate(table=RelationName(schema="public", name=table), keys=keys, predicate=predicate)


# another index does the work --------------------------------------------------------------------------------


def test_what_another_index_does_may_go_and_nothing_else(shop: Production) -> None:
    found = judged(shop, *ORDERS)
    assert {name: d.kind for name, d in found.drops.items() if d.kind is not DropKind.INVALID} == {
        "orders_customer": DropKind.REDUNDANT,
        "orders_status": DropKind.REDUNDANT,
        "orders_note_hash": DropKind.REDUNDANT,
        "orders_day_again": DropKind.DUPLICATE,
        "orders_day_back": DropKind.DUPLICATE,
        "orders_id_again": DropKind.DUPLICATE,
        "orders_id_unique": DropKind.DUPLICATE,
        "orders_token_customer": DropKind.REDUNDANT,
        "events_kind_only": DropKind.REDUNDANT,
        "events_a_own": DropKind.REDUNDANT,  # the parent's events_kind_only, of which it is a copy, goes too
        "tags_names": DropKind.REDUNDANT,
        "tags_at_brin": DropKind.REDUNDANT,
    }
    assert found.goes("orders_customer").instead == "orders_customer_day"
    assert found.goes("orders_id_unique").instead == "orders_pkey"
    assert "1 of 3 queries on orders reads it" in found.goes("orders_customer").proof


def test_the_most_used_of_equal_indexes_stays(shop: Production) -> None:
    used = counted(shop.profile, MONTHS, {"orders_day_again": 9_000, "orders_day": 12, "orders_customer_day": 1})
    found = judged(shop, *ORDERS, profile=used)
    assert found.stays("orders_day_again") == ""
    assert {"orders_day", "orders_day_back"} <= set(found.drops)
    backwards = counted(shop.profile, MONTHS, {"orders_day_back": 9_000, "orders_customer_day": 1})
    assert judged(shop, *ORDERS, profile=backwards).stays("orders_day") == ""
    assert found.goes("orders_day").instead == "orders_day_again"


def test_a_prefix_stays_where_the_longer_index_is_dear_to_read(shop: Production) -> None:
    counting = "select status, count(*) from orders where status > 'a' group by status"
    said = judged(shop, counting).stays("orders_status")
    assert "orders_status_note (status, note) finds all that it finds" in said
    assert "without it q1 would cost" in said


def test_the_statements_drop_the_indexes_and_the_undo_brings_them_back(shop: Production) -> None:
    before = definitions(shop.dsn)
    drops = list(judged(shop, *ORDERS).drops.values())
    with pg.writer(shop.dsn, purpose="test") as db:
        for one in drops:
            for statement in one.statements:
                db.execute(statement)
        gone = set(before) - set(definitions(shop.dsn))
        assert {d.index.name for d in drops} <= gone
        for one in drops:
            for statement in one.undo_statements:
                db.execute(statement)
        db.execute(
            "update pg_index set indisvalid = false"
            " where indexrelid in ('lines_sku_left'::regclass, 'lines_id_left'::regclass)"
        )
    assert definitions(shop.dsn) == before


def test_no_query_is_dearer_on_the_server_itself(shop: Production) -> None:
    queries = (
        "select * from orders where customer_id = 77",
        "select * from orders where customer_id = 77 and day > '2025-06-01' order by day limit 5",
        "select count(*) from orders where day = '2025-06-01'",
        "select * from orders where id = 12 and note = 'x'",
        "select * from events where kind = 'buy' and at = '2026-01-07'",
        "select * from events_a where kind = 'buy' and at = '2026-01-07'",
        "select * from tags where names @> array['t1']",
        "select o.note from lines l join orders o on o.id = l.order_id where l.id < 40 order by o.day",
    )
    drops = judged(shop, *queries).drops
    assert len(drops) > 10
    with pg.writer(shop.dsn, purpose="test") as db, db.rolled_back():
        before = [cost(db, q) for q in queries]
        for one in drops.values():
            db.execute(f"drop index {one.index.sql}")
        after = [cost(db, q) for q in queries]
    assert all(new <= old * 1.05 + 0.2 for old, new in zip(before, after, strict=True)), (before, after)


def cost(db: pg.Session, query: str) -> float:
    plan = db.value(f"explain (format json) {query}")
    return float(plan[0]["Plan"]["Total Cost"])  # type: ignore[index, call-overload]


def definitions(dsn: str) -> dict[str, tuple[str, bool]]:
    with pg.session(dsn, purpose="test") as db:
        rows = db.tuples(
            "select c.relname::text, pg_get_indexdef(c.oid), i.indisvalid from pg_index i"
            " join pg_class c on c.oid = i.indexrelid where c.relnamespace = 'public'::regnamespace"
        )
    return {str(name): (str(text), bool(valid)) for name, text, valid in rows}


# nobody uses it ---------------------------------------------------------------------------------------------


def test_what_nobody_used_for_weeks_may_go_unless_a_plan_reads_it(shop: Production) -> None:
    found = judged(shop, *ORDERS, profile=counted(shop.profile, MONTHS, {"orders_customer": 3}))
    assert found.goes("orders_total").kind is DropKind.UNUSED
    assert "was not used in 50 days" in found.goes("orders_total").says
    assert "of 3 queries on orders reads it" in found.goes("orders_total").proof
    assert found.goes("orders_customer").instead == "orders_customer_day"
    assert "does the work of orders_customer, which goes" in found.stays("orders_customer_day")


def test_an_index_that_the_workload_reads_is_not_unused(shop: Production) -> None:
    quiet = counted(shop.profile, MONTHS)
    said = judged(shop, "select * from orders where total = $1", profile=quiet).stays("orders_total")
    assert "was not used in 50 days, but without it q1" in said
    assert "times more" in said


def test_young_counters_say_nothing_and_half_a_month_is_a_caution(shop: Production) -> None:
    day = counted(shop.profile, timedelta(hours=20))
    assert "orders_total" not in judged(shop, profile=day).drops
    (gap,) = workload.drop_gaps(day)
    assert "cover 20 h" in gap.says
    weeks = counted(shop.profile, timedelta(days=15))
    assert "15 days only" in judged(shop, profile=weeks).goes("orders_total").caution[0]
    assert workload.drop_gaps(weeks) == ()


def test_what_was_last_used_long_ago_may_go_too(shop: Production) -> None:
    old = counted(shop.profile, timedelta(days=400), {"orders_total": 7})
    when = shop.profile.taken_at - timedelta(days=210)
    assert "orders_total" not in judged(shop, profile=old).drops
    dated = edited(old, "orders_total", last_used=when)
    assert "last used 210 days ago" in judged(shop, profile=dated).goes("orders_total").says


def edited(profile: Profile, name: str, **facts: object) -> Profile:
    tables = (
        replace(t, indexes=tuple(replace(i, **facts) if i.name == name else i for i in t.indexes))  # type: ignore[arg-type]
        for t in profile.tables
    )
    return replace(profile, tables=tuple(tables))


def test_a_standby_that_was_not_heard_may_use_it(shop: Production) -> None:
    quiet = counted(shop.profile, MONTHS)
    primary = replace(quiet, server=replace(quiet.server, standbys=1))
    assert "orders_total" not in judged(shop, profile=primary).drops
    (gap,) = workload.drop_gaps(primary)
    assert "1 standby streams from production and counts its reads for itself" in gap.says

    standby = replace(
        quiet, server=replace(quiet.server, in_recovery=True, standbys=0), taken_at=quiet.taken_at + timedelta(hours=1)
    )
    assert workload.drop_gaps(primary, replicas=(standby,)) == ()
    both = judged(shop, profile=primary, replicas=(standby,)).goes("orders_total")
    assert "not used on any of 2 servers in 50 days" in both.says
    reporting = edited(standby, "orders_total", scans=40)
    assert "orders_total" not in judged(shop, profile=primary, replicas=(reporting,)).drops
    assert "standby's and the primary counts for itself" in workload.drop_gaps(standby)[0].says


def test_a_profile_of_another_server_is_refused(shop: Production) -> None:
    profile = shop.profile
    later = profile.taken_at + timedelta(hours=1)
    other = replace(profile, server=replace(profile.server, system_identifier="1"), taken_at=later)
    with pytest.raises(InputError, match="another cluster"):
        workload.check_replicas(profile, [other])
    with pytest.raises(InputError, match="given twice"):
        workload.check_replicas(profile, [profile])
    elsewhere = replace(profile, server=replace(profile.server, database="else"), taken_at=later)
    with pytest.raises(InputError, match="another database"):
        workload.check_replicas(profile, [elsewhere])


def test_an_old_profile_says_how_old_it_is(shop: Production) -> None:
    found = judged(shop, now=shop.profile.taken_at + timedelta(days=12))
    assert any("12 days old" in c for c in found.goes("orders_day_again").caution)


# more than speed hangs on it --------------------------------------------------------------------------------


def test_promises_are_kept(shop: Production) -> None:
    found = judged(shop, profile=counted(shop.profile, MONTHS))
    assert "was not used in 50 days, but it keeps (token) unique" in found.stays("orders_token")
    assert found.stays("orders_pkey") == ""
    assert found.stays("orders_country") == ""  # too small to be called unused
    assert {"customers_pkey", "countries_pkey", "lines_pkey", "tags_pkey"}.isdisjoint(found.drops)


def test_what_another_unique_index_implies_may_go_unless_an_upsert_names_it(shop: Production) -> None:
    quiet = counted(shop.profile, MONTHS)
    alone = judged(shop, profile=quiet).goes("orders_token_customer")
    assert any("ON CONFLICT (token, customer_id)" in c for c in alone.caution)
    upsert = (
        "insert into orders values ($1, 1, 1, 'open', '2026-01-01', 1, 'x', $2)"
        " on conflict (token, customer_id) do nothing"
    )
    assert "could not be planned" in judged(shop, upsert, profile=quiet).stays("orders_token_customer")


def test_the_search_of_a_foreign_key_is_in_no_plan(shop: Production) -> None:
    quiet = counted(shop.profile, MONTHS)
    spared = judged(shop, profile=with_table(quiet, "orders", deletes=0.01)).stays("lines_order")
    assert "lines_order_id_fkey" in spared
    assert "rows of orders are deleted" in spared
    never = with_table(quiet, "orders", deletes=0.0, updates=0.0)
    dropped = judged(shop, profile=never).goes("lines_order")
    assert any("would read all 90,000 rows of lines" in c for c in dropped.caution)
    young = counted(never, timedelta(days=9))
    assert "not watched for long enough" in judged(shop, profile=young).stays("lines_order")


def test_the_statistics_of_an_expression_are_not_lost_unseen(shop: Production) -> None:
    quiet = counted(shop.profile, MONTHS)
    large = edited(quiet, "orders_state", pages=4_000)
    query = "select * from orders o join lines l on l.order_id = o.id where upper(o.status) = 'SENT'"
    said = judged(shop, query, profile=large).stays("orders_state")
    assert "statistics of its expression" in said
    assert judged(shop, ORDERS[0], profile=large).goes("orders_state").kind is DropKind.UNUSED


def test_a_hint_that_names_the_index_is_told(shop: Production) -> None:
    hinted = "/*+ IndexScan(orders orders_day_again) */ select count(*) from orders where day = $1"
    found = judged(shop, hinted, profile=counted(shop.profile, MONTHS, {"orders_day": 5}))
    assert any("q1 names it in a hint" in c for c in found.goes("orders_day_again").caution)


# replaced ---------------------------------------------------------------------------------------------------


def test_what_a_recommended_index_starts_with_is_replaced(shop: Production) -> None:
    found = judged(shop, *ORDERS, recommended=[index("orders", "total", "day")])
    assert found.goes("orders_total").kind is DropKind.REPLACED
    assert found.goes("orders_total").instead == "new_0"


def test_a_partial_index_replaces_only_what_has_its_predicate(shop: Production) -> None:
    done = index("orders", "customer_id", "day", predicate="status = 'done'")
    assert found_names(judged(shop, ORDERS[0], recommended=[done]), "orders_done", "orders_open") == set()


def found_names(found: Verdict, *names: str) -> set[str]:
    return set(names) & set(found.drops)


def test_what_no_plan_reads_any_more_must_explain_its_scans(shop: Production) -> None:
    query = "select id from orders where total = $1 and day = $2"
    better = [index("orders", "day", "total")]
    scans = {"orders_day": 50_000, "orders_total": 5_000}
    explained = counted(shop.profile, MONTHS, scans)
    read = judged(shop, query, profile=explained, calls=1_000.0, recommended=better)
    assert read.goes("orders_total").kind is DropKind.REPLACED
    assert read.goes("orders_total").instead == "new_0"
    others = judged(shop, query, profile=explained, calls=1.0, recommended=better).stays("orders_total")
    assert "others read it" in others
    assert "orders_total" not in judged(shop, query, profile=explained, recommended=better).drops


# never finished ---------------------------------------------------------------------------------------------


def test_an_invalid_index_goes_unless_a_query_wants_it(shop: Production) -> None:
    found = judged(shop, "select * from lines where sku = $1")
    assert "REINDEX INDEX CONCURRENTLY public.lines_sku_left;" in found.stays("lines_sku_left")
    assert found.goes("lines_id_left").kind is DropKind.INVALID
    assert found.goes("lines_id_left").statements == ("DROP INDEX CONCURRENTLY public.lines_id_left;",)
    assert judged(shop, ORDERS[0]).goes("lines_sku_left").kind is DropKind.INVALID
    assert "attach the missing ones" in found.stays("events_at_kind_idx")


def test_a_failed_build_of_a_unique_index_is_told_as_one(shop: Production) -> None:
    found = judged(shop, profile=edited(shop.profile, "lines_id_left", unique=True))
    assert any("refuses new duplicates of (id, sku)" in c for c in found.goes("lines_id_left").caution)


def test_an_index_of_partitions_is_used_where_one_of_its_parts_is(shop: Production) -> None:
    quiet = counted(shop.profile, MONTHS)
    assert judged(shop, profile=quiet).goes("events_id").kind is DropKind.UNUSED
    used = counted(shop.profile, MONTHS, {"events_b_click_id_idx": 3})
    assert "events_id" not in judged(shop, profile=used).drops


def test_two_of_the_same_never_go_both_when_one_is_missed(shop: Production) -> None:
    quiet = counted(shop.profile, MONTHS)
    for name in ("orders_day", "orders_day_again", "orders_day_back"):
        quiet = edited(quiet, name, pages=4_000)
    found = judged(shop, "select count(*) from orders where day between $1 and $2", profile=quiet)
    assert found_names(found, "orders_day", "orders_day_again", "orders_day_back") == {
        "orders_day_again",
        "orders_day_back",
    }
    assert "without it q1" in found.stays("orders_day")


def test_an_index_of_a_partition_is_not_left_alone_by_its_parents(shop: Production) -> None:
    """Both of the parent's indexes that do its work are replaced, and so is it; a wider one costs a little more."""
    found = judged(shop, *ORDERS, recommended=[index("events", "kind", "at", "id")], noise=0.25)
    assert {found.goes(name).instead for name in ("events_kind", "events_kind_only", "events_a_own")} == {"new_0"}
    assert found.goes("events_a_own").kind is DropKind.REPLACED


# a real standby ---------------------------------------------------------------------------------------------


def until_it_streams(dsn: str) -> None:
    """Wait for a standby to be connected: it tells what it replays a moment after it answers by itself."""
    ends = time.monotonic() + 60
    with pg.session(dsn, purpose="test") as db:
        while not db.value("SELECT count(*) FROM pg_stat_replication WHERE replay_lsn IS NOT NULL"):
            assert time.monotonic() < ends, "no standby streams"
            time.sleep(0.1)


def test_a_profile_says_how_many_standbys_stream() -> None:
    installation = pg.exact_installation(15)
    if installation is None:
        pytest.skip("PostgreSQL 15 is not on this machine")
    with pg.start(installation, settings={"wal_level": "replica", "max_wal_senders": 4}) as primary:
        assert pulled(primary.dsn()).server.standbys == 0
        copy = primary.data_directory.parent / "standby"
        primary.run("pg_basebackup", "-D", str(copy), "-d", primary.dsn(), "-X", "stream", "-c", "fast", "-R")
        with pg.start(installation, data_directory=copy) as standby:
            there = pulled(standby.dsn())
            assert there.server.in_recovery
            until_it_streams(primary.dsn())
            assert pulled(primary.dsn()).server.standbys == 1
            workload.check_replicas(pulled(primary.dsn()), [there])


def test_now_is_an_argument(shop: Production) -> None:
    assert judged(shop, now=datetime.now(UTC)).drops
