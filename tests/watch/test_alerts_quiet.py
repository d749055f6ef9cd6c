"""Mutes and maintenance: alerts go on, and nobody is told; whoever was told that it began is told that it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, timezone

import pytest

from premortem import watch
from premortem.model import Turn
from premortem.settings import Instance, Maintenance, Mute, Secret, Watching
from premortem.watch.choosing import in_maintenance
from tests.watch.scene import NOON, SKU, Scene, limits, statement

EXPORT = Mute(reason="the export is rewritten", fingerprints=("f0000*",), until=NOON + timedelta(minutes=30))


def slow(settings: Watching) -> Scene:
    scene = Scene(settings=settings)
    scene.poll()
    scene.polls(20, calls=10, ms=250)
    return scene


@pytest.mark.parametrize(
    ("mute", "muted"),
    [
        (EXPORT, True),
        (Mute(reason="r"), True),
        (Mute(reason="r", tables=("order_items",)), True),
        (Mute(reason="r", tables=("public.*",), kinds=("slow-query",), instances=("db-*",)), True),
        (Mute(reason="r", tables=("orders",)), False),
        (Mute(reason="r", fingerprints=("other",)), False),
        (Mute(reason="r", kinds=("pool-saturated",)), False),
        (Mute(reason="r", instances=("db-2",)), False),
        (Mute(reason="r", until=NOON), False),
    ],
)
def test_which_alerts_a_mute_means(mute: Mute, muted: bool) -> None:
    scene = slow(replace(limits(), mutes=(mute,)))
    assert [bool(c.alert.muted) for c in scene.changes] == [muted]


def test_a_muted_alert_says_why_and_until_when() -> None:
    scene = slow(replace(limits(), mutes=(EXPORT,)))
    assert scene.changes[0].alert.muted == "muted: the export is rewritten (until 2026-11-03 12:30 UTC)"


def test_what_is_still_open_when_the_mute_ends_is_told() -> None:
    scene = slow(replace(limits(), mutes=(EXPORT,)))
    (change,) = scene.polls(140, calls=10, ms=250)
    assert (change.turn, change.alert.muted) == (Turn.WORSE, "")
    assert change.at >= NOON + timedelta(minutes=30)
    assert [c.alert.muted for c in scene.polls(60, calls=10, ms=3) if c.turn is Turn.CLOSED] == [""]


def test_what_opened_and_closed_in_the_mute_is_told_to_nobody() -> None:
    scene = slow(replace(limits(), mutes=(EXPORT,)))
    scene.polls(60, calls=10, ms=3)
    assert scene.changes[-1].turn is Turn.CLOSED
    assert all(c.alert.muted for c in scene.changes)


def test_who_was_told_that_it_opened_is_told_that_it_closed() -> None:
    scene = slow(limits())
    scene.settings = replace(limits(), mutes=(Mute(reason="found it"),))
    scene.polls(20, calls=10, ms=900)
    scene.restart()
    scene.polls(60, calls=10, ms=3)
    told = [(c.turn, bool(c.alert.muted)) for c in scene.changes]
    assert told[0] == (Turn.OPENED, False)
    assert (Turn.WORSE, True) in told
    assert told[-1] == (Turn.CLOSED, False)


WEEKLY = Maintenance(reason="reindex", days=("sun",), at=time(23, 0), lasts=timedelta(hours=3))
#: 2026-11-01 is a Sunday.
SUNDAY = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "moment", "within"),
    [
        (WEEKLY, SUNDAY.replace(hour=22, minute=59), False),
        (WEEKLY, SUNDAY.replace(hour=23), True),
        (WEEKLY, SUNDAY + timedelta(hours=25, minutes=59), True),  # past midnight
        (WEEKLY, SUNDAY + timedelta(hours=26), False),
        (WEEKLY, SUNDAY - timedelta(hours=1), False),  # Saturday
        (WEEKLY, (SUNDAY + timedelta(hours=23)).astimezone(timezone(timedelta(hours=9))), True),
        (replace(WEEKLY, days=()), SUNDAY + timedelta(days=2, hours=23, minutes=30), True),
        (replace(WEEKLY, days=(), lasts=timedelta(days=1)), SUNDAY + timedelta(hours=12), True),
        (replace(WEEKLY, lasts=timedelta(days=6)), SUNDAY + timedelta(days=6, hours=22), True),
        (Maintenance(reason="once", starts=NOON, ends=NOON + timedelta(hours=1)), NOON, True),
        (Maintenance(reason="once", starts=NOON, ends=NOON + timedelta(hours=1)), NOON + timedelta(hours=1), False),
        (Maintenance(reason="never"), NOON, False),
    ],
)
def test_when_a_maintenance_window_is_open(window: Maintenance, moment: datetime, within: bool) -> None:
    assert in_maintenance(window, moment) is within


def test_in_maintenance_nobody_is_told() -> None:
    window = Maintenance(reason="reindex", starts=NOON, ends=NOON + timedelta(hours=1), instances=("db-*",))
    scene = slow(replace(limits(), maintenance=(window,)))
    assert [c.alert.muted for c in scene.changes] == ["maintenance: reindex"]


def test_muted_statements_do_not_join_a_common_alert() -> None:
    mute = Mute(reason="an import", fingerprints=tuple(statement(f"{SKU} or id = {n}").fingerprint for n in range(4)))
    scene = Scene(settings=replace(limits(), mutes=(mute,)))
    scene.poll()
    for _ in range(20):
        for number in range(9):
            scene.call(number, 2, 200, statement(f"{SKU} or id = {number}"))
        scene.poll()
    assert sorted(bool(c.alert.muted) for c in scene.changes) == [False] * 5 + [True] * 4


def test_owners_of_tables_come_before_those_of_the_instance() -> None:
    settings = replace(
        limits(),
        instances=(Instance(name="db-1", dsn=Secret(said="x"), owners=("@dba",), services=("app", "web")),),
        table_owners=((("*",), ("@all",)), (("order_items",), ("@orders",))),
    )
    scene = slow(settings)
    assert scene.changes[0].alert.owners == ("@orders", "@dba")
    assert scene.changes[0].alert.services == ("app",)
    assert watch.owners_of(settings, "db-1", ()) == ("@dba",)
