"""From texts with calls to demands with weights: what is put together, what is set aside, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from premortem import sources, workload
from premortem.model import (
    Answer,
    Demand,
    LeftOut,
    ObjectKind,
    Profile,
    Query,
    RelationKind,
    SchemaObject,
    Setting,
    Site,
    Table,
    TableActivity,
    TriggerDefinition,
    Unreadable,
    Workload,
)
from tests.check.values import column, foreign_key, name, profile, table

ORDERS = table("orders", column("id"), column("status", 2, "text"))
ITEMS = table(
    "items", column("id"), column("order_id", 2), foreign_keys=(foreign_key("of_order", ("order_id",), "orders"),)
)
SHOP = profile(ORDERS, ITEMS)


def texts(sql: str) -> tuple[Query | Unreadable, ...]:
    return sources.text(sql, Site(source="q.sql", line=1))


def counted(sql: str, calls: float, mean_ms: float, number: int = 1) -> Query:
    """An entry of pg_stat_statements over a day."""
    (query,) = texts(sql)
    assert isinstance(query, Query)
    return replace(
        query,
        site=Site(source="pg_stat_statements", name=str(number)),
        calls=calls,
        calls_per_second=calls / 86_400,
        mean_time=timedelta(milliseconds=mean_ms),
    )


def demands(sql: str, shop: Profile = SHOP) -> tuple[Demand, ...]:
    return workload.demands(texts(sql), shop).demands


def subjects(found: workload.Gathered) -> list[str]:
    return [gap.subject for gap in found.gaps]


# --- what is the same query ---


def test_texts_that_differ_in_values_are_one_demand_with_these_values() -> None:
    (found,) = demands("select * from orders where id = 5; select * from orders where id = 7")
    assert found.query.text == "select * from orders where id = $1"
    assert [s.values for s in found.sets] == [("5",), ("7",)]
    assert found.shares == (0.5, 0.5)
    assert [q.text for q in found.others] == ["select * from orders where id = 7"]


def test_a_constant_that_all_texts_have_stays_one() -> None:
    (found,) = demands(
        "select * from orders where id = 5 and status = 'open'; select * from orders where id = 7 and status = 'open'"
    )
    assert found.query.text == "select * from orders where id = $1 and status = 'open'"


def test_words_of_the_program_keep_texts_apart() -> None:
    found = demands("select * from orders where status = 'pending'; select * from orders where status = 'failed'")
    assert {d.query.text.split("'")[1] for d in found} == {"pending", "failed"}
    assert all(not d.sets for d in found)


def test_lists_of_any_length_are_one_demand() -> None:
    (found,) = demands(
        "select * from orders where id in (1, 2, 3); select * from orders where id in (4); "
        "select * from orders where id in ($1, $2)"
    )
    assert found.query.text == "select * from orders where id = ANY ($1)"
    assert found.sets == ()  # one of them does not say its values
    assert found.query.samples == (("{1,2,3}",), ("{4}",))


def test_a_constant_that_is_part_of_what_a_text_says_keeps_it_apart() -> None:
    assert len(demands("select id, status from orders order by 1; select id, status from orders order by 2")) == 2


def test_tables_whose_names_differ_in_digits_are_not_one() -> None:
    assert len(demands("select * from orders_1 where id = 1; select * from orders_2 where id = 1")) == 2


def test_many_values_are_kept_to_choose_from_and_not_planned_one_by_one() -> None:
    (found,) = demands(";".join(f"select * from orders where id = {n}" for n in range(100)))
    assert found.sets == ()
    assert len(found.others) == 99
    assert 4 < len(found.query.samples) <= 64


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 9), st.text("abc de'", max_size=8)), min_size=1, max_size=12))
def test_nothing_gets_lost_and_values_come_back_as_they_were(rows: list[tuple[int, str]]) -> None:
    quoted = [(n, s.replace("'", "''")) for n, s in rows]
    found = demands(";".join(f"select * from orders where id = {n} and status = '{s}'" for n, s in quoted))
    assert sum(1 + len(d.others) for d in found) == len(rows)
    for demand in found:
        assert not demand.sets or sum(demand.shares) == pytest.approx(1)
        if demand.query.parameter_count == 2:
            assert {s.values for s in demand.sets} <= {(str(n), s) for n, s in rows}


# --- how much it weighs ---


def test_production_weighs_by_calls_and_time() -> None:
    found = workload.demands(
        [
            counted("select * from orders where id = $1", 86_400, 1, 1),
            counted("select * from orders where status = $1", 10, 100_000, 2),
        ],
        replace(SHOP, workload=Workload(window=timedelta(days=3))),
    )
    assert [d.query.text for d in found.demands] == [
        "select * from orders where status = $1",
        "select * from orders where id = $1",
    ]
    assert [d.calls_per_day for d in found.demands] == pytest.approx([10, 86_400])
    assert found.demands[0].mean == timedelta(seconds=100)
    assert found.says == "2 queries weighed by calls and times of pg_stat_statements over 3 days"
    assert found.measured == timedelta(seconds=1000 + 86.4)


def test_entries_of_one_query_are_added_up() -> None:
    (found,) = workload.demands(
        [
            counted("select * from orders where id in ($1)", 100, 1, 1),
            counted("select * from orders where id in ($1, $2)", 300, 5, 2),
        ],
        SHOP,
    ).demands
    assert found.calls_per_day == pytest.approx(400)
    assert found.mean == timedelta(milliseconds=4)


def test_two_texts_of_a_file_share_the_calls_that_production_counted_for_both() -> None:
    measured = {"calls": 100.0, "calls_per_second": 1.0, "mean_time": timedelta(milliseconds=1)}
    apart = texts("select * from orders where status = 'pending'; select * from orders where status = 'failed'")
    found = workload.demands([replace(q, **measured) for q in apart if isinstance(q, Query)], SHOP)  # type: ignore[arg-type]
    assert [d.calls_per_day for d in found.demands] == [43_200, 43_200]
    same = texts("select * from orders where id = 1; select * from orders where id = 2")
    (one,) = workload.demands([replace(q, **measured) for q in same if isinstance(q, Query)], SHOP).demands  # type: ignore[arg-type]
    assert one.calls_per_day == 86_400


def test_a_text_of_a_file_beside_productions_own_counts_once() -> None:
    own = counted("select * from orders where id = $1", 100, 1)
    (filed,) = texts("select * from orders where id = 7")
    assert isinstance(filed, Query)
    borrowed = replace(filed, calls=own.calls, calls_per_second=own.calls_per_second, mean_time=own.mean_time)
    found = workload.demands([borrowed, own], SHOP).demands
    assert sum(d.calls_per_day or 0 for d in found) == pytest.approx(100)


# --- constants that pg_stat_statements has taken out ---


def beside(filed: str, *own: str, calls: float = 100) -> tuple[Demand, ...]:
    """The demands of a file's texts beside production's entries, whose calls the texts were given."""
    entries = [counted(text, calls, 1, number) for number, text in enumerate(own)]
    known = replace(SHOP, workload=Workload(statements=tuple(entries)))
    return workload.demands((*sources.with_calls(texts(filed), known), *entries), known).demands


def told(found: tuple[Demand, ...]) -> dict[str, float]:
    """Each demand's text with its calls a day."""
    return {d.query.text: round(d.calls_per_day or 0, 6) for d in found}


