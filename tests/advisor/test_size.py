"""Sizes of indexes that do not exist yet, against the same indexes built; and what holds for any of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from premortem import advisor, catalog, pg
from premortem.advisor import storage
from premortem.advisor.columns import KeyStatistics, key_statistics
from premortem.advisor.groups import of_key
from premortem.advisor.leaves import aligned, leaf_pages, plain, tuple_size, with_inner_pages
from premortem.model import (
    Column,
    ColumnStatistics,
    ExtendedStatistics,
    IndexCandidate,
    IndexKey,
    Profile,
    RelationKind,
    RelationName,
    ServerFacts,
    Table,
    Values,
)

from .conftest import Shop

SHOP = [
    ("orders", ("customer_id",), (), None),
    ("orders", ("status",), (), None),
    ("orders", ("customer_id", "placed"), (), None),
    ("orders", ("email",), (), None),
    ("orders", ("name", "status"), (), None),
    ("orders", ("total",), (), None),
    ("orders", ("stage", "region"), (), None),
    ("orders", ("deleted_at",), (), None),
    ("orders", ("customer_id",), ("total",), None),
    ("orders", ("placed",), (), "deleted_at IS NOT NULL"),
    ("orders", ("customer_id",), (), "status = 'open'"),
    ("order_items", ("product_sku", "status"), (), None),
    ("messages", ("tenant_id", "channel_id", "created_at"), (), None),
]
HARD = [
    "id", "stay", "guest", "room", "room house", "arrived left_on", "cancelled", "cancelled id", "price", "rate",
    "rate room", "name", "token", "id | name price", "room | rate", "guest || open", "arrived || cancelled IS NOT NULL",
    "room || rate = 'r1'", "(lower(name))", "((arrived + 1)::date)", "gin extras", "gin doc jsonb_path_ops",
    "gin name gin_trgm_ops", "gist held", "brin arrived", "hash token", "hash rate", "hash cancelled",
]  # fmt: skip
VISIT = RelationName(schema="public", name="visit")


def key(column: str, opclass: str | None = None) -> IndexKey:
    return IndexKey(column=column, opclass=opclass)


def candidate(line: str, table: RelationName = VISIT) -> IndexCandidate:
    """The index that a line of HARD describes: method, keys | included || predicate."""
    left, _, predicate = line.partition(" || ")
    keys, _, include = left.partition(" | ")
    method = next((m for m in ("gin", "gist", "spgist", "brin", "hash") if keys.startswith(m + " ")), "btree")
    words = keys.removeprefix(method + " ").split() if not keys.startswith("(") else []
    opclass = words.pop() if words and words[-1].endswith("_ops") else None
    made = tuple(key(word, opclass) for word in words) or (IndexKey(expression=keys[1:-1]),)
    return IndexCandidate(
        table=table, keys=made, method=method, include=tuple(include.split()), predicate=predicate or None
    )


# against real indexes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "columns", "include", "predicate"), SHOP)
def test_a_btree_is_estimated_within_15_percent(
    shop: Shop, table: str, columns: tuple[str, ...], include: tuple[str, ...], predicate: str | None
) -> None:
    wanted = IndexCandidate(
        table=RelationName(schema="public", name=table), keys=tuple(map(key, columns)), include=include,
        predicate=predicate,
    )  # fmt: skip
    with pg.writer(shop.server, purpose="test", database="shop") as db, db.rolled_back():
        db.execute(wanted.create_sql("measured", concurrently=False))
        built = int(str(db.value("SELECT pg_relation_size('public.measured') / 8192")))
    estimated = advisor.whole_size(wanted, shop.profile)
    assert built * 0.85 - 2 <= estimated.pages <= built * 1.15 + 2
    assert estimated.bytes == estimated.pages * 8192


def test_what_is_hard_to_tell_is_estimated_within_15_percent_with_the_right_height(
    server: pg.Server, database: str
) -> None:
    with pg.writer(server, purpose="test", database=database.split("dbname=")[1].split()[0].strip("'")) as db:
        db.execute((Path(__file__).parent / "sizes.sql").read_text(encoding="utf-8"))
        db.execute("CHECKPOINT")
        db.execute("VACUUM ANALYZE visit")
        built = {line: _built(db, candidate(line)) for line in HARD}
    with pg.session(database, purpose="test") as db:
        profile = catalog.pull(db, values=Values.ALL)
    estimated = {line: advisor.whole_size(candidate(line), profile) for line in HARD}
    off = {
        line: (estimated[line].pages, pages)
        for line, (pages, _) in built.items()
        if abs(estimated[line].pages - pages) > pages * 0.15 + 1
    }
    assert not off
    levels = {line: (estimated[line].level, level) for line, (_, level) in built.items()}
    assert all(mine == theirs for mine, theirs in levels.values()), levels


def _built(db: pg.Session, wanted: IndexCandidate) -> tuple[int, int | None]:
    with db.rolled_back():
        db.execute(wanted.create_sql("measured", concurrently=False))
        pages = int(str(db.value("SELECT pg_relation_size('public.measured') / 8192")))
        level = db.value("SELECT level FROM bt_metap('public.measured')") if wanted.method == "btree" else None
    return pages, None if level is None else int(str(level))


def test_an_index_is_rebuilt_with_its_own_options(server: pg.Server, database: str) -> None:
    with pg.writer(server, purpose="test", database=database.split("dbname=")[1].split()[0].strip("'")) as db:
        db.execute("CREATE TABLE spare AS SELECT i, i % 30 AS few FROM generate_series(1, 30000) AS i")
        db.execute("CREATE INDEX half ON spare (i) WITH (fillfactor = 50)")
        db.execute("CREATE INDEX apart ON spare (few) WITH (deduplicate_items = off)")
        db.execute("CREATE INDEX usual ON spare (few)")
        db.execute("VACUUM ANALYZE spare")
    with pg.session(database, purpose="test") as db:
        table = catalog.pull(db, values=Values.ALL).find_table("spare")
    assert table is not None
    for index in table.indexes:
        assert advisor.rebuilt_size(index, table).pages == pytest.approx(index.pages, rel=0.05), index.name


def test_a_number_and_a_text_take_as_many_bytes_as_the_server_says(server15: pg.Server) -> None:
    numbers = [
        "0",
        "1",
        "-1",
        "9999",
        "10000",
        "0.0001",
        "0.00001",
        "123456.789",
        "1e20",
        "100000000",
        "12345.67",
        "NaN",
    ]
    texts = ["", "a", "ä" * 40, "x" * 125, "x" * 126, "x" * 127, "x" * 300]
    with pg.session(server15, purpose="test") as db:
        each = "SELECT array_agg({} ORDER BY n) FROM unnest(%(values)s::text[]) WITH ORDINALITY AS u (v, n)"
        of_numbers = db.value(each.format("pg_column_size(v::numeric)"), values=numbers)
        written = db.value(each.format("v::numeric::text"), values=numbers)
        of_texts = db.value(each.format("pg_column_size(v)"), values=texts)
    # A number that was just made has the long header of four bytes; on disk it is one.
    assert [storage.numeric_bytes(n) + 3 for n in written] == of_numbers
    assert [storage.text_bytes(t) for t in texts] == of_texts


# pages -----------------------------------------------------------------------------------------------------------


def test_a_leaf_holds_366_integers_and_an_inner_page_285() -> None:
    assert leaf_pages(plain(366 * 1000, 16), 16, 90) == 1000
    assert with_inner_pages(285, 20) == (286, 1)
    assert with_inner_pages(286, 20)[1] == 2


@settings(deadline=None)
@given(st.floats(min_value=1, max_value=5000))
def test_alignment_adds_less_than_eight_bytes(size: float) -> None:
    assert aligned(size) % 8 == 0
    assert size - 1e-6 <= aligned(size) < size + 8


def statistics(distinct: float, *, nulls: float = 0.0, common: tuple[float, ...] = ()) -> ColumnStatistics:
    return ColumnStatistics(
        null_fraction=nulls, average_width=4, n_distinct=distinct, most_common_frequencies=common or None,
        most_common_values=tuple(str(n) for n in range(len(common))) or None, correlation=0.1,
    )  # fmt: skip


def table(rows: float = 1_000_000.0, /, **columns: ColumnStatistics) -> Table:
    made = tuple(
        Column(name=n, number=i, type="integer", statistics=(s,)) for i, (n, s) in enumerate(columns.items(), start=1)
    )
    pages = int(rows / 100) + 1
    return Table(
        schema="public", name="visit", kind=RelationKind.TABLE, columns=made, pages=pages, relation_pages=pages,
        tuples=rows,
    )  # fmt: skip


shares = st.lists(st.floats(min_value=1e-4, max_value=0.05), max_size=15).map(lambda f: tuple(sorted(f, reverse=True)))
counts = st.floats(min_value=20, max_value=900_000)


@settings(deadline=None)
@given(counts, shares, st.floats(min_value=0, max_value=0.2))
def test_the_groups_of_a_key_hold_all_rows(distinct: float, common: tuple[float, ...], nulls: float) -> None:
    found = table(a=statistics(distinct, nulls=nulls, common=common))
    stats = key_statistics("a", found)
    held = sum(c.share * c.count for c in of_key(stats, found.rows).cells)
    assert held == pytest.approx(1.0, rel=0.02)


@settings(deadline=None)
@given(counts, shares)
def test_more_rows_never_take_less(distinct: float, common: tuple[float, ...]) -> None:
    one = table(100_000, a=statistics(min(distinct, 90_000), common=common))
    more = table(400_000, a=statistics(min(distinct, 90_000), common=common))
    wanted = candidate("a")
    assert advisor.index_size(wanted, one).pages <= advisor.index_size(wanted, more).pages + 1


@settings(deadline=None)
@given(counts, counts, st.floats(min_value=0.001, max_value=0.9))
def test_more_columns_never_take_less_and_a_part_never_more(a: float, b: float, nulls: float) -> None:
    found = table(a=statistics(a), b=statistics(b, nulls=nulls))
    one, both = (advisor.index_size(candidate(line), found).pages for line in ("a", "a b"))
    assert one <= both * 1.03 + 2
    assert advisor.index_size(candidate("a || b IS NOT NULL"), found).pages <= one * 1.03 + 2
    assert advisor.index_size(candidate("a | b"), found).pages >= one * 0.97


@settings(deadline=None)
@given(st.floats(min_value=1.5, max_value=40))
def test_runs_of_equal_values_are_found_again(run: float) -> None:
    """What a sample of pages makes of values that stand together, and back."""
    from premortem.advisor.columns import _estimated, _unclustered

    rows, pages, sample = 6_000_000.0, 115_000.0, 30_000.0
    found = _estimated(run, rows, sample / pages, sample / rows, sample)
    assert found < rows / run  # too few kinds
    assert _unclustered(found, rows, pages, sample) == pytest.approx(rows / run, rel=0.05)


# what little is known --------------------------------------------------------------------------------------------


def test_a_table_that_was_never_analyzed_has_indexes_of_a_page() -> None:
    empty = replace(table(a=statistics(3)), tuples=-1.0, relation_pages=0, pages=0)
    size = advisor.index_size(candidate("a"), empty)
    assert (size.pages, size.level, size.tuples) == (1, 0, 0.0)


def test_a_key_without_statistics_an_unknown_type_and_words_that_nobody_reads_have_a_size() -> None:
    bare = replace(
        table(), columns=(Column(name="a", number=1, type="public.mood"), Column(name="x", number=2, type="xml"))
    )
    wanted = [
        candidate("a"), candidate("gin x"), candidate("gist x"), candidate("a || ((((("), candidate("no_such_column"),
        IndexCandidate(table=VISIT, keys=(IndexKey(expression="f(a, b) ->> 'c'"),)),
        IndexCandidate(table=VISIT, keys=(key("a"),), method="bloom"),
    ]  # fmt: skip
    assert all(advisor.index_size(one, bare).pages > 0 for one in wanted)


def test_1600_columns_and_a_key_that_no_index_takes_are_sized_as_if_it_did() -> None:
    wide = ColumnStatistics(null_fraction=0.0, average_width=9000, n_distinct=-1.0)
    many = table(1e6, **{f"c{n}": statistics(100) for n in range(1600)})
    many = replace(many, columns=(*many.columns[:-1], Column(name="w", number=1600, type="text", statistics=(wide,))))
    found = advisor.index_size(candidate("w"), many)
    assert found.bytes <= many.rows * 8192
    assert advisor.index_size(candidate("c0 c1 c2 c3 c4 c5 c6 c7"), many).pages > 1000


def test_an_index_on_a_partitioned_table_is_as_large_as_those_of_its_partitions() -> None:
    parent = replace(table(a=statistics(-1.0)), kind=RelationKind.PARTITIONED_TABLE, pages=0, relation_pages=0)
    parts = [replace(table(n * 100_000.0, a=statistics(-1.0)), name=f"p{n}", parents=(VISIT,)) for n in (1, 2)]
    profile = Profile(
        taken_at=datetime(2026, 1, 1, tzinfo=UTC), values=Values.ALL, tables=(parent, *parts),
        server=ServerFacts(
            version_num=150000, version="15", database="d", encoding="UTF8", collate="C", ctype="C"
        ),
    )  # fmt: skip
    whole = advisor.whole_size(candidate("a"), profile)
    each = [advisor.index_size(candidate("a"), part) for part in parts]
    assert whole.bytes == sum(size.bytes for size in each)
    assert whole.tuples == 300_000
    with pytest.raises(LookupError, match="nowhere"):
        advisor.whole_size(candidate("a", RelationName(schema="public", name="nowhere")), profile)


def test_the_target_of_the_statistics_is_seen_in_their_bounds() -> None:
    few = replace(statistics(50_000.0), histogram_bounds=tuple(str(n * 20_000) for n in range(11)))
    many = replace(statistics(50_000.0), histogram_bounds=tuple(str(n * 200) for n in range(1001)))
    found = table(few=few, many=many)
    assert [key_statistics(name, found).sample for name in ("few", "many")] == [3_000, 300_000]


def test_a_domain_over_a_number_is_as_wide_as_the_number() -> None:
    of = replace(statistics(-1.0), average_width=8)
    columns = tuple(Column(name=n, number=1, type=t, statistics=(of,)) for n, t in (("a", "shop.id"), ("b", "bigint")))
    found = replace(table(), columns=columns)
    assert advisor.index_size(candidate("a"), found) == advisor.index_size(candidate("b"), found)


def test_columns_that_depend_on_each_other_share_lists_where_extended_statistics_say_so() -> None:
    found = table(a=statistics(1000.0), b=statistics(2000.0))
    apart = advisor.index_size(candidate("a b"), found)
    known = ExtendedStatistics(
        schema="public", name="s", definition="", keys=("a", "b"), kinds=("ndistinct",), ndistinct=(((0, 1), 2000.0),)
    )
    together = advisor.index_size(candidate("b a"), replace(found, statistics=(known,)))
    assert together.pages < apart.pages / 2


def test_equal_keys_of_padded_text_share_posting_lists_only_where_the_server_does_so() -> None:
    padded = replace(table(), columns=(Column(name="a", number=1, type="character(4)", statistics=(statistics(5),)),))
    old, new = (advisor.index_size(candidate("a"), padded, major=major).pages for major in (15, 18))
    assert old > new * 2


def test_tuples_with_a_null_have_a_bitmap_and_no_datum() -> None:
    def of(nulls: float) -> KeyStatistics:
        return KeyStatistics(
            width=8.0, alignment=8, varies=False, null_share=nulls, distinct=100.0, common=(), type="bigint", rows=1e6
        )

    assert tuple_size([of(0.0)]) == 16
    assert tuple_size([of(1.0)]) == 16
    assert tuple_size([of(0.0), of(0.0)]) == 24
    assert tuple_size([of(0.0), of(1.0)]) == 24
    assert tuple_size([of(0.0), of(0.5), of(0.0)]) == 32


COMMON = [(None, None), (("1",), (1.0,)), (("{", "x"), (0.5, 0.6)), (('{"a": [1, {"b": null}]}',) * 30, (0.03,) * 30)]


def odd(common: tuple[tuple[str, ...] | None, tuple[float, ...] | None], **other: object) -> ColumnStatistics:
    values, frequencies = common
    return ColumnStatistics(most_common_values=values, most_common_frequencies=frequencies, **other)  # type: ignore[arg-type]


oddities = st.builds(
    odd,
    common=st.sampled_from(COMMON),
    null_fraction=st.sampled_from([0.0, 0.3, 1.0]),
    average_width=st.sampled_from([0, 1, 4, 8, 30, 127, 3000]),
    n_distinct=st.sampled_from([0.0, 1.0, 7.0, 1e9, -1.0, -0.2, -1e-9]),
    histogram_bounds=st.sampled_from([None, ("1",), ("2", "1"), tuple(map(str, range(0, 200, 3))), ("a", "infinity")]),
    correlation=st.sampled_from([None, 0.0, 1.0, -1.0]),
    most_common_elements=st.sampled_from([None, ("a",), ()]),
    most_common_element_frequencies=st.sampled_from([None, (0.0,), (0.5, 0.5, 0.5)]),
    element_count_histogram=st.sampled_from([None, (), (1.0, 3.5)]),
    pseudonyms=st.booleans(),
)
types = st.sampled_from(["integer", "bigint", "date", "text", "numeric", "jsonb", "integer[]", "tsvector", "int4range",
                         "point", "inet", "character", "public.mood", "timestamp with time zone"])  # fmt: skip
LINES = ["a", "a b", "b | a", "a || b IS NULL", "a || b = '1'", "a || a > '5'", "(lower(a))", "(a ->> 'k')", "gin a",
         "gin a gin_trgm_ops", "gin a jsonb_path_ops", "gist a", "spgist a", "brin a", "hash a"]  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(st.tuples(oddities, types), st.tuples(oddities, types), st.sampled_from([0.0, 0.5, 1.0, 300.0, 1e6, 1e12]))
def test_whatever_the_statistics_say_an_index_has_a_size(
    a: tuple[ColumnStatistics, str], b: tuple[ColumnStatistics, str], rows: float
) -> None:
    columns = tuple(Column(name=n, number=1, type=t, statistics=(s,)) for n, (s, t) in (("a", a), ("b", b)))
    found = replace(table(rows), columns=columns)
    for line in LINES:
        size = advisor.index_size(candidate(line), found)
        assert 1 <= size.pages <= rows * 2 + 20, line
        assert (size.level is None) == (line.split()[0] in ("gin", "gist", "spgist", "brin", "hash"))
