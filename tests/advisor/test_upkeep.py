"""What an index costs those who write: more writes and wider indexes cost more, and HOT updates end where they must."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem import advisor
from premortem.model import (
    Column,
    ColumnStatistics,
    Index,
    IndexCandidate,
    IndexKey,
    KeyColumn,
    ObjectKind,
    Profile,
    Query,
    RelationKind,
    RelationName,
    SchemaObject,
    ServerFacts,
    Setting,
    Site,
    StatementKind,
    Table,
    TableActivity,
    TriggerDefinition,
    Upkeep,
    Values,
    Workload,
)

WEEKS = timedelta(days=21)
BUSY = TableActivity(window=WEEKS, inserts=20.0, updates=40.0, hot_updates=30.0, deletes=5.0)
ROWS = 2_000_000.0


def column(name: str, number: int, type_: str = "integer", *, distinct: float = -1.0, order: float = 0.0) -> Column:
    width = {"integer": 4, "bigint": 8, "text": 20, "text[]": 60}.get(type_, 8)
    common, shares = (("open", "done"), (0.1, 0.9)) if name == "status" else ((), ())
    found = ColumnStatistics(
        null_fraction=0.0, average_width=width, n_distinct=distinct, correlation=order,
        most_common_values=common, most_common_frequencies=shares,
    )  # fmt: skip
    return Column(name=name, number=number, type=type_, statistics=(found,))


COLUMNS = (
    column("id", 1, "bigint", order=1.0),
    column("account", 2, distinct=50_000.0, order=0.01),
    column("status", 3, "text", distinct=2.0, order=0.5),
    column("email", 4, "text", order=0.02),
    column("created", 5, "timestamp with time zone", order=0.99),
    column("hits", 6, distinct=1_000.0),
    column("tags", 7, "text[]"),
)


def index(name: str, *columns: str, method: str = "btree") -> Index:
    keys = tuple(KeyColumn(column=c, expression=None, opclass="int4_ops", opclass_is_default=True) for c in columns)
    return Index(name=name, definition="", method=method, keys=keys, pages=5_500, relation_pages=5_500, tuples=ROWS)


PKEY = index("orders_pkey", "id")


def orders(activity: TableActivity = BUSY, indexes: tuple[Index, ...] = (PKEY,), **given_: object) -> Table:
    pages = round(ROWS / 60)
    table = Table(
        schema="public", name="orders", kind=RelationKind.TABLE, columns=COLUMNS, indexes=indexes, pages=pages,
        relation_pages=pages, tuples=ROWS, activity=activity,
    )  # fmt: skip
    return replace(table, **given_)  # type: ignore[arg-type]


def update(text: str, calls: float, kind: StatementKind = StatementKind.UPDATE) -> Query:
    return Query(
        text=text, original=text, fingerprint=text, site=Site(source="pg_stat_statements"), kind=kind, calls=calls,
        calls_per_second=calls / WEEKS.total_seconds(), rows_per_call=1.0,
    )  # fmt: skip


def profile(*tables: Table, statements: Sequence[Query] = (), major: int = 15, **settings: str) -> Profile:
    server = ServerFacts(
        version_num=major * 10_000, version=str(major), database="d", encoding="UTF8", collate="C", ctype="C"
    )
    return Profile(
        taken_at=datetime(2026, 1, 1, tzinfo=UTC), server=server, values=Values.ALL, tables=tables,
        workload=Workload(window=WEEKS, statements=tuple(statements)),
        settings=tuple(Setting(name=n, value=v) for n, v in settings.items()),
    )  # fmt: skip


def on(*columns: str, **rest: object) -> IndexCandidate:
    keys = tuple(IndexKey(column=c) for c in columns)
    return IndexCandidate(table=RelationName(schema="public", name="orders"), keys=keys, **rest)  # type: ignore[arg-type]


def kept(candidate: IndexCandidate, table: Table, known: Profile | None = None) -> Upkeep:
    return advisor.upkeep(candidate, table, known or profile(table), advisor.index_size(candidate, table))


CANDIDATES = [
    on("account"), on("id"), on("created"), on("email"), on("status"), on("account", "created"), on("hits"),
    on("account", include=("email",)), on("email", unique=True), on("tags", method="gin"), on("account", method="hash"),
    on("created", method="brin"), on("account", predicate="status = 'open'"),
]  # fmt: skip
RATES = st.floats(min_value=0.0, max_value=1e5)
ACTIVITIES = st.builds(
    lambda i, u, share, d: TableActivity(window=WEEKS, inserts=i, updates=u, hot_updates=u * share, deletes=d),
    RATES, RATES, st.floats(min_value=0, max_value=1), RATES,
)  # fmt: skip


def as_expensive(upkeep: Upkeep, other: Upkeep) -> bool:
    slack = timedelta(milliseconds=1) + other.time * 1e-6
    return upkeep.time >= other.time - slack and upkeep.wal_bytes >= other.wal_bytes * (1 - 1e-6) - 1


@settings(deadline=None, max_examples=60)
@given(activity=ACTIVITIES, more=st.floats(min_value=1, max_value=50), candidate=st.sampled_from(CANDIDATES))
def test_a_busier_table_is_never_cheaper(activity: TableActivity, more: float, candidate: IndexCandidate) -> None:
    busier = replace(
        activity, inserts=activity.inserts * more, updates=activity.updates * more, deletes=activity.deletes * more,
        hot_updates=activity.hot_updates * more,
    )  # fmt: skip
    assert as_expensive(kept(candidate, orders(busier)), kept(candidate, orders(activity)))


@settings(deadline=None, max_examples=60)
@given(
    activity=ACTIVITIES, rate=st.sampled_from(["inserts", "deletes", "updates"]), more=RATES,
    candidate=st.sampled_from(CANDIDATES),
)  # fmt: skip
def test_more_of_one_kind_is_never_cheaper(
    activity: TableActivity, rate: str, more: float, candidate: IndexCandidate
) -> None:
    busier = replace(activity, **{rate: getattr(activity, rate) + more})
    assert as_expensive(kept(candidate, orders(busier)), kept(candidate, orders(activity)))


@settings(deadline=None, max_examples=60)
@given(activity=ACTIVITIES, columns=st.sampled_from([("account",), ("status", "created"), ("email",), ("created",)]))
def test_a_partial_index_never_costs_more_than_the_whole(activity: TableActivity, columns: tuple[str, ...]) -> None:
    table = orders(activity, indexes=(PKEY, index("orders_status", "status")))
    part = kept(on(*columns, predicate="status = 'open'"), table)
    assert as_expensive(kept(on(*columns), table), part)
    assert part.entries <= kept(on(*columns), table).entries


@settings(deadline=None, max_examples=60)
@given(activity=ACTIVITIES, columns=st.permutations(["account", "email", "created", "hits"]), few=st.integers(1, 3))
def test_one_column_more_is_never_cheaper(activity: TableActivity, columns: list[str], few: int) -> None:
    table = orders(activity)
    assert as_expensive(kept(on(*columns[: few + 1]), table), kept(on(*columns[:few]), table))
    wider = on(*columns[:few], include=(columns[few],))
    assert as_expensive(kept(wider, table), kept(on(*columns[:few]), table))


@settings(deadline=None, max_examples=60)
@given(activity=ACTIVITIES)
def test_nothing_is_negative_and_vacuum_is_a_part(activity: TableActivity) -> None:
    for candidate in CANDIDATES:
        found = kept(candidate, orders(activity))
        assert min(found.entries, found.wal_bytes, found.time.total_seconds()) >= 0
        assert timedelta() <= found.vacuum <= found.time + timedelta(milliseconds=1)
        assert found.lost_hot_updates <= activity.hot_updates * 86_400 * (1 + 1e-9)


# entries and rates ------------------------------------------------------------------------------------------------


def test_an_insert_and_a_cold_update_write_an_entry_each() -> None:
    assert kept(on("id"), orders()).entries == pytest.approx((20 + 10) * 86_400)
    assert kept(on("id", predicate="status = 'open'"), orders()).entries < 0.5 * (20 + 10) * 86_400


def test_scattered_keys_cost_more_than_growing_ones() -> None:
    assert kept(on("email"), orders()).wal_bytes > 3 * kept(on("created"), orders()).wal_bytes


def test_a_gin_index_has_an_entry_for_every_element() -> None:
    assert kept(on("tags", method="gin"), orders()).entries > 2 * kept(on("account"), orders()).entries


def test_a_summary_costs_next_to_nothing() -> None:
    table = orders()
    assert (
        kept(on("account", method="brin"), table, profile(table, major=16)).time < kept(on("account"), table).time / 5
    )


def test_frequent_checkpoints_log_more_images() -> None:
    table = orders()
    often, seldom = (profile(table, checkpoint_timeout=t, max_wal_size="65536") for t in ("60", "1800"))
    assert kept(on("email"), table, often).wal_bytes > 2 * kept(on("email"), table, seldom).wal_bytes
    off = profile(table, full_page_writes="off", checkpoint_timeout="60")
    assert kept(on("email"), table, off).wal_bytes < kept(on("email"), table, seldom).wal_bytes


def test_what_memory_cannot_hold_has_to_be_read() -> None:
    table = orders()
    small = profile(table, shared_buffers="1000", effective_cache_size="1000")
    large = profile(table, shared_buffers="1000000", effective_cache_size="2000000")
    assert kept(on("email"), table, small).time > 3 * kept(on("email"), table, large).time
    assert kept(on("created"), table, small).time < kept(on("email"), table, small).time / 3


@pytest.mark.parametrize(
    ("activity", "source"),
    [
        (BUSY, "pg_stat_user_tables over 21 days"),
        (TableActivity(), "unknown, taken as no writes"),
        (replace(BUSY, window=timedelta(minutes=4)), "counted for 4 min only, taken as no writes"),
        (
            TableActivity(window=timedelta(hours=8), inserts=ROWS / 28_800),
            "rows were loaded: inserts are taken as none",
        ),
    ],
)
def test_the_source_of_the_rates_is_said(activity: TableActivity, source: str) -> None:
    found = kept(on("account"), orders(activity))
    assert source in found.source
    assert (found.entries > 0) is (activity is BUSY)


def test_statements_stand_in_for_counters_that_nobody_has() -> None:
    table = orders(TableActivity())
    insert = update("INSERT INTO orders (id) VALUES ($1)", 1_000_000, StatementKind.INSERT)
    found = kept(on("account"), table, profile(table, statements=[insert]))
    assert "pg_stat_statements over 21 days" in found.source
    assert found.entries == pytest.approx(1_000_000 / 21)


def test_the_partitions_that_are_written_to_are_what_counts() -> None:
    parent = RelationName(schema="public", name="orders")
    whole = orders(TableActivity(), kind=RelationKind.PARTITIONED_TABLE, pages=0, relation_pages=-1)
    quiet = TableActivity(window=WEEKS)
    parts = [orders(BUSY if n == 3 else quiet, name=f"orders_{n}", parents=(parent,)) for n in range(4)]
    known = profile(whole, *parts)
    candidate = on("email")
    size = advisor.index_size(candidate, orders())
    found = advisor.upkeep(candidate, whole, known, size)
    alone = kept(candidate, orders())
    assert found.entries == pytest.approx(alone.entries)
    assert found.wal_bytes < alone.wal_bytes  # a quarter of the index is written to


def test_a_queue_is_not_taken_for_a_load() -> None:
    short = {"window": timedelta(days=1), "inserts": 500.0, "deletes": 500.0 - ROWS / 86_400}
    assert kept(on("account"), orders(TableActivity(**short))).entries == pytest.approx(500 * 86_400)


def test_nothing_is_logged_of_an_unlogged_table() -> None:
    found = kept(on("account"), orders(persistence="unlogged"))
    assert found.wal_bytes == 0
    assert timedelta() < found.time < kept(on("account"), orders()).time


def test_an_eager_vacuum_reads_the_index_more_often() -> None:
    eager = orders(options=("autovacuum_vacuum_scale_factor=0.01", "fillfactor=90"))
    assert kept(on("account"), eager).vacuum > 5 * kept(on("account"), orders()).vacuum


def test_what_is_half_built_costs_nobody_anything_yet() -> None:
    half = replace(index("orders_hits", "hits"), ready=False, valid=False)
    table = orders(indexes=(PKEY, half))
    assert advisor.existing_upkeep(half, table, profile(table)).entries == 0


def test_an_index_of_a_partitioned_table_is_as_large_as_its_parts() -> None:
    parent = RelationName(schema="public", name="orders")
    root = replace(index("orders_account", "account"), pages=0, tuples=0.0)
    whole = orders(TableActivity(), (root,), kind=RelationKind.PARTITIONED_TABLE, pages=0, relation_pages=-1)
    parts = [orders(BUSY, (index(f"account_{n}", "account"),), name=f"orders_{n}", parents=(parent,)) for n in range(3)]
    found = advisor.existing_upkeep(root, whole, profile(whole, *parts))
    one = advisor.existing_upkeep(parts[0].indexes[0], parts[0], profile(parts[0]))
    assert found.entries == pytest.approx(3 * one.entries)
    assert found.wal_bytes == pytest.approx(3 * one.wal_bytes, rel=0.05)


def test_a_partition_is_updated_by_statements_that_name_its_parent() -> None:
    parent = RelationName(schema="public", name="orders")
    whole = orders(TableActivity(), kind=RelationKind.PARTITIONED_TABLE, pages=0, relation_pages=-1)
    part = orders(BUSY, name="orders_1", parents=(parent,))
    known = profile(whole, part, statements=[COUNTS])
    hits, email = (replace(on(c), table=part.relation) for c in ("hits", "email"))
    assert kept(hits, part, known).lost_hot_updates == pytest.approx(30 * 86_400)
    assert kept(email, part, known).lost_hot_updates == 0


# HOT --------------------------------------------------------------------------------------------------------------

COUNTS = update("UPDATE orders SET hits = hits + $1 WHERE id = $2", 900_000)
MOVES = update("UPDATE public.orders SET status = $1 WHERE id = $2", 100_000)
SAVES = update("UPDATE orders SET account=$1, status=$2, email=$3, created=$4, hits=$5, tags=$6 WHERE id=$7", 1_000_000)


@pytest.mark.parametrize(
    ("columns", "share"), [(("hits",), 0.9), (("status",), 0.1), (("status", "hits"), 1.0), (("email",), 0.0)]
)
def test_the_updates_that_set_an_indexed_column_are_hot_no_more(columns: tuple[str, ...], share: float) -> None:
    table = orders()
    known = profile(table, statements=[COUNTS, MOVES])
    assert kept(on(*columns), table, known).lost_hot_updates == pytest.approx(30 * 86_400 * share)
    beside = on("account", include=columns)
    assert kept(beside, table, known).lost_hot_updates == pytest.approx(30 * 86_400 * share)


def test_a_predicate_and_an_expression_count_as_columns() -> None:
    table = orders()
    known = profile(table, statements=[COUNTS, MOVES])
    assert kept(on("account", predicate="status = 'open'"), table, known).lost_hot_updates > 0
    lower = IndexCandidate(table=table.relation, keys=(IndexKey(expression="lower(status)"),))
    assert kept(lower, table, known).lost_hot_updates > 0


def test_what_an_index_holds_already_changes_nothing() -> None:
    table = orders(indexes=(PKEY, index("orders_hits", "hits")))
    known = profile(table, statements=[COUNTS, MOVES])
    assert kept(on("hits", "account"), table, known).lost_hot_updates == 0
    assert kept(on("status"), table, known).lost_hot_updates == pytest.approx(30 * 86_400 * 0.1, rel=0.9)


def test_a_lost_hot_update_writes_to_every_index() -> None:
    few, many = orders(), orders(indexes=(PKEY, *(index(f"more_{n}", "account") for n in range(6))))
    one, six = (kept(on("hits"), t, profile(t, statements=[COUNTS])) for t in (few, many))
    assert six.lost_hot_updates == one.lost_hot_updates > 0
    assert six.wal_bytes > 3 * one.wal_bytes
    assert six.time > 3 * one.time


def test_a_save_of_the_whole_row_seldom_changes_one_column() -> None:
    table = orders()
    lost = kept(on("email"), table, profile(table, statements=[SAVES])).lost_hot_updates
    assert 0 < lost < 0.5 * 30 * 86_400


def test_without_a_workload_every_column_may_change() -> None:
    one, two = (kept(on(*c), orders()).lost_hot_updates for c in (("hits",), ("hits", "account")))
    assert 0 < one < two < 30 * 86_400
    assert kept(on("id"), orders()).lost_hot_updates == 0


@pytest.mark.parametrize(("major", "loses"), [(15, True), (16, False)])
def test_a_summary_keeps_updates_hot_since_16(major: int, loses: bool) -> None:
    table = orders()
    found = kept(on("hits", method="brin"), table, profile(table, statements=[COUNTS], major=major))
    assert (found.lost_hot_updates > 0) is loses


TOUCH = TriggerDefinition(
    name="touch", row_level=True,
    definition="CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON public.orders FOR EACH ROW EXECUTE FUNCTION touch()",
)  # fmt: skip
TOUCHES = SchemaObject(
    kind=ObjectKind.FUNCTION, schema="public", name="touch",
    definition="CREATE FUNCTION touch() RETURNS trigger AS $$ begin NEW.account := 1; return NEW; end $$",
)  # fmt: skip
DATED = TriggerDefinition(
    name="dated", row_level=True,
    definition="CREATE TRIGGER d BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION public.moddatetime('created')",
)  # fmt: skip


def test_what_a_trigger_sets_is_changed_by_every_update() -> None:
    plain, touched = orders(), orders(triggers=(TOUCH, DATED))
    known = replace(profile(touched, statements=[COUNTS]), objects=(TOUCHES,))
    for name in ("account", "created"):
        assert kept(on(name), plain, profile(plain, statements=[COUNTS])).lost_hot_updates == 0
        assert kept(on(name), touched, known).lost_hot_updates == pytest.approx(30 * 86_400)
    unknown = replace(known, workload=Workload())
    assert kept(on("created"), touched, unknown).lost_hot_updates == pytest.approx(30 * 86_400)
    disabled = orders(triggers=(replace(TOUCH, enabled=False),))
    assert kept(on("account"), disabled, replace(known, tables=(disabled,))).lost_hot_updates == 0


def test_a_generated_column_changes_with_its_source() -> None:
    twice = replace(column("twice", 8), generated="stored", default="(hits * 2)")
    table = orders(columns=(*COLUMNS, twice))
    assert kept(on("twice"), table, profile(table, statements=[COUNTS])).lost_hot_updates > 0
    assert kept(on("twice"), table, profile(table, statements=[MOVES])).lost_hot_updates == 0


# what is there -------------------------------------------------------------------------------------------------------


def test_an_existing_index_costs_what_it_would_as_a_candidate() -> None:
    there = replace(index("orders_account", "account"), pages=5_500)
    table = orders(indexes=(PKEY, there))
    size = advisor.IndexSize(pages=5_500, tuples=ROWS, level=2, bytes=5_500 * 8192)
    found = advisor.existing_upkeep(there, table, profile(table, statements=[COUNTS]))
    new = advisor.upkeep(on("account"), table, profile(table, statements=[COUNTS]), size)
    assert found.entries == new.entries
    assert found.wal_bytes == pytest.approx(new.wal_bytes, rel=0.15)  # a new one's pages will be less full


def test_dropping_the_only_index_on_a_restless_column_makes_updates_hot_again() -> None:
    cold = replace(BUSY, hot_updates=4.0)
    there = index("orders_hits", "hits")
    table = orders(cold, indexes=(PKEY, there, index("orders_account", "account")))
    known = profile(table, statements=[COUNTS, MOVES])
    found = advisor.existing_upkeep(there, table, known)
    assert 0.5 * 36 * 86_400 < found.lost_hot_updates <= 36 * 86_400
    doubled = orders(cold, indexes=(PKEY, there, index("again", "hits")))
    assert advisor.existing_upkeep(there, doubled, profile(doubled, statements=[COUNTS])).lost_hot_updates == 0