@pytest.mark.parametrize(
    ("filed", "own"),
    [
        ("select id from t where status = 'open'", "select id from t where status = $1"),
        ("select id from t where status = 'open'::text", "select id from t where status = $1::text"),
        ("select id from t where id = $1 and status = 'open'", "select id from t where id = $1 and status = $2"),
        ("select id from t where status = 'open' and id = $1", "select id from t where status = $2 and id = $1"),
        ("select id from t where status in ('open', 'late')", "select id from t where status in ($1, $2)"),
        ("select id from t where status in ('open', 'late')", "select id from t where status in ($1 /*, ... */)"),
        ("select id from t where status = 'open' limit 5", "select id from t where status = $1 limit $2"),
        ("select id from t where doc ->> 'ref' = $1", "select id from t where doc ->> $2 = $1"),
        ("select id from t where at > now() - interval '1 day'", "select id from t where at > now() - interval $1"),
        ("select id from t where late = true order by id", "select id from t where late = $1 order by id"),
        ("select date_trunc('day', at), count(*) from orders group by date_trunc('day', at)",
         "select date_trunc($1, at), count(*) from orders group by date_trunc($2, at)"),
    ],
)  # fmt: skip
def test_what_the_program_says_has_the_calls_of_the_entry_that_hides_it(filed: str, own: str) -> None:
    (found,) = beside(filed, own)
    assert (found.query.text, found.query.site.source) == (filed, "q.sql")
    assert found.calls_per_day == pytest.approx(100)
    assert [q.site.source for q in found.others] == ["pg_stat_statements"]


