"""A file that sets its search path means its own tables, and nobody else's."""

from __future__ import annotations

import pytest

from premortem import sources
from premortem.model import Query, Site, StatementKind


def paths(sql: str) -> list[tuple[str, ...] | None]:
    found = sources.text(sql, Site(source="q.sql", line=1))
    assert all(isinstance(q, Query) for q in found)
    return [q.search_path for q in found if isinstance(q, Query) and q.kind is not StatementKind.UTILITY]


def test_a_path_holds_until_the_next_one() -> None:
    sql = """
        select 1; set search_path = b; select 2;
        SET SESSION search_path TO "A,""b", 'c', D; select 3;
        reset search_path; select 4"""
    assert paths(sql) == [None, ("b",), ('A,"b', "c", "d"), None]


@pytest.mark.parametrize(
    "other", ["set work_mem = '1MB'", "set local search_path = b", "begin", "set search_path to default"]
)
def test_what_sets_no_path(other: str) -> None:
    assert paths(f"{other}; select 1") == [None]


def test_another_setting_leaves_the_path() -> None:
    assert paths("set search_path to b; set work_mem = '1MB'; select 1") == [("b",)]
