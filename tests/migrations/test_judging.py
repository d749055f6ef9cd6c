"""Whole migrations against a production of a hundred million rows: what is found, how bad, and what is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from premortem import pg, sqltext
from premortem.model import Profile, Query, Severity
from premortem.settings import parse as parse_settings

from .conftest import Judge, by_line

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

MANY = """
SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN extra int;
ALTER TABLE orders ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();
ALTER TABLE orders ADD COLUMN flag boolean NOT NULL DEFAULT false;
ALTER TABLE orders ALTER COLUMN status TYPE varchar(40);
ALTER TABLE orders ALTER COLUMN total TYPE numeric(12,4);
ALTER TABLE orders ALTER COLUMN note SET NOT NULL;
ALTER TABLE orders ADD CONSTRAINT to_customer FOREIGN KEY (customer_id) REFERENCES customers (id);
ALTER TABLE orders ADD CONSTRAINT total_positive CHECK (total >= 0);
CREATE INDEX orders_note ON orders (note);
CREATE INDEX CONCURRENTLY orders_created ON orders (created_at);
DROP INDEX orders_customer;
ALTER TABLE tiny ALTER COLUMN id TYPE bigint;
ALTER TABLE attic ALTER COLUMN v SET NOT NULL;
CREATE TABLE fresh (id int PRIMARY KEY, v varchar(10));
ALTER TABLE fresh ADD COLUMN x int DEFAULT random();
CREATE INDEX fresh_v ON fresh (v);
UPDATE orders SET extra = 1;
GRANT SELECT ON orders TO app_reader;
ALTER TABLE orders DROP COLUMN note;
ALTER TABLE customers RENAME COLUMN name TO full_name;
ALTER TABLE customers ADD COLUMN tax text NOT NULL;
CREATE INDEX events_v ON events (v);
-- premortem: allow ban-drop-table (gone since May)
DROP TABLE attic;
"""
#: The line of each statement that something is found at, with what.
WANTED = {
    4: {"adding-field-with-default": ERROR},
    7: {"changing-column-type": ERROR},
    8: {"adding-not-nullable-field": ERROR},
    9: {"adding-foreign-key-constraint": ERROR},
    10: {"constraint-missing-not-valid": ERROR},
    11: {"require-concurrent-index-creation": ERROR},
    12: {"unused-new-index": WARNING},
    13: {"require-concurrent-index-deletion": WARNING, "dropped-index-in-use": ERROR},
    14: {"changing-column-type": INFO},
    15: {"adding-not-nullable-field": WARNING},
    16: {"prefer-bigint-over-int": INFO},
    19: {"backfill-in-migration": ERROR},
    21: {"dropped-but-used": ERROR},
    22: {"renaming-column": INFO},
    23: {"adding-required-field": ERROR},
    24: {"require-concurrent-index-creation": WARNING, "unused-new-index": WARNING},
}


@pytest.mark.pg("== 15")
def test_what_is_found_in_a_migration_of_everything(judge: Judge) -> None:
    judged = judge(MANY)
    found = by_line(judged)
    assert {line: {r: f.severity for r, f in rules.items()} for line, rules in found.items()} == WANTED
    assert judged.complete
    assert [(s.finding.rule, s.reason) for s in judged.suppressed] == [("ban-drop-table", "gone since May")]
    says = {f.rule: f.says for rules in found.values() for f in rules.values() if f.severity is not INFO}
    assert "reads and writes of orders (100,000,000 rows, 6.4 GB)" in says["adding-field-with-default"]
    assert (
        "writes the table anew and builds orders_pkey, orders_customer and orders_status"
        in says["adding-field-with-default"]
    )
    assert "statements would pile up" in says["adding-field-with-default"]
    assert "of orders (100,000,000 rows, 6.4 GB), and of customers" in says["adding-foreign-key-constraint"]
    assert "1 query gets more expensive without orders_customer" in says["dropped-index-in-use"]
    assert (
        "orders.note, which 1 statement names (of production's workload, 20 times a second)" in says["dropped-but-used"]
    )
    assert "in 2 partitions" in found[24]["require-concurrent-index-creation"].says
    assert {f.key for rules in found.values() for f in rules.values()} == {f.key for f in judged.findings}
    assert len({f.key for f in judged.findings}) == len(judged.findings)


@pytest.mark.pg("== 18")
def test_the_same_change_is_a_note_where_the_tables_are_small(judge: Judge, production: Profile) -> None:
    small = replace(
        production,
        tables=tuple(
            replace(t, pages=min(t.pages, 40), relation_pages=min(t.relation_pages, 40), tuples=min(t.tuples, 200))
            for t in production.tables
        ),
    )
    found = [
        f for f in judge(MANY, profile=small).findings if f.rule not in ("dropped-but-used", "adding-required-field")
    ]
    assert {f.severity for f in found if "deletion" not in f.rule} == {INFO}


TRANSACTION = """-- +goose Up
ALTER TABLE customers ADD COLUMN level int;
CREATE INDEX CONCURRENTLY orders_note ON orders (note);
ALTER TABLE orders ALTER COLUMN note SET NOT NULL;
ALTER TYPE mood ADD VALUE 'meh';
INSERT INTO tiny VALUES (900, 'meh');
-- +goose Down
DROP TABLE customers;
"""


@pytest.mark.pg("== 15")
def test_what_shares_a_transaction(judge: Judge, production: Profile) -> None:
    found = by_line(judge("CREATE TYPE mood AS ENUM ('ok');\n" + TRANSACTION, path="1.sql"))
    misplaced = found[4]["concurrently-in-transaction"]
    assert misplaced.severity is ERROR
    assert "goose runs the file in one" in misplaced.says
    assert misplaced.remedy is not None
    assert "-- +goose NO TRANSACTION" in misplaced.remedy.says
    held = found[5]["locks-held-together"]
    assert held.severity is ERROR
    assert "ACCESS EXCLUSIVE on customers" in held.says
    assert "line 3" in held.says
    assert found[3]["require-lock-timeout"].severity is WARNING
    assert all("DROP TABLE" not in f.says for rules in found.values() for f in rules.values())


@pytest.mark.pg("== 18")
def test_an_enum_value_is_not_used_in_the_transaction_that_adds_it(judge: Judge) -> None:
    text = """CREATE TYPE mood AS ENUM ('ok');