def test_an_entry_is_shared_by_all_that_it_may_stand_for() -> None:
    found = beside(
        "select * from orders where status = 'open'; select * from orders where status = 'late';"
        "select  *  from orders where status = $1",
        "select * from orders where status = $1",
    )
    assert [d.calls_per_day for d in found] == pytest.approx([100 / 3] * 3)
    assert len({d.query.text for d in found}) == 3


def test_a_value_may_be_the_programs_or_an_example_so_production_is_halved() -> None:
    found = beside("select * from orders where id = 7", "select * from orders where id = $1")
    assert told(found) == {"select * from orders where id = 7": 50, "select * from orders where id = $1": 50}
    (any_value,) = (d for d in found if d.query.parameter_count)
    assert (any_value.query.samples, any_value.query.site.source) == ((("7",),), "pg_stat_statements")


def test_values_that_differ_are_no_constants() -> None:
    found = beside(
        "select * from orders where id = 7; select * from orders where id = 8", "select * from orders where id = $1"
    )
    assert told(found) == {"select * from orders where id = $1": 100}
    assert found[0].query.samples == (("7",), ("8",))


def test_the_end_of_a_range_is_a_value_and_what_it_is_asked_with_stays() -> None:
    found = beside(
        "select * from orders where status = 'open' and placed > '2026-01-01'",
        "select * from orders where status = $1 and placed > $2",
    )
    assert told(found) == {"select * from orders where status = 'open' and placed > $1": 100}
    assert found[0].query.samples == (("2026-01-01",),)


@pytest.mark.parametrize(
    ("filed", "own"),
    [
        ("select * from orders where status = 'open' and note = 'open'",
         "select * from orders where status = $1 and note = $1"),
        ("select * from orders where status = 'open' and id = 7", "select * from orders where status = $2 and id = $1"),
    ],
)  # fmt: skip
def test_a_parameter_that_no_constant_is_numbered_like_stays_one(filed: str, own: str) -> None:
    found = told(beside(filed, own))
    assert any("$" in text for text in found), found


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(["7", "8", "$1"]), st.sampled_from(["'open'", "'late'", "'9'"])), min_size=1),
    st.lists(st.sampled_from(["$1", "$2"]), min_size=1, max_size=2, unique=True),
)
def test_no_call_that_production_counted_gets_lost_or_is_counted_twice(
    filed: list[tuple[str, str]], own: list[str]
) -> None:
    entries = [f"select * from orders where id = {n} and status = {'$2' if n == '$1' else '$1'}" for n in own]
    found = beside(";".join(f"select * from orders where id = {n} and status = {s}" for n, s in filed), *entries)
    assert sum(d.calls_per_day or 0 for d in found) >= 100 * len(entries) - 1e-6
    own_calls = (q.calls or 0 for d in found for q in (d.query, *d.others) if q.site.source == "pg_stat_statements")
    assert sum(own_calls) == pytest.approx(100 * len(entries))


def test_files_that_nobody_counted_weigh_one_call_each_and_it_is_said() -> None:
    found = workload.demands(texts("select * from orders; select * from items"), SHOP)
    assert [d.calls_per_day for d in found.demands] == [None, None]
    assert "one call a day each" in found.says


