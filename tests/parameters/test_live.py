"""Chosen values on real statistics: PostgreSQL takes every one of them, and they are what their names say."""

# ruff: noqa: E501 - in a table, an example is a line

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from premortem import catalog, parameters, pg, plans, sqltext
from premortem.model import Node, ParameterSet, Profile, Query, Values, literal

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'never');
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
CREATE TABLE orders (id bigserial PRIMARY KEY, tenant int NOT NULL, "user" int, status text NOT NULL, state mood, at timestamptz NOT NULL,
    day date, amount numeric(10,2), email email, ref uuid, active boolean, tags text[], doc jsonb, note varchar(200), during tstzrange,
    ip inet, words tsvector, small smallint, gone timestamptz);
INSERT INTO orders (tenant, "user", status, state, at, day, amount, email, ref, active, tags, doc, note, during, ip, words, small)
SELECT CASE WHEN i % 10 < 7 THEN 1 WHEN i % 10 < 9 THEN 2 ELSE 3 + i % 500 END, i % 3000,
    CASE WHEN i % 10 = 8 THEN 'pending' WHEN i % 1000 = 1 THEN 'failed' ELSE 'done' END, (ARRAY['sad', 'ok', 'happy'])[1 + i % 3]::mood,
    timestamptz '2024-01-01' + i * interval '13 minutes', date '2024-01-01' + (i / 100), (i % 977) * 1.5, 'user' || (i % 5000) || '@example.org',
    md5(i::text)::uuid, i % 50 <> 0, ARRAY['t' || i % 7, 'u' || i % 300], jsonb_build_object('kind', 'k' || i % 9, 'n', i % 100),
    'note number ' || i, tstzrange(timestamptz '2024-01-01' + i * interval '1 minute', timestamptz '2024-01-02' + i * interval '1 minute'),
    ('10.0.' || i % 250 || '.1')::inet, to_tsvector('simple', 'hello word' || i % 40), (i % 5)::smallint