COMMIT;
BEGIN;
ALTER TYPE mood ADD VALUE 'meh';
INSERT INTO tiny VALUES (900, 'meh');
COMMIT;
INSERT INTO tiny VALUES (901, 'meh');
"""
    found = by_line(judge(text))
    assert found[5]["enum-value-used-at-once"].severity is ERROR
    assert 7 not in found


@pytest.mark.pg("== 15")
def test_comments_and_settings_decide(judge: Judge) -> None:
    text = """SET lock_timeout = '2s';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX orders_a ON orders (customer_id, id);
-- premortem: allow require-concurrent-index-creation (nobody writes at night) until 2020-01-01
CREATE INDEX orders_b ON orders (customer_id, note);
-- premortem: allow changing-column-type (nothing here)
ALTER TABLE orders ADD COLUMN c varchar(3);
ALTER TABLE orders ALTER COLUMN total TYPE float;
"""
    settings = parse_settings(
        '[rules]\nprefer-text-field = "warn"\nchanging-column-type = "info"\nunused-new-index = "off"\n',
        "premortem.toml",
    )
    judged = judge(text, settings=replace(settings, today=date(2026, 11, 22)))
    found = by_line(judged)
    assert 3 not in found
    assert "allowed until 2020-01-01" in found[5]["require-concurrent-index-creation"].says
    assert found[7]["unused-allow"].severity is WARNING
    assert found[7]["prefer-text-field"].severity is WARNING
    assert found[8]["changing-column-type"].severity is INFO
    assert "a squawk-ignore comment" in {s.reason for s in judged.suppressed}


@pytest.mark.pg("== 18")
def test_thresholds_and_several_changes_in_one_statement(judge: Judge) -> None:
    text = """SET lock_timeout = '2s';