def test_a_capture_weighs_by_executions_in_the_measure_of_what_production_counted() -> None:
    first, second = (
        replace(q, executions=n)
        for q, n in zip(
            texts("select * from orders where id = $1; select * from items where id = $1"), (2, 6), strict=True
        )
        if isinstance(q, Query)
    )
    alone = workload.demands([first, second], SHOP)
    assert sorted(d.calls_per_day or 0 for d in alone.demands) == [2, 6]
    assert "capture" in alone.says
    known = replace(first, calls=1.0, calls_per_second=20 / 86_400)
    both = workload.demands([known, second], SHOP)
    assert sorted(d.calls_per_day or 0 for d in both.demands) == pytest.approx([20, 60])
    assert both.says.startswith("1 of 2 queries weighed by calls and times of pg_stat_statements; the others, ")


def test_calls_of_an_unknown_window_are_taken_for_a_day_and_it_is_said() -> None:
    query = replace(counted("select * from orders", 50, 1), calls_per_second=None)
    found = workload.demands([query], SHOP)
    assert [d.calls_per_day for d in found.demands] == [50]
    assert "one day" in found.says


def test_what_hardly_takes_time_is_left_out_only_where_that_is_wanted_and_said() -> None:
    queries = [
        counted("select * from orders where id = $1", 1_000, 100, 1),
        counted("select * from items where id = $1", 1, 1, 2),
    ]
    assert len(workload.demands(queries, SHOP).demands) == 2
    found = workload.demands(queries, SHOP, min_share=0.001)
    assert len(found.demands) == 1
    (gap,) = found.gaps
    assert gap.subject == "the lightest queries"
    assert "1 query" in gap.says


# --- what is set aside ---


@pytest.mark.parametrize(
    "sql",
    [
        "begin", "commit", "rollback", "savepoint s", "set work_mem = '1GB'", "show all", "deallocate all",
        "listen jobs", "lock table orders", "discard all", "vacuum orders", "create index on orders (status)",
        "truncate orders", "select * from pg_class", "select count(*) from pg_catalog.pg_stat_activity",
        "select table_name from information_schema.tables", "/* premortem/1.0 watch */ select * from orders",
        "close c", "\\timing",
    ],
)  # fmt: skip
def test_what_no_index_is_for_is_passed_over(sql: str) -> None:
    found = workload.demands(texts(sql), SHOP)
    assert (found.demands, found.unreadable, found.gaps) == ((), (), ())


@pytest.mark.parametrize(
    ("sql", "subject"),
    [
        ("fetch 100 from c", "reads from cursors"),
        ("move 10 in c", "reads from cursors"),
        ("call nightly()", "procedures and code blocks"),
        ("do $$ begin perform 1; end $$", "procedures and code blocks"),
        ("copy orders to stdout", "copies of whole tables"),
        ("selec 1", "queries that cannot be read"),
        ("select * from orders where status = 'ope", "queries that cannot be read"),
    ],
)
def test_what_reads_unseen_is_counted(sql: str, subject: str) -> None:
    found = workload.demands(texts(sql), SHOP)
    assert found.demands == ()
    assert subjects(found) == [subject]


@pytest.mark.parametrize(
    "sql",
    [
        "declare c cursor for select * from orders where status = 'open'",
        "copy (select * from orders where status = 'open') to stdout",
        "create table made as select * from orders where status = 'open'",
        "explain analyze select * from orders where status = 'open'",
        "select * into made from orders where status = 'open'",
    ],
)
def test_the_query_inside_a_statement_is_a_demand(sql: str) -> None:
    (found,) = demands(sql)
    assert found.query.text.startswith("select *")
    assert "where status = 'open'" in found.query.text


def test_a_refresh_is_the_query_of_its_view_with_the_time_that_it_took() -> None:
    view = replace(
        table("Totals", column("n"), kind=RelationKind.MATERIALIZED_VIEW),
        definition=" SELECT count(*) AS n\n   FROM orders\n  WHERE (status = 'open'::text);",
    )
    query = counted('REFRESH MATERIALIZED VIEW CONCURRENTLY public."Totals"', 24, 500)
    (found,) = workload.demands([query], profile(ORDERS, view)).demands
    assert found.query.text.endswith("WHERE (status = 'open'::text)")
    assert found.query.original == query.original
    assert (found.calls_per_day, found.mean) == (pytest.approx(24), timedelta(milliseconds=500))
    assert demands("refresh materialized view unknown_one") == ()


