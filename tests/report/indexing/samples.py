"""Answers on indexes to render: everything in it, nothing to do, asked about one, and a hostile one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from premortem.model import (
    Certainty,
    Declined,
    Drop,
    DropKind,
    Effort,
    Explained,
    FrontierPoint,
    Gain,
    IndexCandidate,
    Indexing,
    IndexKey,
    Kept,
    Query,
    Recommendation,
    RelationName,
    Site,
    Standing,
    Unreadable,
    Upkeep,
)
from tests.report.reports import EVIL, FACTS, GAP, ITEMS

ORDERS = RelationName(schema="public", name="orders")
BY_SKU = Query(
    text="select * from order_items where product_sku = $1 and status = $2",
    original="select * from order_items where product_sku = $1 and status = $2",
    fingerprint="aa",
    site=Site(source="pg_stat_statements", name="-8273645"),
    calls_per_second=35.0,
    mean_time=timedelta(milliseconds=14),
)
OPEN = Query(
    text="select id from orders where status = 'open' order by created_at limit 20",
    original="select id from orders where status = 'open' order by created_at limit 20",
    fingerprint="bb",
    site=Site(source="queries/orders.sql", line=7, name="open_orders"),
)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ON_SKU = IndexCandidate(table=ITEMS, keys=(IndexKey(column="product_sku"), IndexKey(column="status")))
ON_OPEN = IndexCandidate(
    table=ORDERS, keys=(IndexKey(column="created_at"),), include=("id",), predicate="status = 'open'"
)
PAID = Upkeep(
    entries=86_400,
    wal_bytes=6_912_000,
    time=timedelta(seconds=9),
    lost_hot_updates=1200,
    vacuum=timedelta(seconds=1),
    source="pg_stat_user_tables over 12 days",
)


def gain(query: Query, before: timedelta, after: timedelta, share: float = 1.0) -> Gain:
    return Gain(query=query, before_cost=43_210, after_cost=8.57, before=before, after=after, share=share)


SKU = Recommendation(
    candidate=ON_SKU,
    name="order_items_product_sku_status_idx",
    size_bytes=14 << 20,
    build_time=timedelta(seconds=2.1),
    lock="SHARE UPDATE EXCLUSIVE, which lets reads and writes go on (it waits)",
    upkeep=PAID,
    gains=(gain(BY_SKU, 12 * HOUR, MINUTE, 0.6),),
    saves=7 * HOUR,
    share=0.92,
    adds=11 * HOUR,
    enters_at=14 << 20,
    replaces=(RelationName(schema="public", name="order_items_product_sku_idx"),),
    notes=("built on the mirror: 13 MB in 2.0 s",),
    statements=(
        "CREATE INDEX CONCURRENTLY order_items_product_sku_status_idx ON public.order_items (product_sku, status);",
    ),
    undo_statements=("DROP INDEX CONCURRENTLY IF EXISTS public.order_items_product_sku_status_idx;",),
    drop_statements=("DROP INDEX CONCURRENTLY public.order_items_product_sku_idx;",),
    restore_statements=(
        "CREATE INDEX CONCURRENTLY order_items_product_sku_idx ON public.order_items USING btree (product_sku);",
    ),
)
OPENED = Recommendation(
    candidate=ON_OPEN,
    name="orders_created_at_partial_idx",
    size_bytes=48 << 10,
    build_time=timedelta(seconds=0.4),
    lock="SHARE UPDATE EXCLUSIVE, which lets reads and writes go on (it waits)",
    upkeep=Upkeep(),
    gains=(gain(OPEN, HOUR, timedelta(seconds=1)),),
    saves=HOUR,
    share=0.08,
    adds=HOUR,
    statements=(
        "CREATE INDEX CONCURRENTLY orders_created_at_partial_idx"
        " ON public.orders (created_at) INCLUDE (id) WHERE status = 'open';",
    ),
    undo_statements=("DROP INDEX CONCURRENTLY IF EXISTS public.orders_created_at_partial_idx;",),
)
OLD = Drop(
    index=RelationName(schema="public", name="orders_old_idx"),
    table=ORDERS,
    kind=DropKind.REDUNDANT,
    size_bytes=22 << 20,
    says="orders_customer_id_status_idx begins with the same columns",
    proof="planned without it, none of 2 queries gets dearer",
    upkeep=PAID,
    instead="orders_customer_id_status_idx",
    caution=("a standby's queries are not in this workload",),
    statements=("DROP INDEX CONCURRENTLY public.orders_old_idx;",),
    undo_statements=("CREATE INDEX CONCURRENTLY orders_old_idx ON public.orders USING btree (customer_id);",),
)


def point(size: int, cost: float, *, indexes: int, chosen: bool = False) -> FrontierPoint:
    reads = timedelta(hours=13 * cost)
    return FrontierPoint(
        size_bytes=size,
        reads=reads,
        upkeep=timedelta(seconds=indexes),
        relative_cost=cost,
        indexes=tuple(f"t (c{n})" for n in range(indexes)),
        added=(f"t (c{indexes - 1})",) if indexes else (),
        chosen=chosen,
    )


FRONTIER = (
    point(0, 1.0, indexes=0),
    point(48 << 10, 0.9, indexes=1),
    point((14 << 20) + (48 << 10), 0.08, indexes=2, chosen=True),
    point(310 << 20, 0.05, indexes=3),
)
EVERYTHING = Indexing(
    recommendations=(SKU, OPENED),
    drops=(OLD,),
    kept=(
        Kept(
            index=RelationName(schema="public", name="orders_status_idx"),
            table=ORDERS,
            says="a query would cost more without it",
        ),
    ),
    frontier=FRONTIER,
    declined=(
        Declined(
            candidate=replace(ON_SKU, keys=ON_SKU.keys[::-1]), reason="another order of the same columns serves more"
        ),
    ),
    unreadable=(
        Unreadable(original="selec 1", site=Site(source="a.sql", line=2), says='syntax error at or near "selec"'),
    ),
    gaps=(GAP,),
    before=13 * HOUR,
    after=HOUR,
    upkeep=timedelta(seconds=9),
    relative_cost=0.08,
    measured=0.92,
    budget_bytes=100 << 20,
    workload="2 queries of pg_stat_statements over 12 days",
    hints=("orders was never analyzed",),
    lies=("with t (c1), it got slower",),
    certainty=Certainty.PLANNED,
    facts=FACTS,
    effort=Effort(demands=2, candidates=31, asked=120, inferred=417, seconds=3.4),
)
NOTHING = Indexing(
    before=HOUR,
    after=HOUR,
    workload="1 query, one call a day each",
    is_counted=False,
    facts=FACTS,
    effort=Effort(demands=1, candidates=4, asked=9, seconds=0.5, finished=False),
)
ASKED = replace(
    EVERYTHING,
    asked=(
        Explained(
            candidate=replace(ON_SKU, keys=(IndexKey(column="status"),)),
            name="order_items_status_idx",
            standing=Standing.DECLINED,
            says="saves nothing beside order_items (product_sku, status)",
            size_bytes=9 << 20,
            build_time=timedelta(seconds=1),
            upkeep=PAID,
            alone=(gain(BY_SKU, 12 * HOUR, 11 * HOUR),),
            readers=2,
            better=("order_items_product_sku_status_idx",),
            reasons=("it would do the work of an old one",),
            statements=("CREATE INDEX CONCURRENTLY order_items_status_idx ON public.order_items (status);",),
        ),
        Explained(
            candidate=ON_OPEN, name="", standing=Standing.REFUSED, says="PostgreSQL refuses it: must be immutable"
        ),
    ),
)
_BAD = RelationName(schema="public", name=EVIL)
_HOSTILE_QUERY = replace(BY_SKU, text=f"select {EVIL}", site=Site(source=EVIL, line=1, name=EVIL))
HOSTILE = replace(
    EVERYTHING,
    recommendations=(
        replace(
            SKU,
            candidate=replace(ON_SKU, table=_BAD, predicate=EVIL),
            name=EVIL,
            notes=(EVIL,),
            lock=EVIL,
            undo_statements=(f'DROP INDEX "{EVIL}";',),
            gains=(gain(_HOSTILE_QUERY, HOUR, MINUTE),),
            replaces=(_BAD,),
        ),
    ),
    drops=(replace(OLD, index=_BAD, says=EVIL, proof=EVIL, caution=(EVIL,)),),
    kept=(Kept(index=_BAD, table=_BAD, says=EVIL),),
    declined=(Declined(candidate=replace(ON_SKU, table=_BAD), reason=EVIL),),
    frontier=(replace(FRONTIER[0], added=(EVIL,)), replace(FRONTIER[2], added=(EVIL,), indexes=(EVIL,))),
    workload=EVIL,
    hints=(EVIL,),
    lies=(EVIL,),
    facts=replace(FACTS, profile_name=EVIL),
)
SAMPLES = {"everything": EVERYTHING, "nothing": NOTHING, "asked": ASKED, "hostile": HOSTILE}