FROM generate_series(1, 20000) i;
CREATE INDEX ON orders (lower(email));
CREATE INDEX ON orders ((doc->>'kind'));
CREATE TABLE items (id bigserial PRIMARY KEY, order_id bigint REFERENCES orders, sku varchar(40), qty int);
INSERT INTO items (order_id, sku, qty) SELECT 1 + i % 20000, 'SKU-' || (i % 700), i % 9 FROM generate_series(1, 20000) i;
CREATE TABLE part (id bigint, ts timestamptz NOT NULL, k int) PARTITION BY RANGE (ts);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE part2 PARTITION OF part FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
INSERT INTO part SELECT i, timestamptz '2024-01-01' + i * interval '8 minutes', i % 20 FROM generate_series(1, 10000) i;
CREATE VIEW done AS SELECT * FROM orders WHERE status = 'done';
CREATE STATISTICS st (mcv) ON tenant, status FROM orders;
CREATE TABLE empty (id int PRIMARY KEY, a text, at timestamptz, tags int[], n numeric);
ANALYZE orders, items, part;
"""

#: Every kind of place that a placeholder can stand in.
QUERIES = """
select * from orders where tenant = :t and status = :s;
select * from orders where tenant = :t and status = :s and at >= :a and at < :b order by at desc limit :n offset :o;
select * from orders where id = :id;
select * from orders where at > now() - :w::interval;
select * from orders where at > now() - :w * interval '1 day';
select * from orders where at > current_date - :w::int;
select * from orders where day between :a and :b;
select * from orders where email = :e;
select * from orders where lower(email) = lower(:e);
select * from orders where note like :p;
select * from orders where note ilike '%' || :p || '%' or email like :q || '%';
select * from orders where state = :m and active = :b;
select * from orders where tags @> :tags and tags && :more;
select * from orders where :tag = any(tags);
select * from orders where doc @> :d;
select * from orders where doc->>'kind' = :k;
select * from orders where doc ? :k and doc ?| :ks;
select * from orders where "user" = any(:ids) and status <> all(:no);
select * from orders where "user" in (:a, :b, :c);
select * from orders where status = any(string_to_array(:list, ','));
select * from orders o join items i on i.order_id = o.id where i.sku = :sku and o.status = :st;
select * from orders where (:u::int is null or "user" = :u) and (:s::text is null or status = :s);
select * from orders where (at, id) < (:c, :i) order by at desc, id desc limit 20;
select * from orders where amount > :a and amount <= :b;
select * from orders where ref = :r;
select * from orders where to_tsvector('simple', note) @@ to_tsquery('simple', :q);
select * from orders where words @@ to_tsquery(:q);
select * from orders where at::date = :d;
select * from orders where during @> :t::timestamptz and during && :r;
select * from orders where ip << :net;
select * from orders where words @@ plainto_tsquery('simple', :q) and words @@ :q2::tsquery;
select * from orders where small = :x and active;
insert into items (order_id, sku, qty) values (:a, :b, :c) on conflict (id) do update set qty = :d;
update orders set status = :s, amount = :am, doc = :doc where id = :id;
delete from orders where at < :c;
select * from part where ts >= :a and ts < :b and k = :k;
select * from done where tenant = :t;
select :x::text, count(*) from orders;
select * from orders where tenant = (select min(tenant) from orders where "user" = :u) and status = :s;
select * from orders where note ~ :p;
select * from unnest(:ids::int[]) u join orders o on o."user" = u;
with x as materialized (select * from orders where tenant = :t) select * from x where status = :s limit :l;
select * from orders where extract(year from at) = :y and extract(month from at) = :m;
select date_trunc(:unit, at) at time zone :zone, count(*) from orders group by 1;
select * from orders where not (status = :s) and tenant != :t;
select * from items where qty = :q or qty = :q2 or sku = :s;
select * from empty where id = :a and a like :b and at > :c and tags @> :d and n between :e and :f;
merge into items i using orders o on i.order_id = o.id and o.tenant = :t when matched then update set qty = :q;
select * from orders where case when :flag then tenant = :t else "user" = :u end;
select * from orders where tenant + :n > 5;
select to_char(at, :f), coalesce(note, :n) from orders where status is not distinct from :s;
"""


@dataclass(frozen=True)
class Shop:
    """A database and its profile."""

    db: pg.Session
    profile: Profile

    def sets(self, query: Query) -> tuple[ParameterSet, ...]:
        types, generic = self._prepared(query)
        return parameters.choose(query, plans.parse_json(generic), types, self.profile)

    def _prepared(self, query: Query) -> tuple[tuple[str, ...], object]:
        self.db.execute(f"DEALLOCATE ALL; PREPARE q AS {query.text}; SET plan_cache_mode = force_generic_plan")
        types = tuple(self.db.value("SELECT parameter_types::text[] FROM pg_prepared_statements"))
        generic = self.db.value(f"EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE q{arguments((None,) * len(types))}")
        self.db.execute("SET plan_cache_mode = force_custom_plan")
        return types, generic

    def planned(self, query: Query) -> dict[str, Node]:
        """Return the plan of every set by its name; PostgreSQL has to take every value."""
        return {
            s.name: plans.parse_json(
                self.db.value(f"EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE q{arguments(s.values)}")
            ).root
            for s in self.sets(query)
        }

    def rows(self, sql: str) -> dict[str, float]:
        """Return the rows that PostgreSQL expects for every set."""
        return {name: root.rows for name, root in self.planned(query_of(sql)).items()}


def arguments(values: tuple[str | None, ...]) -> str:
    shown = ", ".join("NULL" if v is None else literal(v) for v in values)
    return f"({shown})" if values else ""


def query_of(sql: str) -> Query:
    (found,) = sqltext.split(sql, "q.sql")
    assert isinstance(found, Query), found
    return found


@pytest.fixture(scope="module", params=[15, 18], ids=["pg15", "pg18"])
def server_(request: pytest.FixtureRequest) -> pg.Server:
    started: pg.Server = request.getfixturevalue(f"server{request.param}")
    return started


@pytest.fixture(scope="module")
def dsn(server_: pg.Server) -> Iterator[str]:
    with pg.writer(server_, purpose="test") as db:
        db.execute("CREATE DATABASE parameters_shop")
    with pg.writer(server_, purpose="test", database="parameters_shop") as db:
        db.execute(SCHEMA)
    yield server_.dsn("parameters_shop")
    with pg.writer(server_, purpose="test") as db:
        db.execute("DROP DATABASE parameters_shop WITH (FORCE)")


def shop_of(dsn: str, values: Values) -> Iterator[Shop]:
    with pg.session(dsn, purpose="test") as session:
        profile = catalog.pull(session, values=values)
    with pg.writer(dsn, purpose="test") as db:
        yield Shop(db, profile)


@pytest.fixture(scope="module")
def shop(dsn: str) -> Iterator[Shop]:
    yield from shop_of(dsn, Values.ALL)


@pytest.fixture(scope="module", params=[Values.ALL, Values.LOW_CARDINALITY, Values.NONE], ids=str)
def any_shop(request: pytest.FixtureRequest, dsn: str) -> Iterator[Shop]:
    yield from shop_of(dsn, request.param)


def test_postgresql_takes_every_value_of_every_set(any_shop: Shop) -> None:
    for found in sqltext.split(QUERIES, "q.sql"):
        assert isinstance(found, Query), found
        planned = any_shop.planned(found)
        assert 1 <= len(planned) <= 6, found.text


def test_the_same_input_gives_the_same_sets(shop: Shop) -> None:
    query = query_of("select * from orders where tenant = :t and status = :s and at > :a")
    assert shop.sets(query) == shop.sets(query)


def test_every_set_says_where_its_values_come_from(shop: Shop) -> None:
    found = shop.sets(
        query_of("select * from items i join orders o on o.id = i.order_id where sku = :a and status = :b")
    )
    assert [(s.name, s.basis) for s in found[:2]] == [
        ("hot", "most common values of items.sku, orders.status"),
        ("typical", "typical values of items.sku, orders.status"),
    ]


def descending(rows: dict[str, float], *names: str) -> bool:
    found = [rows[n] for n in names]
    return found == sorted(found, reverse=True) and found[0] > found[-1]


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("select * from orders where status = :s", ("hot", "typical", "rare", "absent")),
        ("select * from orders where tenant = :t", ("hot", "typical", "absent")),
        ("select * from orders where tenant = :t and status = :s", ("hot", "mixed")),
        ("select * from orders where at >= :a", ("wide", "typical", "narrow", "absent")),
        ("select * from orders where at <= :a", ("wide", "typical", "narrow", "absent")),
        ("select * from orders where day between :a and :b", ("wide", "typical", "narrow", "absent")),
        ("select * from orders where amount > :a", ("wide", "typical", "narrow", "absent")),
        ("select * from orders where at > now() - :w::interval", ("wide", "typical", "narrow", "absent")),
        ("select * from orders where (at, id) < (:a, :b)", ("wide", "typical", "narrow", "absent")),
        ("select * from orders where tenant = :t and at > :a", ("hot", "narrow")),
        ("select * from orders where note like :p", ("hot", "absent")),
        ("select * from orders where note ilike '%' || :p || '%'", ("hot", "rare", "absent")),
        ("select * from orders where tags @> :t", ("hot", "typical", "rare", "absent")),
        ("select * from orders where :t = any(tags)", ("hot", "typical", "rare", "absent")),
        ("select * from orders where doc @> :d", ("hot", "typical", "absent")),
        ("select * from orders where words @@ to_tsquery('simple', :q)", ("hot", "typical", "absent")),
        ("select * from orders where status = any(:s)", ("hot", "absent")),
        ("select * from orders where status in (:a, :b)", ("hot", "rare", "absent")),
        ("select * from orders where state = :m", ("hot", "absent")),
        ("select * from orders where active = :m", ("hot", "rare")),
        ("select * from part where ts > :a and k = :k", ("hot", "narrow")),
        ("select * from orders where (:u::int is null or tenant = :u)", ("off", "hot", "absent")),
    ],
)
def test_sets_are_what_their_names_say(shop: Shop, sql: str, names: tuple[str, ...]) -> None:
    rows = shop.rows(sql)
    assert descending(rows, *names), rows


def test_hot_values_go_together_where_extended_statistics_know(shop: Shop) -> None:
    found = {s.name: s for s in shop.sets(query_of("select * from orders where tenant = :t and status = :s"))}
    assert found["hot"].values == ("1", "done")
    assert found["hot"].basis == "most common combination of orders (tenant, status)"
    assert found["mixed"].values in {("1", "pending"), ("2", "done")}
    assert found["mixed"].basis.startswith("rare combination of common values of orders")


def test_two_placeholders_on_one_column_get_two_values(shop: Shop) -> None:
    found = {s.name: s.values for s in shop.sets(query_of("select * from orders where status in (:a, :b, :c)"))}
    assert len(set(found["hot"])) == 3


def test_both_ends_of_a_window_leave_room(shop: Shop) -> None:
    for sql in ("at >= :a and at < :b", "day between :a and :b", "amount > :a and amount < :b", "id > :a and id < :b"):
        for found in shop.sets(query_of(f"select * from orders where {sql}")):
            low, high = found.values
            check = f"SELECT {literal(str(low))}::{'timestamptz' if 'at ' in sql else 'date' if 'day' in sql else 'numeric'} < {literal(str(high))}"
            assert shop.db.value(check), found


def test_a_page_is_the_first_of_twenty(shop: Shop) -> None:
    found = shop.sets(query_of("select * from orders order by id limit :l offset :o"))
    assert [(s.name, s.values) for s in found] == [("typical", ("20", "0"))]


def test_without_placeholders_there_is_one_set(shop: Shop) -> None:
    assert [s.name for s in shop.sets(query_of("select * from orders where id = 5"))] == ["literal"]


def test_without_statistics_values_are_assumed_and_say_so(shop: Shop) -> None:
    found = shop.sets(query_of("select * from empty where id = :a and a = :b and at = :c and tags = :d"))
    assert [s.basis for s in found] == ["assumed: $1, $2, $3, $4"]


def test_a_view_and_a_partition_lead_to_the_table_with_the_statistics(shop: Shop) -> None:
    by_view = shop.sets(query_of("select * from done where tenant = :t"))
    assert by_view[0].basis == "most common values of orders.tenant"
    by_partition = shop.sets(query_of("select * from part1 where k = :k"))
    assert by_partition[0].basis == "most common values of part.k"


@pytest.mark.parametrize("make", [lambda s: s.sets, lambda s: s.planned], ids=["choose", "plan"])
def test_pseudonyms_are_values_too(dsn: str, make: Callable[[Shop], Callable[[Query], object]]) -> None:
    for shop in shop_of(dsn, Values.LOW_CARDINALITY):
        assert make(shop)(query_of("select * from orders where email = :e and note = :n"))