def test_a_query_that_joins_a_catalog_with_a_table_is_a_demand() -> None:
    assert len(demands("select * from orders o join pg_class c on c.oid = o.id")) == 1


def test_what_is_set_aside_is_told_with_its_part_of_the_time() -> None:
    of_production = replace(
        SHOP,
        workload=Workload(
            window=timedelta(days=1),
            deallocations=7,
            left_out=(
                LeftOut(kind="fetch", entries=2, calls=10, time=timedelta(seconds=30)),
                LeftOut(kind="commit", entries=1, calls=99, time=timedelta(seconds=10)),
                LeftOut(kind="hidden", entries=1, calls=5, time=timedelta(seconds=10)),
            ),
        ),
    )
    found = workload.demands([counted("select * from orders where id = $1", 1_000, 50)], of_production)
    says = {gap.subject: gap.says for gap in found.gaps}
    assert says["reads from cursors"].startswith("2 statements, 30 % of the measured time")
    assert says["statements that are not shown"].startswith("1 statement, 10 % of the measured time")
    assert "7 times" in says["statements that were forgotten"]
    assert "a short window" not in says
    an_hour = replace(of_production, workload=replace(of_production.workload, window=timedelta(hours=1)))
    gaps = workload.demands([counted("select * from orders where id = $1", 1_000, 50)], an_hour).gaps
    assert "1 h" in next(gap.says for gap in gaps if gap.subject == "a short window")
    of_files = workload.demands(texts("select * from orders where id = $1"), of_production)
    assert of_files.gaps == ()  # production's own counters are not what is advised on


def test_what_cannot_be_planned_is_told_with_its_part_of_the_time() -> None:
    gathered = workload.demands(
        [counted("select * from orders where id = $1", 10, 30, 1), counted("select * from gone", 10, 10, 2)], SHOP
    )
    outcomes = [
        Unreadable(original=d.query.text, site=d.query.site, says='relation "gone" does not exist', hint="pull again")
        if "gone" in d.query.text
        else workload.Studied(demand=d, before=Answer(shown=(1.0,), risk=(1.0,)), keys={}, visits={})
        for d in gathered.demands
    ]
    (gap,) = workload.missing(gathered, outcomes)
    assert gap.says == '1 query, 25 % of the measured time: relation "gone" does not exist'
    assert gap.cure == "pull again"


# --- what nobody sees ---

_FUNCTION = SchemaObject(
    kind=ObjectKind.FUNCTION, schema="public", name="audit()",
    definition="CREATE FUNCTION public.audit() RETURNS trigger LANGUAGE plpgsql\n"
    "AS $$ BEGIN INSERT INTO log SELECT 1; END $$",
)  # fmt: skip
_PLAIN = SchemaObject(
    kind=ObjectKind.FUNCTION, schema="public", name="twice(integer)",
    definition="CREATE FUNCTION public.twice(int) RETURNS int LANGUAGE sql IMMUTABLE\n"
    "AS $$ SELECT $1 * 2 FROM (VALUES (1)) v $$",
)  # fmt: skip


def test_functions_with_statements_of_their_own_are_a_gap() -> None:
    shop = replace(SHOP, objects=(_FUNCTION, _PLAIN))
    found = workload.demands(texts("select audit(), twice(1), lower('x') from orders"), shop)
    (gap,) = found.gaps
    assert gap.subject == "functions"
    assert "audit()" in gap.says
    assert "twice" not in gap.says


def test_triggers_of_written_tables_are_a_gap_unless_nested_statements_are_counted() -> None:
    trigger = TriggerDefinition(
        name="t",
        definition="CREATE TRIGGER t AFTER INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION audit()",
        row_level=True,
    )
    shop = replace(SHOP, objects=(_FUNCTION,), tables=(replace(ORDERS, triggers=(trigger,)), ITEMS))
    insert = texts("insert into orders values (1, 'open')")
    (gap,) = workload.demands(insert, shop).gaps
    assert gap.subject == "triggers"
    assert "orders" in gap.says
    tracked = replace(shop, settings=(Setting(name="pg_stat_statements.track", value="all"),))
    assert workload.demands(insert, tracked).gaps == ()


