"""Profiles and plans to judge, made by hand."""

from __future__ import annotations

from datetime import UTC, datetime

from premortem.model import (
    Column,
    Constraint,
    ConstraintKind,
    Finding,
    Json,
    ParameterSet,
    Planned,
    Profile,
    RelationKind,
    RelationName,
    ServerFacts,
    Severity,
    Site,
    Table,
    Values,
)
from premortem.plans import parse_json

SITE = Site(source="q.sql", line=1)
SERVER = ServerFacts(version_num=150018, version="15.18", database="shop", encoding="UTF8", collate="C", ctype="C")


def name(table: str, schema: str = "public") -> RelationName:
    return RelationName(schema=schema, name=table)


def column(column_name: str, number: int = 1, kind: str = "bigint") -> Column:
    return Column(name=column_name, number=number, type=kind)


def table(
    table_name: str,
    *columns: Column,
    foreign_keys: tuple[Constraint, ...] = (),
    kind: RelationKind = RelationKind.TABLE,
    parents: tuple[RelationName, ...] = (),
) -> Table:
    return Table(
        schema="public",
        name=table_name,
        kind=kind,
        columns=columns,
        constraints=foreign_keys,
        parents=parents,
        pages=20_000,
        relation_pages=20_000,
        tuples=2_000_000,
    )


def foreign_key(
    constraint: str,
    columns: tuple[str, ...],
    parent: str,
    referenced: tuple[str, ...] = ("id",),
    *,
    on_delete: str = "no action",
    on_update: str = "no action",
    inherited_from: str | None = None,
) -> Constraint:
    return Constraint(
        name=constraint,
        kind=ConstraintKind.FOREIGN_KEY,
        definition="",
        columns=columns,
        references=name(parent),
        referenced_columns=referenced,
        on_delete=on_delete,
        on_update=on_update,
        inherited_from=inherited_from,
    )


def profile(*tables: Table) -> Profile:
    return Profile(taken_at=datetime(2026, 4, 6, tzinfo=UTC), server=SERVER, values=Values.ALL, tables=tables)


def node(
    kind: str, cost: float, relation: str | None = None, *children: dict[str, Json], **more: Json
) -> dict[str, Json]:
    made: dict[str, Json] = {"Node Type": kind, "Total Cost": cost, "Plan Rows": 10}
    if relation is not None:
        made |= {"Relation Name": relation, "Schema": "public", "Alias": relation}
    return made | ({"Plans": list(children)} if children else {}) | more


def planned(set_name: str, root: dict[str, Json]) -> Planned:
    return Planned(parameters=ParameterSet(name=set_name), plan=parse_json([{"Plan": root}]), json=root)


def finding(
    rule: str = "seq-scan-discards-rows",
    severity: Severity = Severity.ERROR,
    key: str | None = None,
    relation: str = "items",
    says: str = "reads 2,000,000 rows of items to keep 12",
) -> Finding:
    return Finding(
        rule=rule, severity=severity, says=says, key=key or f"{rule}:public.{relation}", table=name(relation)
    )