ALTER TABLE orders ADD COLUMN c int DEFAULT 5, ALTER COLUMN total TYPE float;
ALTER TABLE orders ADD COLUMN d int, ALTER COLUMN note SET NOT NULL;
"""
    settings = parse_settings("[rules.long-lock]\nerror_seconds = 100\nwarn_seconds = 60\n", "premortem.toml")
    found = by_line(judge(text, settings=settings))
    assert {line: {r: f.severity for r, f in rules.items()} for line, rules in found.items()} == {
        2: {"changing-column-type": ERROR},
        3: {"adding-not-nullable-field": INFO},
    }


@pytest.mark.pg("== 18")
def test_the_changes_own_queries_count(judge: Judge) -> None:
    uses_it = query("SELECT id FROM orders WHERE note = $1")
    found = by_line(judge("CREATE INDEX CONCURRENTLY orders_note ON orders (note);", queries=(uses_it,)))
    assert found == {}
    gone = query("SELECT email FROM customers WHERE id = $1")
    found = by_line(judge("SET lock_timeout = '1s';\nALTER TABLE customers DROP COLUMN email;", queries=(gone,)))
    assert "(of the change)" in found[2]["dropped-but-used"].says


@pytest.mark.pg("== 15")
def test_what_postgresql_refuses_on_partitioned_tables(judge: Judge, database: str) -> None:
    found = by_line(judge("CREATE INDEX CONCURRENTLY events_v ON events (v);"))
    refused = found[1]["concurrently-on-partitioned-table"]
    assert refused.severity is ERROR
    assert refused.remedy is not None
    assert refused.remedy.sql[0] == "CREATE INDEX events_v ON ONLY public.events USING btree (v);"
    with pg.writer(database, purpose="test") as db:
        for sql in refused.remedy.sql:
            db.execute(sql)
        assert db.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'events_v'::regclass")


@pytest.mark.pg("== 15")
def test_an_index_that_is_replaced_or_recreated_is_not_missed(judge: Judge) -> None:
    text = """SET lock_timeout = '1s';
CREATE INDEX CONCURRENTLY orders_customer_created ON orders (customer_id, created_at);
DROP INDEX CONCURRENTLY orders_customer;
"""
    assert by_line(judge(text)) == {}


def query(text: str) -> Query:
    (found,) = sqltext.split(text, "queries.sql")
    assert isinstance(found, Query)
    return found


SAFE_WAYS = {
    "ALTER TABLE orders ALTER COLUMN note SET NOT NULL": "SELECT attnotnull FROM pg_attribute WHERE attname = 'note'",
    "ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers (id)": (
        "SELECT convalidated FROM pg_constraint WHERE conname = 'orders_customer_id_fkey'"
    ),
    "ALTER TABLE orders ADD CONSTRAINT c CHECK (total > 0)": (
        "SELECT convalidated FROM pg_constraint WHERE conname = 'c'"
    ),
    "ALTER TABLE orders ADD UNIQUE (id, status)": (
        "SELECT contype = 'u' FROM pg_constraint WHERE conname = 'orders_id_status_key'"
    ),
    "create unique index orders_u on orders (id, total)": (
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'orders_u'::regclass"
    ),
    "REINDEX TABLE orders": "SELECT true",
    "REINDEX INDEX orders_status": "SELECT true",
    "DROP INDEX orders_status": "SELECT to_regclass('orders_status') IS NULL",
    "ALTER TABLE events DETACH PARTITION events_1": (
        "SELECT NOT relispartition FROM pg_class WHERE oid = 'events_1'::regclass"
    ),
}


def test_what_is_typed_instead_works_and_comes_to_the_same(judge: Judge, database: str) -> None:
    """The remedies are run on real rows, one after the other, each statement outside of a transaction."""
    text = ";\n".join(["SET lock_timeout = '2s'", *SAFE_WAYS]) + ";"
    found = by_line(judge(text))
    tried = 0
    with pg.writer(database, purpose="test") as db:
        for line, check in enumerate(SAFE_WAYS.values(), start=2):
            remedies = [f.remedy.sql for f in found[line].values() if f.remedy is not None and f.remedy.sql]
            assert remedies, list(SAFE_WAYS)[line - 2]
            for sql in remedies[0]:
                db.execute(sql)
            assert db.value(check), remedies
            tried += 1
    assert tried == len(SAFE_WAYS)