# --- what foreign keys ask ---


def of_keys(found: workload.Gathered) -> dict[str, float | None]:
    return {d.query.site.source: d.calls_per_day for d in found.demands if d.query.site.source.startswith("foreign")}


def test_a_delete_makes_demands_of_the_children_for_every_row_that_goes() -> None:
    query = replace(counted("delete from orders where status = $1", 10, 5), rows_per_call=30.0)
    found = workload.demands([query], SHOP)
    assert of_keys(found) == {"foreign key of_order of items": pytest.approx(300)}
    (demand,) = [d for d in found.demands if "foreign" in d.query.site.source]
    assert demand.query.text == "SELECT 1 FROM ONLY public.items x WHERE $1 = x.order_id FOR KEY SHARE OF x"


def test_a_captured_delete_counts_as_often_as_it_was_seen() -> None:
    (query,) = texts("delete from orders where id = $1")
    assert isinstance(query, Query)
    found = workload.demands([replace(query, executions=40)], SHOP)
    assert of_keys(found) == {"foreign key of_order of items": 40}


def test_rows_that_production_deletes_count_although_no_query_says_so() -> None:
    activity = TableActivity(window=timedelta(days=9), deletes=2.0)
    shop = replace(SHOP, tables=(replace(ORDERS, activity=activity), ITEMS))
    assert of_keys(workload.demands((), shop)) == {"foreign key of_order of items": pytest.approx(172_800)}
    a_load = replace(activity, window=timedelta(minutes=5))
    assert of_keys(workload.demands((), replace(SHOP, tables=(replace(ORDERS, activity=a_load), ITEMS)))) == {}


def test_rows_that_go_from_partitions_go_from_their_parent() -> None:
    def deleting(one: Table, rate: float) -> Table:
        return replace(one, activity=TableActivity(window=timedelta(days=9), deletes=rate))

    root = table("orders", column("id"), kind=RelationKind.PARTITIONED_TABLE)
    parts = [deleting(table(f"orders_{n}", column("id"), parents=(name("orders"),)), n) for n in (1.0, 2.0)]
    assert of_keys(workload.demands((), profile(root, *parts, ITEMS))) == {
        "foreign key of_order of items": pytest.approx(3 * 86_400)
    }


def test_a_cascade_is_followed_and_an_update_of_another_column_asks_nothing() -> None:
    cascading = table(
        "items", column("id"), column("order_id", 2),
        foreign_keys=(foreign_key("of_order", ("order_id",), "orders", on_delete="cascade"),),
    )  # fmt: skip
    notes = table("notes", column("item_id"), foreign_keys=(foreign_key("of_item", ("item_id",), "items"),))
    shop = profile(ORDERS, cascading, notes)
    assert of_keys(workload.demands(texts("delete from orders where id = $1"), shop)).keys() == {
        "foreign key of_order of items",
        "foreign key of_item of notes",
    }
    assert of_keys(workload.demands(texts("update orders set status = $1 where id = $2"), shop)) == {}
    assert len(of_keys(workload.demands(texts("update orders set id = $1 where id = $2"), shop))) == 1
    assert (
        len(of_keys(workload.demands(texts("with d as (delete from orders returning id) select * from d"), shop))) == 2
    )


def test_tables_that_refer_to_themselves_end() -> None:
    tree = table("tree", column("id"), column("up", 2),
                 foreign_keys=(foreign_key("of_up", ("up",), "tree", on_delete="cascade"),))  # fmt: skip
    assert len(of_keys(workload.demands(texts("delete from tree where id = $1"), profile(tree)))) == 1


def test_triggers_that_production_counts_itself_are_not_counted_twice() -> None:
    own = counted(
        'SELECT $2 FROM ONLY "public"."items" x WHERE $1 OPERATOR(pg_catalog.=) "order_id" FOR KEY SHARE OF x', 50, 1, 2
    )
    found = workload.demands([counted("delete from orders where id = $1", 50, 1), own], SHOP)
    assert of_keys(found) == {}
    assert len(found.demands) == 2
