"""Sizes of indexes that do not exist yet, against the same indexes built."""

from __future__ import annotations

import pytest

from premortem import advisor, pg
from premortem.model import IndexCandidate, IndexKey, RelationName

from .conftest import Shop

SHAPES = [
    ("orders", ("customer_id",), (), None),
    ("orders", ("status",), (), None),
    ("orders", ("customer_id", "placed"), (), None),
    ("orders", ("email",), (), None),
    ("orders", ("name", "status"), (), None),
    ("orders", ("total",), (), None),
    ("orders", ("stage", "region"), (), None),
    ("orders", ("deleted_at",), (), None),
    ("orders", ("customer_id",), ("total",), None),
    ("orders", ("placed",), (), "deleted_at IS NOT NULL"),
    ("orders", ("customer_id",), (), "status = 'open'"),
    ("order_items", ("product_sku", "status"), (), None),
    ("messages", ("tenant_id", "channel_id", "created_at"), (), None),
]


@pytest.mark.parametrize(("table", "columns", "include", "predicate"), SHAPES)
def test_a_btree_is_estimated_within_a_quarter(
    shop: Shop, table: str, columns: tuple[str, ...], include: tuple[str, ...], predicate: str | None
) -> None:
    candidate = IndexCandidate(
        table=RelationName(schema="public", name=table),
        keys=tuple(IndexKey(column=c) for c in columns),
        include=include,
        predicate=predicate,
    )
    with pg.writer(shop.server, purpose="test", database="shop") as db, db.rolled_back():
        db.execute(candidate.create_sql("measured", concurrently=False))
        built = int(str(db.value("SELECT pg_relation_size('public.measured') / 8192")))
    found = shop.profile.table(candidate.table)
    assert found is not None
    estimated = advisor.index_size(candidate, found)
    assert built * 0.75 - 2 <= estimated.pages <= built * 1.25 + 2
    assert estimated.bytes == estimated.pages * 8192
