"""Which other access methods are offered, told from statistics alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from premortem.advisor.methods import special, summaries
from premortem.advisor.wants import Operand, Term, Use, Want
from premortem.model import (
    Column,
    ColumnStatistics,
    Extension,
    Profile,
    RelationKind,
    ServerFacts,
    Table,
    Values,
)

SERVER = ServerFacts(version_num=150_018, version="15.18", database="d", encoding="UTF8", collate="C", ctype="C")


def column(name: str, type_name: str, *, correlation: float = 0.0, n_distinct: float = -1, width: int = 8) -> Column:
    statistics = ColumnStatistics(
        null_fraction=0, average_width=width, n_distinct=n_distinct, correlation=correlation,
        histogram_bounds=tuple(str(n) for n in range(0, 1001, 10)),
    )  # fmt: skip
    return Column(name=name, number=1, type=type_name, statistics=(statistics,))


def table(*columns: Column, pages: int = 50_000, toast_bytes: int = 0) -> Table:
    return Table(
        schema="public", name="t", kind=RelationKind.TABLE, columns=columns, pages=pages, relation_pages=pages,
        tuples=pages * 60.0, toast_bytes=toast_bytes,
    )  # fmt: skip


def profile(*extensions: str) -> Profile:
    installed = tuple(Extension(name=name, version="1", schema="public") for name in extensions)
    return Profile(taken_at=datetime(2026, 1, 1, tzinfo=UTC), server=SERVER, values=Values.ALL, extensions=installed)


def term(name: str, use: Use, operator: str = "=", **more: object) -> Term:
    return Term(operand=Operand(column=name, columns=(name,)), use=use, operator=operator, **more)  # type: ignore[arg-type]


def offered(of: Table, *terms: Term, extensions: tuple[str, ...] = (), alternatives: bool = True) -> list[str]:
    want = Want(table=of, alias="t", terms=terms)
    found = (*special(want, profile(*extensions), alternatives=alternatives), *summaries(want))
    return list(dict.fromkeys(c.definition for c in found))


@pytest.mark.parametrize(
    ("at", "pages", "is_offered"),
    [
        (column("at", "timestamp without time zone", correlation=0.99), 50_000, True),
        (column("at", "bigint", correlation=-0.97), 50_000, True),
        (column("at", "bigint", correlation=0.90), 50_000, False),
        (column("at", "bigint", correlation=0.99), 5_000, False),
        (column("at", "integer", correlation=0.99, n_distinct=4), 50_000, False),
    ],
)
def test_a_summary_is_offered_where_a_large_table_lies_in_the_columns_order(
    at: Column, pages: int, is_offered: bool
) -> None:
    found = offered(table(at, pages=pages), term("at", Use.RANGE, ">"))
    assert found == (["t USING brin (at)"] if is_offered else [])


def test_a_hash_is_offered_for_equality_of_long_values_and_for_nothing_else() -> None:
    of = table(column("url", "text", width=500), column("n", "integer"))
    assert offered(of, term("url", Use.EQUAL)) == ["t USING hash (url)"]
    assert offered(of, term("url", Use.RANGE, ">")) == []
    assert offered(of, term("n", Use.EQUAL)) == []


def test_equalities_stand_before_a_range_where_the_extension_allows_it() -> None:
    of = table(column("room", "integer"), column("during", "tsrange"), column("doc", "jsonb"))
    overlap, room = term("during", Use.OPERATOR, "&&"), term("room", Use.EQUAL)
    assert offered(of, overlap, room, extensions=("btree_gist",)) == [
        "t USING gist (during)", "t USING gist (room, during)", "t USING spgist (during)",
    ]  # fmt: skip
    assert offered(of, overlap, room) == ["t USING gist (during)", "t USING spgist (during)"]
    document = term("doc", Use.OPERATOR, "@>")
    assert "t USING gin (room, doc)" in offered(of, document, room, extensions=("btree_gin",))


def test_the_best_guess_alone_where_nobody_weighs_alternatives() -> None:
    of = table(column("during", "tsrange"), column("host", "inet"))
    found = offered(of, term("during", Use.OPERATOR, "@>"), term("host", Use.OPERATOR, "<<="), alternatives=False)
    assert found == ["t USING gist (during)", "t USING gist (host inet_ops)"]


def test_rows_that_a_rare_constant_marks_are_offered_alone() -> None:
    of = table(column("doc", "jsonb"), column("deleted_at", "timestamp without time zone"))
    missing = term("deleted_at", Use.NOT_NULL, constant=True, text="deleted_at IS NOT NULL", share=0.01)
    found = offered(of, term("doc", Use.OPERATOR, "?"), missing)
    assert found == ["t USING gin (doc)", "t USING gin (doc) WHERE deleted_at IS NOT NULL"]


def test_types_that_no_method_serves_get_nothing() -> None:
    of = table(column("x", "xml"), column("j", "json"), column("b", "bit(8)"))
    assert offered(of, *(term(name, Use.OPERATOR, "@>") for name in "xjb")) == []
