"""The conditions of real plans, on every version that we have: all of them are understood."""

# ruff: noqa: E501 - in a table, an example is a line

from __future__ import annotations

from collections.abc import Iterator

import pytest

from premortem import pg, plans, sqltext
from premortem.model import Node
from premortem.sqltext import Comparison, Condition, Opaque, OperandKind

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN email AS text;
CREATE TABLE a (id bigint PRIMARY KEY, n int, s varchar(20), c char(3), t text, m mood, e email, at timestamptz, d date,
    tags text[], doc jsonb, flag boolean, amount numeric(10,2), r int4range, ip inet, u uuid, v tsvector, "Odd é" int);
CREATE TABLE b (id bigint PRIMARY KEY, a_id bigint, s text, tags text[]);
INSERT INTO a (id, n, s, at) SELECT i, i % 10, i, now() FROM generate_series(1, 1000) i;
INSERT INTO b (id, a_id, s) SELECT i, i % 500, i FROM generate_series(1, 3000) i;
ANALYZE;
"""

WHERE = [
    "s = 'x' AND c = 'y' AND t = 'z' AND e = 'w' AND m = 'sad'",
    "s LIKE 'x%' OR t ILIKE '%y%' OR t !~ '^z' OR s SIMILAR TO 'a|b'",
    "n IN (1, 2, 3) AND s IN ('a', 'b') AND t NOT IN ('c', 'd') AND s LIKE ANY (ARRAY['a%', 'b%'])",
    "at > now() - interval '1 day' AND d = current_date AND at::date = '2024-01-01' AND extract(year FROM at) = 2024",
    "flag AND NOT (n = 1 OR n = 2) AND flag IS NOT TRUE AND n IS NULL AND m IS NOT NULL",
    "tags @> '{x}' AND tags && ARRAY['y'] AND 'z' = ANY (tags) AND doc @> '{\"a\": 1}' AND doc ? 'k' AND doc->>'k' = 'v'",
    "(n, id) > (1, 2) AND (n, s) = (1, 'x') AND amount BETWEEN 1 AND 2.5 AND -n < -5",
    "lower(s) = 'x' AND coalesce(n, 0) > 5 AND CASE WHEN n = 1 THEN flag ELSE false END AND (n + 1) % 2 = 0",
    "r && '[1,5)' AND r @> 3 AND ip << '10.0.0.0/8' AND u = gen_random_uuid() AND v @@ to_tsquery('x')",
    "\"Odd é\" = 1 AND s COLLATE \"C\" < 'x' AND s || t = 'xy' AND n IS DISTINCT FROM 5 AND doc['a'] = '1'",
    "n = (SELECT max(n) FROM a) AND id = ANY (ARRAY(SELECT id FROM b))",
    "EXISTS (SELECT FROM b WHERE b.a_id = a.id AND b.s = a.s) OR id NOT IN (SELECT a_id FROM b)",
    "n > ALL (SELECT b.id FROM b WHERE b.a_id = a.id) OR (n, id) IN (SELECT id, a_id FROM b)",
    "id IN (SELECT a_id FROM b GROUP BY a_id HAVING count(*) > 5 AND sum(b.id) FILTER (WHERE s = 'x') > 3)",
    "id IN (SELECT a_id FROM (SELECT a_id, row_number() OVER (PARTITION BY s ORDER BY id) AS k FROM b) x WHERE k < 3)",
    "starts_with(s, 'x') AND s ^@ 'y' AND n::text = '5' AND s::int = 5 AND n = '5'::numeric AND n & 4 = 4",
]
PARAMETERS = "n = $1 AND s = $2 AND lower(t) = lower($3) AND n = ANY ($4) AND ($5::int IS NULL OR n = $5) AND s LIKE $6"


@pytest.fixture
def db(server: pg.Server, database: str) -> Iterator[pg.Session]:
    with pg.writer(database, purpose="test") as session:
        session.execute(SCHEMA)
        yield session


def conditions(plan: Node) -> Iterator[tuple[str, Condition]]:
    for node in plan.walk():
        initplans: tuple[int, ...] = ()
        for text in (node.index_condition, node.filter, node.join_filter, node.hash_condition, node.merge_condition):
            if text:
                yield text, sqltext.condition(text, initplans)


def explained(db: pg.Session, statement: str) -> Node:
    return plans.parse_json(db.value(f"EXPLAIN (FORMAT JSON, VERBOSE) {statement}")).root


def unknown(condition: Condition) -> bool:
    return isinstance(condition, Opaque) and not condition.subplans


@pytest.mark.parametrize("where", WHERE)
def test_every_condition_of_a_plan_is_understood(db: pg.Session, where: str) -> None:
    found = list(conditions(explained(db, f"SELECT * FROM a WHERE {where}")))
    assert found
    assert not [text for text, read in found if any(unknown(c) for c in sqltext.conjuncts(read))]


def test_parameters_of_a_generic_plan_are_found(db: pg.Session) -> None:
    db.execute(f"SET plan_cache_mode = force_generic_plan; PREPARE p AS SELECT * FROM a WHERE {PARAMETERS}")
    plan = explained(db, "EXECUTE p (NULL, NULL, NULL, NULL, NULL, NULL)")
    read = [c for _, found in conditions(plan) for c in sqltext.comparisons(found)]
    assert {n for c in read for side in c.operands for n in side.parameters} == {1, 2, 3, 4, 5, 6}
    lists = [c for c in read if c.quantifier == "any"]
    assert [c.right and c.right.parameter for c in lists] == [4]


def test_sides_of_joins_belong_to_their_relations(db: pg.Session) -> None:
    plan = explained(db, "SELECT * FROM a JOIN b ON b.a_id = a.id AND b.s = a.s AND b.id > a.n WHERE a.n = 3")
    joins = [c for _, found in conditions(plan) for c in sqltext.comparisons(found) if c.is_join]
    assert joins
    for join in joins:
        for alias in ("a", "b"):
            mine = join.about(alias)
            assert mine is not None
            assert mine.left.alias == alias


@pytest.mark.parametrize(
    "expression",
    [
        "lower(s)", "(doc->>'k')", "(n + 1)", "(s || t)", "((doc->>'k')::int)", "date_trunc('day', at AT TIME ZONE 'UTC')",
        "coalesce(n, 0)", "(CASE WHEN n > 5 THEN n END)", "(\"Odd é\" % 2)", "substring(s FROM 1 FOR 3)",
        "(tags[1])", "extract(year FROM d)", "(at::timestamptz AT TIME ZONE 'UTC')", "(n IS NULL)", "(doc['a'])", "abs(-n)", "(c::text)",
        "(e::text)", "(m = 'sad')",
    ],
)  # fmt: skip
def test_an_expression_can_be_indexed_and_compared_as_it_is_spelled_here(db: pg.Session, expression: str) -> None:
    """The expression of a plan, the one of pg_get_indexdef and ours are the same index."""
    db.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
    plan = explained(db, f"SELECT * FROM a WHERE {expression} IS NOT NULL")
    read = next(c for _, found in conditions(plan) for c in sqltext.comparisons(found))
    db.execute(f"CREATE INDEX ours ON a (({read.left.expression}))")
    stored = db.value("SELECT pg_get_indexdef('ours'::regclass, 1, true)")
    assert sqltext.canonical(str(stored)) == read.left.expression
    after = explained(db, f"SELECT * FROM a WHERE {expression} IS NOT NULL")
    if read.left.kind is not OperandKind.COLUMN:
        assert "ours" in {n.index for n in after.walk()}


def test_runtime_outputs_of_initplans_are_not_taken_for_columns(db: pg.Session) -> None:
    plan = explained(db, "SELECT * FROM a WHERE n = (SELECT max(n) FROM a) AND s = 'x'")
    read = [c for _, found in conditions(plan) for c in sqltext.comparisons(found)]
    values = {
        c.right.kind
        for c in read
        if isinstance(c, Comparison) and c.left.column and c.left.column.column == "n" and c.right
    }
    assert values <= {OperandKind.RUNTIME, OperandKind.PARAMETER}
