"""What production's rows refuse: each statement is judged, and then run on the very rows that were judged."""

from __future__ import annotations

import pytest

from premortem import catalog, pg
from premortem.errors import StatementError
from premortem.model import Values

from .conftest import Judge, by_line

ROWS = """
CREATE TABLE parcels (id bigint PRIMARY KEY, code text, depot int, weight int, label text, sent date);
INSERT INTO parcels SELECT i, 'P' || i, i % 40, CASE WHEN i % 3 > 0 THEN i % 7 END, 'L' || i % 9000, '2026-01-01'
    FROM generate_series(1, 20000) i;
ANALYZE parcels
"""
#: A statement, and whether production's rows refuse it.
STATEMENTS = (
    ("ALTER TABLE parcels ALTER COLUMN weight SET NOT NULL", True),
    ("ALTER TABLE parcels ALTER COLUMN depot SET NOT NULL", False),
    ("CREATE UNIQUE INDEX by_depot ON parcels (depot)", True),
    ("CREATE UNIQUE INDEX by_code ON parcels (code)", False),
    ("CREATE UNIQUE INDEX ON parcels (depot, sent)", True),
    ("CREATE UNIQUE INDEX by_depot_and_code ON parcels (depot, code)", False),
    ("CREATE UNIQUE INDEX by_few ON parcels (depot) WHERE id < 41", False),
    ("ALTER TABLE parcels ADD CONSTRAINT one_label UNIQUE (label)", True),
    ("ALTER TABLE parcels ADD CONSTRAINT one_code UNIQUE (code)", False),
    ("CREATE UNIQUE INDEX CONCURRENTLY by_weight ON parcels (weight)", True),
)


def test_what_rows_refuse_is_told_and_nothing_else(judge: Judge, database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        for statement in ROWS.split(";\n"):
            db.execute(statement)
    with pg.session(database, purpose="test") as session:
        profile = catalog.pull(session, values=Values.NONE)
    for sql, is_refused in STATEMENTS:
        found = by_line(judge(f"{sql};\n", profile=profile)).get(1, {})
        assert ("refused-by-rows" in found) == is_refused, sql
        with pg.writer(database, purpose="test") as db:
            if is_refused:
                with pytest.raises(StatementError):
                    db.execute(sql)
            else:
                db.execute(sql)


def test_what_the_change_mends_first_is_left_alone(judge: Judge, database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        for statement in ROWS.split(";\n"):
            db.execute(statement)
    with pg.session(database, purpose="test") as session:
        profile = catalog.pull(session, values=Values.ALL)
    mended = (
        "UPDATE parcels SET weight = 0 WHERE weight IS NULL;\nALTER TABLE parcels ALTER COLUMN weight SET NOT NULL;\n"
    )
    assert not [
        f for rules in by_line(judge(mended, profile=profile)).values() for f in rules if f == "refused-by-rows"
    ]
