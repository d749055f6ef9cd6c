"""Statements that find values for others, tried as text; whether they are true is seen in `test_check`."""

from __future__ import annotations

import pytest

from premortem import sqltext
from premortem.sqltext import TableName

ASKED = [
    ("SELECT * FROM t WHERE a = $1 AND b > $2", (1,), ["a::text", "a IS NOT NULL"]),
    ("SELECT * FROM t JOIN u ON t.id = u.t WHERE u.x = $2 AND t.y = $1 AND t.gone IS NULL", (1, 2), ["t.gone IS NULL"]),
    ("UPDATE t SET a = $1 WHERE b = $2", (2,), ["b::text"]),
    ("DELETE FROM t USING u WHERE t.id = u.id AND u.c = $1", (1,), ["u.c::text", "t.id = u.id"]),
    ("SELECT 1 FROM t WHERE x IN ($1, $2) AND y = ANY($3::int[])", (1, 3), ["x::text", "y::text"]),
    ("SELECT 1 FROM t WHERE $1 = a", (1,), ["a::text"]),
]


@pytest.mark.parametrize(("sql", "parameters", "parts"), ASKED)
def test_values_are_looked_for_where_columns_are_compared(
    sql: str, parameters: tuple[int, ...], parts: list[str]
) -> None:
    found = sqltext.row_query(sql, sampled=TableName(None, "t"), percent=2, seed=1, most=9)
    assert found is not None
    assert found.parameters == parameters
    assert all(part in found.text for part in parts)
    assert "TABLESAMPLE" in found.text
    assert "$" not in found.text


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM t WHERE a > $1",
        "SELECT 1 FROM t WHERE a = $1 OR b = $2",
        "INSERT INTO t VALUES ($1)",
        "WITH x AS (SELECT 1) SELECT * FROM x WHERE a = $1",
        "SELECT 1 FROM f($1) AS t WHERE t.a = $2",
        "SELECT 1 FROM t WHERE a = $1 UNION SELECT 1 FROM t WHERE a = $2",
    ],
)
def test_where_rows_cannot_tell_nobody_asks(sql: str) -> None:
    assert sqltext.row_query(sql, sampled=None, percent=100, seed=1, most=9) is None
