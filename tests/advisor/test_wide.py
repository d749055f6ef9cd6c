"""Which keys are suspected of values that a B-tree does not take."""

from __future__ import annotations

import pytest

from premortem.advisor.wants import Operand
from premortem.advisor.wide import caution, has_long_key, may_be_too_long
from premortem.model import Column, ColumnStatistics, IndexCandidate, IndexKey, RelationKind, Table


def table(
    *, toast_bytes: int = 0, type_name: str = "text", width: int = 20, seen: tuple[str, ...] | None = None
) -> Table:
    statistics = ColumnStatistics(null_fraction=0, average_width=width, n_distinct=-1, histogram_bounds=seen)
    note = Column(name="note", number=1, type=type_name, statistics=(statistics,))
    return Table(
        schema="public", name="t", kind=RelationKind.TABLE, columns=(note,), pages=10_000, relation_pages=10_000,
        tuples=100_000, toast_bytes=toast_bytes,
    )  # fmt: skip


SHORT = ("a" * 15, "b" * 15, "c" * 16)
MANY = tuple(f"{n:019}" for n in range(100))
NOTE = Operand(column="note", columns=("note",))


@pytest.mark.parametrize(
    ("of", "suspected"),
    [
        (table(seen=SHORT), False),
        (table(seen=SHORT, toast_bytes=50_000_000), False),
        (table(seen=(*SHORT, "x" * 1001)), True),
        (table(seen=SHORT, width=450), True),
        (table(seen=SHORT, width=60, toast_bytes=50_000_000), True),
        (table(seen=SHORT, width=60), False),
        (table(seen=(*SHORT, "x" * 500), toast_bytes=8192), True),
        (table(seen=MANY, width=20, toast_bytes=50_000_000), False),
        (table(seen=MANY, width=25, toast_bytes=50_000_000), True),
        (table(seen=MANY, width=25), False),
        (table(seen=MANY, width=25, toast_bytes=50_000_000, type_name="jsonb"), False),
        (table(seen=None, width=18, toast_bytes=50_000_000), True),
        (table(seen=None, width=18), False),
        (table(seen=(*SHORT, "x" * 600), type_name="character varying(600)", toast_bytes=8192), False),
        (table(seen=(*SHORT, "x" * 1001), type_name="character varying(4000)"), True),
        (table(seen=("1", "2"), type_name="bigint", toast_bytes=50_000_000), False),
    ],
)
def test_a_long_value_is_suspected_by_what_was_seen_of_it(of: Table, suspected: bool) -> None:
    assert may_be_too_long(NOTE, of) is suspected


@pytest.mark.parametrize(
    ("expression", "suspected"),
    [("lower(note)", True), ("md5(note)", False), ("length(note)", False), ('"left"(note, 20)', False),
     ("(note)::date", False), ("(note ->> 'ref'::text)", False), ("(note || 'x'::text)", True)],
)  # fmt: skip
def test_an_expression_is_as_long_as_its_column_but_where_it_shortens(expression: str, suspected: bool) -> None:
    of = table(seen=(*SHORT, "x" * 1001))
    assert may_be_too_long(Operand(expression=expression, columns=("note",)), of) is suspected
    candidate = IndexCandidate(table=of.relation, keys=(IndexKey(expression=expression),))
    assert has_long_key(candidate, of) is suspected


def test_other_methods_take_long_values_and_included_columns_are_as_long_as_keys() -> None:
    of = table(seen=(*SHORT, "x" * 1001))
    assert not has_long_key(IndexCandidate(table=of.relation, keys=(IndexKey(column="note"),), method="hash"), of)
    assert has_long_key(IndexCandidate(table=of.relation, keys=(IndexKey(column="id"),), include=("note",)), of)


def test_where_nobody_knows_the_longest_value_the_risk_is_said() -> None:
    candidate = IndexCandidate(table=table().relation, keys=(IndexKey(column="note"),))
    says = caution(candidate, table(toast_bytes=8192))
    assert says is not None
    assert "note passes 2,704 bytes" in says
    assert caution(candidate, table()) is None
    assert caution(candidate, table(type_name="integer", toast_bytes=8192)) is None
