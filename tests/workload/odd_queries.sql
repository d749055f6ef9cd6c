-- name: wide_rows
SELECT * FROM wide WHERE c900 = 17;
-- name: long_body
SELECT id FROM long_texts WHERE body = $1;
-- name: sorted_by_body
SELECT id FROM long_texts ORDER BY body LIMIT 10;
-- name: not_immutable
SELECT * FROM kinds WHERE date_trunc('day', at) = '2026-01-05';
-- name: stable_function
SELECT * FROM kinds WHERE shifting(day) = 'd1UTC';
-- name: no_class
SELECT * FROM kinds WHERE doc::text = '{}';
-- name: json_arrow
SELECT * FROM kinds WHERE doc ->> 'a' = '17';
-- name: point
SELECT * FROM kinds ORDER BY place <-> point(1, 1) LIMIT 5;
-- name: xml
SELECT * FROM kinds WHERE markup::text = '<a/>';
-- name: unlogged
SELECT * FROM unlogged WHERE k = 17;
-- name: no_statistics
SELECT * FROM never_analyzed WHERE k = 17;
-- name: partitioned
SELECT * FROM parts WHERE k = 17;
-- name: foreign_table
SELECT * FROM foreign_one WHERE k = 17;
-- name: temporary_table
SELECT * FROM session_scratch WHERE k = 17;
-- name: another_database
SELECT * FROM other_shop.orders WHERE id = $1;
-- name: quoted_names
SELECT * FROM "Mixed Case" WHERE "Key Col" = 5 AND "select" = 'x5';
-- name: no_columns
SELECT * FROM no_columns;
-- name: materialized_view
SELECT * FROM kept WHERE k = 5;
-- name: infix
SELECT * FROM plain WHERE note LIKE '%abc%';
-- name: volatile
SELECT * FROM plain WHERE k = (random() * 10)::int;
-- name: returns_rows
SELECT generate_series(1, k) FROM plain WHERE id = 5;
-- name: window_function
SELECT * FROM (SELECT id, row_number() OVER (PARTITION BY k ORDER BY note) AS n FROM plain) q WHERE n = 1;
-- name: recursion
WITH RECURSIVE t AS (SELECT id, k FROM plain WHERE id = 1 UNION ALL SELECT p.id, p.k FROM plain p JOIN t ON p.k = t.id)
SELECT * FROM t LIMIT 10;
-- name: whole_row
SELECT p FROM plain p WHERE p = ROW(1, 2, 'x')::plain;
-- name: system_columns
SELECT ctid FROM plain WHERE ctid = '(0,1)' OR xmin = '5';
-- name: no_table
SELECT 1;
-- name: aborted
SELECT * FROM;
-- name: not_sql
this is no SQL at all;
-- name: utilities
BEGIN; SET work_mem = '1MB'; FETCH 10 FROM c; COPY plain TO STDOUT; CALL nothing(); VACUUM plain; COMMIT;
CREATE INDEX ON plain (k); SELECT * FROM pg_class WHERE relname = 'x'; DECLARE c CURSOR FOR SELECT * FROM plain WHERE k = 3;
-- name: cut_off
SELECT * FROM plain WHERE note = 'never ends
