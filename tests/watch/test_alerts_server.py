"""Alerts of a server: pools, connections, transactions, locks, lost indexes, and a server that does not answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from premortem import watch
from premortem.model import AlertKind, Gap, Glance, IndexSeen, Pool, RelationName, Seats, Turn, Unreached, Urgency
from premortem.settings import Instance, Override, Secret
from tests.watch.scene import NOON, Scene, limits, session, turns

SEATS = Seats(
    most=100, reserved=3, taken=20, active=3, idle_in_transaction=0,
    by_application=((("shop", "app", "shop-web"), 15), (("shop", "app", ""), 5)),
)  # fmt: skip
POOL = Pool(
    pooler="pgb-1", database="shop", user="app", mode="transaction", clients_active=3, clients_waiting=5,
    servers_active=3, servers_idle=0, servers_used=0, longest_wait=timedelta(seconds=1.28), size=3,
)  # fmt: skip


def test_a_pool_starves_while_the_database_idles() -> None:
    scene = Scene(seats=SEATS, pools=(POOL,))
    (opened,) = scene.poll()
    assert opened.alert.says == (
        "pool shop/app of pgb-1: 5 clients wait, the longest for 1.3 s; 3 of 3 server connections in use "
        "(pool_size 3), while the server itself has 3 active of 100 connections"
    )
    assert (opened.alert.kind, opened.alert.urgency) == (AlertKind.POOL, Urgency.TICKET)
    (worse,) = scene.poll()
    assert (worse.turn, worse.alert.urgency) == (Turn.WORSE, Urgency.PAGE)
    scene.pools = (replace(POOL, clients_waiting=0, longest_wait=timedelta()),)
    found = [c for _ in range(10) for c in scene.poll()]
    assert turns(found) == [("pool-saturated", "closed")]
    assert "no client waits" in found[0].alert.says


def test_a_long_wait_pages_at_once_and_a_short_one_is_quiet() -> None:
    scene = Scene(pools=(replace(POOL, longest_wait=timedelta(seconds=20)),))
    assert [c.alert.urgency for c in scene.poll()] == [Urgency.PAGE]
    assert Scene(pools=(replace(POOL, longest_wait=timedelta(seconds=0.4)),)).poll() == []
    # Long ago somebody waited: what counts is who waits now.
    assert Scene(pools=(replace(POOL, clients_waiting=0, longest_wait=timedelta(seconds=20)),)).poll() == []


def test_a_pooler_that_cannot_be_read_closes_nothing() -> None:
    scene = Scene(pools=(POOL,))
    scene.poll()
    scene.pools, scene.gaps = (), (Gap(subject="pooler pgb-1", says="pgb-1 did not answer"),)
    assert [c for _ in range(20) for c in scene.poll()] == []
    assert scene.events.count("instance.gap") == 1
    scene.gaps = ()
    assert turns(c for _ in range(20) for c in scene.poll()) == [("pool-saturated", "closed")]


def test_connections_run_out() -> None:
    scene = Scene(seats=replace(SEATS, taken=77))
    assert scene.poll() == []
    scene.seats = replace(SEATS, taken=80)
    (opened,) = scene.poll()
    assert opened.alert.urgency is Urgency.TICKET
    assert opened.alert.says == (
        "80 of 97 connections taken, 82.5 % (limit 80 %): 3 active, 0 idle in transaction; "
        "15 by shop-web on shop and 5 by app on shop"
    )
    scene.seats = replace(SEATS, taken=95)
    assert [(c.turn, c.alert.urgency) for c in scene.poll()] == [(Turn.WORSE, Urgency.PAGE)]
    scene.seats = replace(SEATS, taken=75)
    assert [c for _ in range(20) for c in scene.poll()] == []
    scene.seats = replace(SEATS, taken=40)
    assert turns(c for _ in range(20) for c in scene.poll()) == [("connections-saturated", "closed")]


def ago(scene: Scene, seconds: float) -> dict[str, object]:
    return {"transaction_start": scene.at + timedelta(seconds=15 - seconds)}


def test_transactions_that_stay_open() -> None:
    scene = Scene()
    scene.backends = (
        session(1, state="idle in transaction", state_change=scene.at - timedelta(seconds=400), **ago(scene, 900)),
        session(2, state="idle in transaction", state_change=scene.at - timedelta(seconds=500), **ago(scene, 600)),
        session(3, application="etl", query_start=scene.at, **ago(scene, 1000)),
        session(4, application="premortem/watch", query_start=scene.at, **ago(scene, 1000)),
        session(5, kind="autovacuum worker", application="", query_start=scene.at, **ago(scene, 9000)),
        session(6, state="idle"),
    )
    found = {c.alert.kind: c.alert for c in scene.poll()}
    assert set(found) == {AlertKind.IDLE, AlertKind.TRANSACTION}
    assert found[AlertKind.IDLE].says == (
        "shop-web is idle in transaction for 8 min 35 s (limit 5 min): pid 2 of shop, role app, and 1 session more"
    )
    assert found[AlertKind.TRANSACTION].subject == "etl"
    assert {a.urgency for a in found.values()} == {Urgency.TICKET}
    # Another session of the same service takes over: the same alert, not one per pid.
    scene.backends = (
        session(7, state="idle in transaction", state_change=scene.at - timedelta(seconds=420), **ago(scene, 700)),
    )
    assert turns(c for _ in range(10) for c in scene.poll()) == [("long-transaction", "closed")]


def test_a_service_may_have_longer_transactions() -> None:
    entry = Override(place=1, services=("pg_dump",), changed={"transaction_seconds": 36_000.0})
    scene = Scene(settings=replace(limits(), overrides=(entry,)))
    scene.backends = (session(3, application="pg_dump", query_start=scene.at, **ago(scene, 5000)),)
    assert scene.poll() == []


def chain(scene: Scene, waits: float, waiting: int = 2, root: int = 10, first: int = 20) -> None:
    began = scene.at + timedelta(seconds=15 - waits)
    scene.backends = (
        session(root, application="migrate", state="idle in transaction", state_change=began, transaction_start=began,
                started_at=NOON),
        *(session(first + n, query_start=began, transaction_start=began, started_at=NOON, wait_type="Lock",
                  blocked_by=(root if n == 0 else first + n - 1,)) for n in range(waiting)),
    )  # fmt: skip


def test_a_chain_of_locks_is_one_alert_that_names_its_root() -> None:
    scene = Scene()
    chain(scene, 4)
    assert scene.poll() == []
    chain(scene, 19)
    (opened,) = scene.poll()
    assert (opened.alert.kind, opened.alert.urgency) == (AlertKind.BLOCKED, Urgency.TICKET)
    assert opened.alert.says == (
        "2 sessions (shop-web) wait, the longest for 19 s, for pid 10 of migrate, idle in transaction, "
        "transaction open for 19 s"
    )
    chain(scene, 34, waiting=7)
    assert [(c.turn, c.alert.urgency) for c in scene.poll()] == [(Turn.WORSE, Urgency.PAGE)]
    scene.backends = ()
    assert turns(c for _ in range(20) for c in scene.poll()) == [("blocked-sessions", "closed")]


def test_two_roots_are_two_alerts_and_a_queue_that_moves_stays_one() -> None:
    scene = Scene()
    chain(scene, 19)
    first = scene.backends
    chain(scene, 19, root=50, first=60)
    scene.backends += first
    assert len(scene.poll()) == 2
    queue = Scene()
    for turn in range(12):
        began = queue.at - timedelta(seconds=5)
        queue.backends = (
            session(turn, query_start=began, transaction_start=began, started_at=NOON),
            *(session(turn + n, query_start=began, transaction_start=began, started_at=NOON, blocked_by=(turn,))
              for n in range(1, 4)),
        )  # fmt: skip
        queue.poll()
    assert [c.turn for c in queue.changes] == [Turn.OPENED]


def test_a_prepared_transaction_a_deadlock_and_an_unseen_root() -> None:
    for blockers, says in (((0,), "a prepared transaction"), ((77,), "pid 77, of which nothing was seen")):
        scene = Scene()
        began = scene.at - timedelta(seconds=30)
        scene.backends = (session(20, query_start=began, transaction_start=began, blocked_by=blockers),)
        (change,) = scene.poll()
        assert says in change.alert.says
    circle = Scene()
    began = circle.at - timedelta(seconds=30)
    circle.backends = tuple(
        session(pid, query_start=began, transaction_start=began, blocked_by=(other,)) for pid, other in ((1, 2), (2, 1))
    )
    assert [c.alert.kind for c in circle.poll()] == [AlertKind.BLOCKED]


def test_who_blocks_others_is_told_as_that_only() -> None:
    scene = Scene()
    chain(scene, 4000)
    assert [c.alert.kind for c in scene.poll()] == [AlertKind.BLOCKED]


def index(name: str, columns: str, **said: object) -> IndexSeen:
    usual: dict[str, object] = {
        "database": "shop",
        "name": RelationName(schema="public", name=name),
        "table": RelationName(schema="public", name="orders"),
        "definition": f"CREATE INDEX {name} ON public.orders USING btree ({columns})",
    }
    return IndexSeen(**{**usual, **said})  # type: ignore[arg-type]


PRIMARY = index("orders_pkey", "id", definition="CREATE UNIQUE INDEX orders_pkey ON public.orders USING btree (id)")
STATUS = index("orders_status_idx", "status", scans=1200)


def inventories(*every: tuple[IndexSeen, ...] | None) -> Scene:
    scene = Scene(restarts=True)
    for indexes in every:
        scene.indexes = indexes
        scene.poll()
    return scene


def test_an_index_vanishes_and_comes_back() -> None:
    scene = inventories((PRIMARY, STATUS), None, (PRIMARY,))
    (opened,) = scene.changes
    assert opened.alert.says == (
        "index orders_status_idx of orders is gone, and it had been used 1,200 times; "
        "it was: CREATE INDEX orders_status_idx ON public.orders USING btree (status)"
    )
    assert (opened.alert.kind, opened.alert.subject) == (AlertKind.INDEX, "public.orders_status_idx")
    assert "index.vanished" in scene.events
    scene.indexes = (PRIMARY, replace(STATUS, valid=False))
    assert [c for _ in range(20) for c in scene.poll()] == []
    scene.indexes = (PRIMARY, STATUS)
    assert turns(c for _ in range(20) for c in scene.poll()) == [("index-vanished", "closed")]


def test_an_index_turns_invalid() -> None:
    scene = inventories((PRIMARY, STATUS), (PRIMARY, replace(STATUS, valid=False)))
    assert "is invalid: no query can use it" in scene.changes[0].alert.says


def test_nobody_misses_it_for_long() -> None:
    scene = inventories((PRIMARY, STATUS), (PRIMARY,))
    scene.settings, scene.indexes = limits(index_hours=0.5), None
    found = [c for _ in range(130) for c in scene.poll()]
    assert turns(found) == [("index-vanished", "closed")]


@pytest.mark.parametrize(
    "after",
    [
        (PRIMARY, replace(STATUS, name=RelationName(schema="public", name="by_status"),
                          definition="CREATE INDEX by_status ON public.orders USING btree (status)")),
        (PRIMARY, index("orders_status_at_idx", "status, created_at")),
        (PRIMARY, STATUS, index("orders_status_idx_ccnew", "status", valid=False)),
        tuple(replace(i, table=RelationName(schema="public", name="orders_2024"),
                      definition=i.definition.replace("public.orders ", "public.orders_2024 "))
              for i in (PRIMARY, STATUS)),
        (index("other_pkey", "id", table=RelationName(schema="public", name="other")),),
        (),
        None,
    ],
    ids=["renamed", "wider", "rebuilding", "table renamed", "table gone", "nothing read", "not read"],
)  # fmt: skip
def test_no_index_is_lost(after: tuple[IndexSeen, ...] | None) -> None:
    scene = inventories((PRIMARY, STATUS), after, after)
    assert scene.changes == []


def test_an_index_that_nothing_ever_used_may_go() -> None:
    scene = inventories((PRIMARY, replace(STATUS, scans=0)), (PRIMARY,))
    assert scene.changes == []
    assert "index.dropped" in scene.events


def test_the_only_index_of_a_table_is_missed_while_the_table_is_there() -> None:
    for tables, lost in (((("shop", STATUS.table),), [AlertKind.INDEX]), ((("shop", PRIMARY.name),), [])):
        scene = inventories((STATUS,))
        scene.tables, scene.indexes = tables, ()
        assert [c.alert.kind for c in scene.poll()] == lost


def test_an_index_of_a_partitioned_table_is_lost_once() -> None:
    tables = ("orders", "orders_2025", "orders_2026")
    lost = tuple(
        replace(STATUS, name=RelationName(schema="public", name=f"{table}_status_idx"),
                table=RelationName(schema="public", name=table), scans=0 if table == "orders" else 50)
        for table in tables
    )  # fmt: skip
    keys = tuple(replace(PRIMARY, table=index.table) for index in lost)
    (change,) = inventories((*keys, *lost), keys).changes
    assert change.alert.says.startswith(
        "index orders_status_idx of orders is gone, with 2 indexes like it on other tables, and it had been used 100"
    )


def test_a_partial_index_is_no_replacement() -> None:
    partial = index(
        "p", "status, x", definition="CREATE INDEX p ON public.orders USING btree (status, x) WHERE (x > 1)"
    )
    scene = inventories((PRIMARY, STATUS), (PRIMARY, partial))
    assert [c.alert.kind for c in scene.changes] == [AlertKind.INDEX]


def test_a_server_that_does_not_answer() -> None:
    scene = Scene()
    scene.poll()
    assert [scene.miss(), scene.miss()] == [[], []]
    (opened,) = scene.miss(says="connection refused")
    assert (opened.alert.kind, opened.alert.urgency) == (AlertKind.UNREACHED, Urgency.PAGE)
    assert opened.alert.says == "db-1 cannot be reached since 12:00:30 UTC: connection refused"
    assert [c for _ in range(500) for c in scene.miss()] == []
    (closed,) = [c for _ in range(20) for c in scene.poll()]
    assert closed.turn is Turn.CLOSED
    assert "answers again" in closed.alert.says


def test_a_server_that_never_answered() -> None:
    scene = Scene()
    assert turns(c for _ in range(3) for c in scene.miss()) == [("instance-unreached", "opened")]


def test_what_is_not_production_pages_nobody() -> None:
    instance = Instance(name="db-1", dsn=Secret(said="x"), production=False, owners=("@a",), services=("shop",))
    scene = Scene(settings=replace(limits(), instances=(instance,)))
    (opened,) = [c for _ in range(3) for c in scene.miss()]
    assert (opened.alert.urgency, opened.alert.owners, opened.alert.services) == (Urgency.TICKET, ("@a",), ("shop",))


def test_while_it_does_not_answer_nothing_is_known() -> None:
    scene = Scene()
    scene.poll()
    scene.polls(20, calls=10, ms=250)
    for _ in range(40):
        scene.miss()
    assert set(scene.open) == {AlertKind.SLOW, AlertKind.UNREACHED}
    # Back after ten minutes, and fast: the window has to be covered before anybody says that it is over.
    found = [turns(scene.polls(1, calls=10, ms=1)) for _ in range(60)]
    assert ("slow-query", "closed") in [one for each in found for one in each]
    assert [("slow-query", "closed")] not in found[:10]


def test_another_server_behind_the_same_name() -> None:
    scene = Scene(indexes=(PRIMARY, STATUS))
    scene.poll()
    scene.polls(20, calls=10, ms=250)
    scene.server = replace(scene.server, identity=8, started_at=NOON)
    scene.counters, scene.before, scene.indexes = {}, {}, ()
    (closed,) = scene.poll()
    assert closed.turn is Turn.CLOSED
    assert "another server answers now" in closed.alert.says
    assert "instance.replaced" in scene.events
    scene.indexes = (PRIMARY,)
    assert scene.poll() == []


def test_a_restart_an_upgrade_a_reset_and_a_promotion_are_told_to_the_log() -> None:
    scene = Scene()
    scene.poll()
    scene.server = replace(
        scene.server, started_at=NOON, version_num=160_004, in_recovery=True, reset_at=NOON + timedelta(seconds=1)
    )
    scene.poll()
    scene.server = replace(scene.server, in_recovery=False)
    scene.poll()
    assert scene.events == [
        "instance.restarted", "instance.upgraded", "instance.demoted", "statistics.reset", "instance.promoted",
    ]  # fmt: skip


def test_nothing_opens_while_it_warms_up_but_a_server_that_is_away() -> None:
    scene = Scene(settings=limits(warm_up_seconds=600), pools=(POOL,))
    assert [c for _ in range(35) for c in scene.poll()] == []
    assert turns(c for _ in range(10) for c in scene.poll()) == [
        ("pool-saturated", "opened"), ("pool-saturated", "worse"),
    ]  # fmt: skip
    away = Scene(settings=limits(warm_up_seconds=600))
    away.poll()
    assert turns(c for _ in range(3) for c in away.miss()) == [("instance-unreached", "opened")]


def test_an_instance_that_nobody_watches_any_more_leaves_nothing_open() -> None:
    scene = Scene(pools=(POOL,))
    scene.poll()
    for _ in range(3):
        scene.miss()
    stepped = watch.abandoned(scene.state, scene.settings, scene.now)
    assert sorted(turns(stepped.changes)) == [("instance-unreached", "closed"), ("pool-saturated", "closed")]
    assert stepped.state.alerts == ()
    assert "nobody watches this instance any more" in stepped.changes[0].alert.says
    assert {c.alert.unwatched for c in stepped.changes} == {"nobody watches this instance any more"}


def test_a_statement_that_worked_for_long_before_it_waits_has_not_waited_for_long() -> None:
    scene = Scene()
    began = scene.at - timedelta(minutes=9)
    busy = session(20, query_start=began, transaction_start=began, started_at=NOON)
    holder = session(10, query_start=scene.at, started_at=NOON)
    scene.backends = (busy, holder)
    scene.poll()
    scene.backends = (replace(busy, blocked_by=(10,)), holder)
    scene.glances = (Glance(at=scene.at + timedelta(seconds=9), read_at=scene.now, backends=(busy, holder)),)
    assert scene.poll() == []
    scene.glances = ()
    found = scene.poll()
    assert [c.alert.kind for c in found if c.alert.kind is AlertKind.BLOCKED] == [AlertKind.BLOCKED]
    assert "the longest for 21 s" in found[0].alert.says


def test_an_answer_that_failed_to_come_before_the_last_one_is_no_news() -> None:
    scene = Scene()
    scene.poll()
    state = scene.state
    late = Unreached(instance="db-1", read_at=scene.now - timedelta(seconds=5), says="timed out")
    assert scene.see(late) == []
    assert scene.state == state
