"""A literal on a column of pseudonyms is said, for it is planned as a rare value."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from premortem.check import pseudonyms
from premortem.model import (
    Column,
    ColumnStatistics,
    Node,
    Plan,
    Profile,
    RelationKind,
    RelationName,
    ServerFacts,
    Table,
    Values,
)


def profile(*, hidden: bool) -> Profile:
    statistics = ColumnStatistics(null_fraction=0, average_width=8, n_distinct=80, pseudonyms=hidden)
    column = Column(name="kind", number=1, type="text", statistics=(statistics,))
    server = ServerFacts(version_num=180006, version="18.6", database="d", encoding="UTF8", collate="C", ctype="C")
    table = Table(schema="public", name="jobs", kind=RelationKind.TABLE, columns=(column,))
    taken = datetime(2026, 1, 1, tzinfo=UTC)
    return Profile(taken_at=taken, server=server, values=Values.LOW_CARDINALITY, tables=(table,))


def plan(condition: str) -> Plan:
    relation = RelationName(schema="public", name="jobs")
    return Plan(root=Node(kind="Seq Scan", relation=relation, alias="jobs", filter=condition))


@pytest.mark.parametrize(
    ("condition", "hidden", "told"),
    [
        ("(jobs.kind = 'invoice'::text)", True, ["values of jobs.kind"]),
        ("(jobs.kind = ANY ('{invoice,refund}'::text[]))", True, ["values of jobs.kind"]),
        ("(jobs.kind = 'invoice'::text)", False, []),
        ("(jobs.kind = $1)", True, []),
        ("(jobs.kind IS NOT NULL)", True, []),
    ],
)
def test_literals_on_pseudonyms_are_said(condition: str, hidden: bool, told: list[str]) -> None:
    assert [g.subject for g in pseudonyms.gaps(plan(condition), profile(hidden=hidden))] == told
