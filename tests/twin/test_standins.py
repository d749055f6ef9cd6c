"""A type that the twin cannot have costs the queries that use it, not the table."""

from __future__ import annotations

from collections.abc import Callable

from premortem import twin
from premortem.model import Profile
from tests.twin.conftest import query

HOW = "LANGUAGE internal IMMUTABLE STRICT AS"
SCRIPT = f"""
CREATE TYPE odd;
CREATE FUNCTION odd_in(cstring) RETURNS odd {HOW} 'textin';
CREATE FUNCTION odd_out(odd) RETURNS cstring {HOW} 'textout';
CREATE TYPE odd (INPUT = odd_in, OUTPUT = odd_out, LIKE = text);
CREATE TABLE places (id int PRIMARY KEY, at odd, k int);
INSERT INTO places SELECT i, 'x', i % 900 FROM generate_series(1, 9000) i;
CREATE TABLE visits (id int PRIMARY KEY, place places)
"""


def test_a_type_written_in_c_is_stood_in_for(
    production: Callable[[str], Profile], opened: Callable[..., twin.Twin]
) -> None:
    here = opened(production(SCRIPT))
    assert here.explain(query("select at from places where k = 3")).plan.root.rows == 10
    assert here.explain(query("select (place).k from visits")).plan.root.kind == "Seq Scan"
    assert any(g.subject == "type public.odd" for g in here.gaps)
    assert not any(g.subject.startswith("table ") and "created" in g.says for g in here.gaps)
