"""Whatever constants become parameters, the servers can still prepare the statement, and it means the same."""

# ruff: noqa: E501 - in a table, an example is a line

from __future__ import annotations

import pytest

from premortem import pg, sqltext
from premortem.capture import logs
from premortem.capture.executed import Executed
from premortem.errors import StatementError
from premortem.model import Query
from premortem.model.relation import literal
from premortem.sqltext import Freedom

SCHEMA = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN amount AS numeric(12, 2);
CREATE TABLE t (
    id bigint PRIMARY KEY, a int, small smallint, price numeric(10, 2), ratio double precision, b text, code varchar(20),
    fixed char(4), at timestamptz, day date, ok boolean, data jsonb, plain json, tags text[], numbers int[], u uuid,
    m mood, due amount, span tsrange, took interval, ip inet, raw bytea, v tsvector, d point, bits bit(4), parent bigint
);
CREATE UNIQUE INDEX ON t (a) WHERE ok = false;
CREATE INDEX ON t (date_trunc('day', at AT TIME ZONE 'UTC'));
CREATE TABLE child (id bigint PRIMARY KEY, t_id bigint REFERENCES t, name text, n int);
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
CREATE FUNCTION twice(n text) RETURNS text LANGUAGE sql AS 'SELECT n || n';
"""

STATEMENTS = """
SELECT 1
SELECT 'x'
SELECT 1 AS one, 'x' AS word, NULL AS nothing, true AS yes, 1.5 AS half, -3 AS less FROM t
SELECT *, 'book' AS kind FROM t WHERE a = 1
SELECT * FROM t WHERE a = -5 AND b = 'it''s' AND price > 10.5 AND ratio < 1e3
SELECT * FROM t WHERE a IN (1, 2, 3) AND b NOT IN ('x', 'y') AND NOT id IN (7, 8)
SELECT * FROM t WHERE u IN ('00000000-0000-4000-8000-000000000000'::uuid, '00000000-0000-4000-8000-000000000001'::uuid)
SELECT * FROM t WHERE (a, b) IN ((1, 'x'), (2, 'y'))
SELECT * FROM t WHERE (a, id) > (1, 2) ORDER BY a, id LIMIT 10
SELECT * FROM t WHERE a BETWEEN 1 AND 5 AND day NOT BETWEEN '2024-01-01' AND '2024-02-01'
SELECT * FROM t WHERE b LIKE 'x%' OR b ILIKE '%y%' OR b NOT LIKE 'z\\_%' ESCAPE '\\'
SELECT * FROM t WHERE b SIMILAR TO '(a|b)%' OR b ~ '^x' OR b !~* 'y$'
SELECT * FROM t WHERE UPPER(b::text) = UPPER('foo') AND lower(code) = lower('BAR')
SELECT * FROM t WHERE at > '2024-01-01'::timestamptz AND day = '2024-01-01'::date AND took < '1 days 2.5 seconds'::interval
SELECT * FROM t WHERE at > timestamptz '2024-01-01' AND at < timestamp with time zone '2024-01-02 00:00' AND day > date '2024-01-01'
SELECT * FROM t WHERE at > now() - interval '30 days' AND at < now() - interval '1' day
SELECT * FROM t WHERE at > now() - '1 day'::interval * 3 AND at >= CURRENT_DATE - 7
SELECT * FROM t WHERE day + 7 > '2024-01-01' AND day > CURRENT_DATE - 3
SELECT date_trunc('day', at), count(*) FROM t WHERE date_trunc('month', at) = '2024-01-01' GROUP BY date_trunc('day', at)
SELECT date_trunc('day', at AT TIME ZONE 'UTC'), count(*) FROM t GROUP BY 1 HAVING count(*) > 5 ORDER BY 1 DESC LIMIT 3
SELECT extract(year FROM at), date_part('month', at) FROM t WHERE extract(year FROM at) = 2024
SELECT coalesce(a, 0) + 1, count(*) FROM t GROUP BY coalesce(a, 0) + 1 HAVING coalesce(a, 0) + 1 > 5
SELECT coalesce(b, 'none'), nullif(b, ''), greatest(a, 5), least(price, 9.99) FROM t WHERE coalesce(a, 0) > 5
SELECT DISTINCT b || '-' || 'x', a FROM t ORDER BY b || '-' || 'x'
SELECT DISTINCT ON (a % 10) a, b FROM t ORDER BY a % 10, b
SELECT a * 1.1, a / 2, price * 2, b || 'x', 'y' || b, a || 'z', 3 - a FROM t WHERE a + 1 = 5 AND price * 1.2 > 100
SELECT concat('x', a, 'y'), concat_ws(', ', b, 'z'), format('%s-%s', a, 'q'), jsonb_build_object('k', a, 'l', 'm') FROM t
SELECT data -> 'key', data ->> 'key', data #>> '{a,b}', data -> 0 FROM t WHERE data ->> 'kind' = 'x' AND data -> 'a' ->> 'b' = 'c'
SELECT * FROM t WHERE data @> '{"a": 1}' AND data ? 'key' AND data ?| array['a', 'b'] AND data @? '$.a[*] ? (@ > 2)'
SELECT * FROM t WHERE (data ->> 'n')::int > 5 AND jsonb_path_exists(data, '$.x') AND data #> '{a}' = '1'
SELECT * FROM t WHERE tags @> ARRAY['x', 'y'] AND tags && '{a,b}' AND 'z' = ANY(tags) AND numbers[1] = 4 AND a = ANY('{1,2}'::int[])
SELECT * FROM t WHERE a = ANY(ARRAY[1, 2, 3]) AND code = ANY(ARRAY['a', 'b']::text[]) AND b <> ALL (ARRAY['c'])
SELECT * FROM t WHERE m = 'glad' AND m IN ('glad', 'sad') AND due > 5 AND fixed = 'abcd' AND small = 3 AND ok = true
SELECT * FROM t WHERE ok AND true AND 1 = 1 AND 'a' = 'a' AND NOT false AND (ok IS TRUE OR b IS NULL)
SELECT * FROM t WHERE ip <<= '10.0.0.0/8' AND raw = '\\x00' AND span @> '2024-01-01'::timestamp AND bits = B'1010'
SELECT * FROM t WHERE to_tsvector('english', b) @@ plainto_tsquery('english', 'cat dog') OR v @@ to_tsquery('cat')
SELECT ts_rank(v, plainto_tsquery('x')) AS rank FROM t WHERE v @@ plainto_tsquery('x') ORDER BY rank DESC LIMIT 5
SELECT * FROM t WHERE b % 'word' AND similarity(b, 'word') > 0.3 ORDER BY similarity(b, 'word') DESC, b <-> 'word' LIMIT 5
SELECT * FROM t ORDER BY d <-> point '(1,2)', CASE WHEN m = 'glad' THEN 0 ELSE 1 END LIMIT 1
SELECT CASE WHEN a = 1 THEN 'one' WHEN a = 2 THEN 'two' ELSE 'many' END, CASE b WHEN 'x' THEN 1 ELSE 0 END FROM t
SELECT count(*) FILTER (WHERE m = 'glad'), sum(CASE WHEN ok = true THEN 1 ELSE 0 END), string_agg(b, ',' ORDER BY b) FROM t
SELECT a, count(*) FILTER (WHERE b = 'x'), sum(CASE WHEN ok THEN price ELSE 0 END) FROM t GROUP BY a HAVING sum(price) > 100
SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY price), ntile(4) OVER (ORDER BY id), lag(a, 1, 0) OVER (ORDER BY id) FROM t GROUP BY id, a
SELECT row_number() OVER (PARTITION BY a % 3 ORDER BY id ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) FROM t WHERE a > 3
SELECT (1) AS "a" FROM "t" WHERE "t"."a" = 5 LIMIT 1
SELECT COUNT(*) FROM (SELECT DISTINCT "t"."id" AS "col1" FROM "t" WHERE "t"."b"::text LIKE '%x%') "subquery"
SELECT 'a' AS k, b FROM t WHERE a = 1 UNION ALL SELECT 'b', b FROM t WHERE a = 2 ORDER BY 1 LIMIT 5
SELECT * FROM t WHERE EXISTS (SELECT 1 FROM child c WHERE c.t_id = t.id AND c.n > 3 LIMIT 1) AND id NOT IN (SELECT t_id FROM child WHERE name = 'x')
SELECT * FROM t LEFT JOIN child c ON c.t_id = t.id AND c.n = 5 AND c.name = 'y' WHERE t.a = 3 FETCH FIRST 5 ROWS ONLY
SELECT * FROM t JOIN (VALUES (1, 'x'), (2, 'y')) AS v (id, name) ON v.id = t.id AND v.name = t.b
SELECT * FROM generate_series(1, 10) g, unnest(ARRAY[1, 2, 3]) n WHERE g = n
SELECT * FROM generate_series('2024-01-01'::date, '2024-02-01'::date, '1 day'::interval) g LEFT JOIN t ON t.day = g
SELECT twice(5), twice('x'), round(price, 2), substring(b FROM 1 FOR 3), substr(b, 2), left(b, 5), to_char(at, 'YYYY-MM') FROM t
SELECT 't'::regclass FROM t WHERE tableoid = 't'::regclass
SELECT position('x' in b), trim(both ' ' from b), overlay(b placing 'x' from 2 for 1), b COLLATE "C" FROM t WHERE b COLLATE "C" > 'm'
SELECT array_agg(a), array_append(tags, 'x'), array_remove(numbers, 3), array_position(tags, 'y'), cardinality(tags) FROM t GROUP BY tags, numbers
SELECT * FROM t WHERE at AT TIME ZONE 'Europe/Berlin' > '2024-01-01' AND at::date = '2024-01-01' AND a::text = '5'
SELECT * FROM t WHERE (a = 1 OR a = 2 OR b = 'x') AND ((ok)) AND (a IS DISTINCT FROM 5) AND b IS NOT DISTINCT FROM 'y'
SELECT * FROM t TABLESAMPLE SYSTEM (10) WHERE a < 5 FOR UPDATE SKIP LOCKED LIMIT 5
SELECT jsonb_set(data, '{a}', '1'), data || '{"b": 2}', data - 'c', to_jsonb('x'::text) FROM t
SELECT a, b FROM t WHERE a = 1 GROUP BY GROUPING SETS ((a, b), (a), ()) ORDER BY 1, 2
WITH RECURSIVE r AS (SELECT id, 1 AS depth FROM t WHERE id = 5 UNION ALL SELECT t.id, r.depth + 1 FROM t JOIN r ON t.parent = r.id WHERE r.depth < 10) SELECT * FROM r WHERE depth > 2
WITH moved AS (DELETE FROM child WHERE n > 5 RETURNING *) INSERT INTO child SELECT id + 1000, t_id, 'moved', 7 FROM moved
INSERT INTO child (id, t_id, name, n) VALUES (1, 2, 'x', 3), (4, NULL, 'y', DEFAULT) RETURNING id, 5, 'z'
INSERT INTO t (id, a, b, at, data, tags, u, m, price, raw) VALUES (1, 2, 'x', '2024-01-01', '{}', '{a}', '00000000-0000-4000-8000-000000000000', 'sad', 1.5, '\\x00')
INSERT INTO t (id, a, ok) VALUES (1, 2, false) ON CONFLICT (a) WHERE ok = false DO UPDATE SET b = 'z', a = t.a + 1, at = now() - interval '1 day' WHERE t.a > 5
INSERT INTO child (id, t_id, name, n) SELECT 5, id, 'copy', 7 FROM t WHERE a = 3
INSERT INTO t (id, tags, numbers) VALUES (1, ARRAY['x', 'y'], ARRAY[1, 2]::int[])
UPDATE t SET a = a + 1, b = 'x', ok = true, price = price * 1.1, at = NULL, data = data || '{"x": 1}', tags = array_append(tags, 'z') WHERE id = 5 RETURNING a, 1
UPDATE t SET b = CASE WHEN (id = 1) THEN 'x' WHEN (id = 2) THEN 'y' ELSE NULL END, a = (CASE WHEN id = 1 THEN 5 ELSE 6 END) WHERE id IN (1, 2)
UPDATE t SET (a, b) = (1, 'x') FROM child c WHERE c.t_id = t.id AND c.name = 'y'
DELETE FROM t USING child c WHERE c.t_id = t.id AND c.n IN (1, 2) AND t.b = 'x'
SELECT * FROM t WHERE a = $1 AND b IN ($2, $3) AND price > 5 LIMIT 10
SELECT * FROM t WHERE id IN ($2, $3) AND a = $1
SELECT E'a\\'b', $$it's$$, U&'x', N'n' FROM t WHERE b = E'tab\\t' AND code = $q$y$q$
SELECT * FROM t WHERE b = 'é' AND code = 'naïve' AND "a" = 5 -- 'comment' 7
SELECT * FROM t WHERE interval'1 day' < took AND b = ('x') AND a = (5) AND a = + 5 AND a = - 5
SELECT * FROM t WHERE b = current_setting('x.y', true)
SELECT * FROM t WHERE a = (SELECT max(a) FROM t WHERE b = 'x') AND ARRAY[1, 2] <@ numbers AND ROW(1, 'x') = ROW(a, b)
SELECT * FROM t WHERE span && tsrange('2024-01-01', '2024-02-01') AND at BETWEEN SYMMETRIC '2024-01-01' AND '2024-02-01'
SELECT * FROM t WHERE (b || 'x') = 'yx' AND length(b) > 3 AND a % 2 = 0 AND (a & 4) = 4 AND a << 1 > 8
MERGE INTO child c USING t ON c.t_id = t.id AND t.a = 5 WHEN MATCHED AND c.n > 3 THEN UPDATE SET name = 'x' WHEN NOT MATCHED THEN INSERT VALUES (1, 2, 'y', 3)
"""
LINES = [line for line in STATEMENTS.strip().splitlines() if line]


@pytest.fixture(scope="module")
def prepares(server15: pg.Server, server18: pg.Server) -> dict[int, pg.Server]:
    for server in (server15, server18):
        with pg.writer(server, purpose="test") as db:
            db.execute("DROP DATABASE IF EXISTS observed")
            db.execute("CREATE DATABASE observed")
        with pg.writer(server, purpose="test", database="observed") as db:
            db.execute(SCHEMA)
    return {15: server15, 18: server18}


def parameterized(sql: str, *, everything: bool) -> sqltext.Parameterized:
    """The statement with all that may vary as parameters, or with its values alone."""
    seen = sqltext.observed(sqltext.reduced(sql))
    least = (Freedom.CODE, Freedom.VALUE) if everything else (Freedom.VALUE,)
    chosen = [slot is None or slot.freedom in least for slot in seen.slots]
    return sqltext.written(seen, chosen, [[v.text or f"${v.parameter}" for v in p.values] for p in seen.reduced.places])


@pytest.mark.parametrize("major", [15, 18])
def test_servers_prepare_what_is_written(prepares: dict[int, pg.Server], major: int) -> None:
    refused = []
    with pg.writer(prepares[major], purpose="test", database="observed") as db:
        for line in LINES:
            for everything in (False, True):
                text = parameterized(line, everything=everything).text
                try:
                    db.execute(f"PREPARE p AS {text}")
                    db.execute("DEALLOCATE p")
                except StatementError as error:
                    refused.append((line, text, error.message))
    assert refused == []


@pytest.mark.parametrize("major", [15, 18])
def test_with_its_own_values_a_statement_has_the_plan_of_its_literals(
    prepares: dict[int, pg.Server], major: int
) -> None:
    others = []
    with pg.writer(prepares[major], purpose="test", database="observed") as db:
        for line in (line for line in LINES if "$1" not in line):
            (query,) = logs.gather([Executed(text=line)]).queries or (None,)
            if not isinstance(query, Query):
                continue  # it reads no table
            values = ", ".join("NULL" if v is None else literal(v) for v in query.samples[0]) if query.samples else ""
            db.execute(f"PREPARE p AS {query.text}")
            planned = plan(db, f"EXECUTE p({values})" if values else "EXECUTE p")
            db.execute("DEALLOCATE p")
            if planned != plan(db, line):
                others.append(query.text)
    assert others == []


def plan(db: pg.Session, sql: str) -> tuple[object, ...]:
    root = db.value(f"EXPLAIN (FORMAT JSON) {sql}")[0]["Plan"]
    return root["Node Type"], root["Total Cost"], root["Plan Rows"]
