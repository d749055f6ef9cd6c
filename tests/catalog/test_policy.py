"""Which columns' values leave production as they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from premortem.catalog.kinds import Kind, Shape, TypeRow, Wrap, shape
from premortem.catalog.policy import passing
from premortem.model import Column, ColumnStatistics, Constraint, ConstraintKind, RelationKind, RelationName, Table

FEW = ColumnStatistics(null_fraction=0, average_width=4, n_distinct=3, most_common_values=("a", "b", "c"),
                       most_common_frequencies=(0.5, 0.3, 0.2))  # fmt: skip
MANY = replace(FEW, n_distinct=4000, histogram_bounds=("d", "e"))
UNIQUE = replace(FEW, n_distinct=-1, most_common_values=None, most_common_frequencies=None, histogram_bounds=("1", "9"))
TYPES = {
    "s.mood": TypeRow(name="s.mood", kind="e", base=None),
    "s.code": TypeRow(name="s.code", kind="d", base="character varying"),
    "s.spread": TypeRow(name="s.spread", kind="r", base="double precision"),
}


def column(name: str, type_name: str = "text", *statistics: ColumnStatistics) -> Column:
    return Column(name=name, number=1, type=type_name, statistics=statistics)


def table(name: str, *columns: Column, rows: float = 1e6) -> Table:
    return Table(schema="public", name=name, kind=RelationKind.TABLE, columns=columns, pages=10, relation_pages=10,
                 tuples=rows)  # fmt: skip


def passes(*tables: Table) -> set[str]:
    return {f"{relation.name}.{name}" for relation, name in passing(tables, TYPES)}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (column("status", "text", FEW), True),
        (column("status", "integer", FEW), True),
        (column("status", "text", FEW, replace(FEW, inherited=True)), True),
        (column("status", "text", FEW, replace(MANY, inherited=True)), False),
        (column("status", "text", MANY), False),
        (column("status", "text", replace(FEW, n_distinct=51)), False),
        (column("status", "text", replace(FEW, n_distinct=-0.001)), False),
        (column("status", "text", replace(FEW, most_common_values=("x" * 41,))), False),
        (column("status", "text", replace(FEW, histogram_bounds=("d", "e"))), False),
        (column("first_name", "text", FEW), False),
        (column("billingAddress", "text", FEW), False),
        (column("email", "s.mood", FEW), True),
        (column("is_open", "boolean", FEW), True),
        (column("mood", "s.mood", MANY), True),
        (column("created_at", "timestamp(3) with time zone", MANY), True),
        (column("birth_date", "date", MANY), False),
        (column("tags", "text[]", replace(MANY, most_common_elements=("a", "b"))), True),
        (column("tags", "text[]", replace(MANY, most_common_elements=tuple(map(str, range(60))))), False),
        (column("status", "text"), False),
    ],
)
def test_status_like_columns_pass(one: Column, expected: bool) -> None:
    assert passes(table("t", one)) == ({f"t.{one.name}"} if expected else set())


def references(child: Table, columns: tuple[str, ...], parent: Table, referenced: tuple[str, ...]) -> Table:
    key = Constraint(name="fk", kind=ConstraintKind.FOREIGN_KEY, definition="", columns=columns,
                     references=parent.relation, referenced_columns=referenced)  # fmt: skip
    return replace(child, constraints=(key,))


def test_a_key_passes_with_what_refers_to_it_only_if_it_has_few_values_too() -> None:
    statuses = table("statuses", column("id", "integer", UNIQUE), rows=5)
    orders = references(table("orders", column("status_id", "integer", FEW)), ("status_id",), statuses, ("id",))
    assert passes(statuses, orders) == {"statuses.id", "orders.status_id"}
    tenants = replace(statuses, tuples=10_000.0)
    assert passes(tenants, orders) == set()


def test_partitions_are_judged_with_their_parent() -> None:
    parent = table("p", column("status", "text", replace(FEW, inherited=True)))
    small = replace(table("p1", column("status", "text", UNIQUE), rows=4), parents=(parent.relation,))
    assert passes(parent, small) == {"p.status", "p1.status"}
    assert passes(replace(parent, columns=(column("status", "text", replace(MANY, inherited=True)),)), small) == set()


def test_values_that_decide_a_partition_pass_as_their_bounds_are_in_the_schema() -> None:
    parent = table("p", column("tenant_id", "bigint", replace(MANY, inherited=True)))
    assert passes(replace(parent, partition_key="LIST (tenant_id)")) == {"p.tenant_id"}
    assert passes(replace(parent, partition_key="HASH (tenant_id)")) == set()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("numeric(10,2)", Shape(kind=Kind.NUMBER)),
        ("numeric(10,-2)[]", Shape(kind=Kind.NUMBER, wrap=Wrap.ARRAY)),
        ("timestamp(3) without time zone", Shape(kind=Kind.TIME, is_moment=True)),
        ("s.code", Shape(kind=Kind.TEXT)),
        ("s.code[]", Shape(kind=Kind.TEXT, wrap=Wrap.ARRAY)),
        ("s.spread", Shape(kind=Kind.NUMBER, wrap=Wrap.RANGE)),
        ("int8multirange", Shape(kind=Kind.NUMBER, wrap=Wrap.RANGE, limit=2**63 - 1)),
        ("int4range[]", Shape(kind=Kind.OPAQUE)),
        ("public.citext", Shape(kind=Kind.TEXT)),
        ("public.geometry(Point,4326)", Shape(kind=Kind.OPAQUE)),
    ],
)
def test_types_are_told_apart(name: str, expected: Shape) -> None:
    assert shape(name, TYPES) == expected


def test_relation_names_with_equal_names_in_two_schemas_are_two() -> None:
    one, other = table("t", column("a", "text", FEW)), replace(table("t", column("a", "text", MANY)), schema="s2")
    assert passing((one, other), TYPES) == {(RelationName(schema="public", name="t"), "a")}
