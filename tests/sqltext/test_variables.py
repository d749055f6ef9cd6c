"""A function's variables are told from columns by the schema, and become parameters."""

# ruff: noqa: E501 - in a table, an example is a line

from __future__ import annotations

import pytest

from premortem import sqltext

TABLES = {"t": {"a", "b", "x"}, "u": {"id", "name"}}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select count(*) from t where t.a < n", "select count(*) from t where t.a < $1"),
        ("select * from t, u where u.id = t.a and name = new.name and a = p", "select * from t, u where u.id = t.a and name = $1 and a = $2"),
        ("insert into t (a) values (n) on conflict (a) do update set b = excluded.b", "insert into t (a) values ($1) on conflict (a) do update set b = excluded.b"),
        ("update t set a = v where b = v returning a", "update t set a = $1 where b = $1 returning a"),
        ("with c as (select a as k from t) select k from c where k > q order by k", "with c as (select a as k from t) select k from c where k > $1 order by k"),
        ("select g from generate_series(1, n) g", "select g from generate_series(1, $1) g"),
        ("select s.y from (select a, x + 1 as y from t) s where y = z and s.a = 1", "select s.y from (select a, x + 1 as y from t) s where y = $1 and s.a = 1"),
        ("delete from t where b = é and a = $1", "delete from t where b = $2 and a = $1"),
        ("(select x from t where a = wanted limit $2)", "(select x from t where a = $1 limit $2)"),
        ("select a from t where ctid = '(0,1)'", None),
        ("select a from missing where b = n", None),
        ("select * from t where a = 1", None),
    ],
)  # fmt: skip
def test_variables(sql: str, expected: str | None) -> None:
    assert sqltext.without_variables(sql, lambda table: TABLES.get(table.name)) == expected
