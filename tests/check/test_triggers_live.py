"""What we say a foreign key runs is what PostgreSQL runs: auto_explain logs the triggers' own statements."""

from __future__ import annotations

import re

import pytest

from premortem import catalog, pg
from premortem.model import RelationName, Site, Values
from premortem.triggers import Change, hidden

SCHEMA = """
CREATE TABLE parent (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE plain (x int, y int, FOREIGN KEY (x, y) REFERENCES parent);
CREATE TABLE cascading (x int, y int, FOREIGN KEY (x, y) REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE nulled (x int, y int, FOREIGN KEY (x, y) REFERENCES parent ON DELETE SET NULL ON UPDATE SET DEFAULT);
CREATE TABLE parted (x int, y int, FOREIGN KEY (x, y) REFERENCES parent) PARTITION BY RANGE (x);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
INSERT INTO parent VALUES (1, 1), (2, 2);
"""
LOGGED = """
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_nested_statements = on;
DELETE FROM parent WHERE a = 1;
UPDATE parent SET a = 7 WHERE a = 2;
"""


def bare(sql: str) -> str:
    """The statement without quotes, schema qualification of operators, and layout."""
    sql = sql.replace("OPERATOR(pg_catalog.=)", "=").replace('"', "").replace("public.", "")
    return re.sub(r"\s+", " ", sql).strip().rstrip(";")


def ours(sql: str) -> str:
    """Our statement as bare as theirs: ri_triggers.c gives no alias where it changes rows."""
    aliased = bare(sql)
    return aliased if aliased.startswith("SELECT") else aliased.replace(" x WHERE", " WHERE").replace(" x SET", " SET")


@pytest.mark.pg(">= 12")
def test_the_hidden_queries_are_the_triggers_own(database: str, server: pg.Server) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute(SCHEMA)
        db.execute(LOGGED)
    with pg.session(database, purpose="test") as session:
        profile = catalog.pull(session, values=Values.ALL)
    logged = {
        bare(line.split("Query Text: ")[1]) for line in server.log_tail(400).splitlines() if "Query Text: " in line
    }
    parent = RelationName(schema="public", name="parent")
    changes = (
        Change(relation=parent, operation="delete", rows=1),
        Change(relation=parent, operation="update", rows=1, columns=frozenset({"a"})),
    )
    expected = {without_alias(ours(h.query.text)) for c in changes for h in hidden(c, profile, Site(source="t"))}
    assert len(expected) == 6
    assert expected <= {without_alias(sql) for sql in logged}


def without_alias(sql: str) -> str:
    return re.sub(r"\bx\.(?=[xy]\b)", "", sql)
