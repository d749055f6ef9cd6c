"""The ledger of deploys: one deploy is one, and rolling back is another."""

from __future__ import annotations

import threading
from datetime import timedelta

from premortem import store
from premortem.model import Deploy
from tests.store.made import NOON

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def deploy(revision: str = "a7c3dbe", after: timedelta = timedelta(0), service: str = "shop", to: str = "") -> Deploy:
    return Deploy(service=service, revision=revision, at=NOON + after, author="ann", says="x\0", environment=to)


def test_a_pipeline_that_runs_again_records_nothing_new(opened: store.Store) -> None:
    assert [opened.record(deploy()), opened.record(deploy()), opened.record(deploy(after=5 * MINUTE))] == [
        True,
        False,
        False,
    ]
    assert [one.kind for one in opened.events()] == ["deploy.recorded"]
    assert opened.record(deploy(after=3 * HOUR)), "shipped again later, such as with other settings"
    assert opened.record(deploy(to="staging"))
    assert opened.record(deploy(service="billing"))
    assert len(opened.deploys()) == len(opened.events()) == 4


def test_rolling_back_is_a_deploy(opened: store.Store) -> None:
    for revision, after in (("old", 0), ("new", 10), ("old", 20), ("new", 30)):
        assert opened.record(deploy(revision, after * MINUTE))
    assert not opened.record(deploy("new", 31 * MINUTE))
    assert [one.revision for one in opened.deploys()] == ["old", "new", "old", "new"]


def test_deploys_of_a_time_and_of_services(opened: store.Store) -> None:
    opened.record(deploy("b", HOUR))
    opened.record(deploy("a"))
    opened.record(deploy("c", 2 * HOUR, service="billing"))
    assert [one.revision for one in opened.deploys()] == ["a", "b", "c"]
    assert [one.revision for one in opened.deploys(since=NOON + MINUTE, until=NOON + 2 * HOUR)] == ["b"]
    assert [one.revision for one in opened.deploys(services=["billing"])] == ["c"]
    assert opened.deploys(services=[]) == ()


def test_many_at_once_are_one(opened: store.Store, database: str) -> None:
    new: list[bool] = []

    def record() -> None:
        with store.open(database) as mine:
            new.append(mine.record(deploy()))

    threads = [threading.Thread(target=record) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(new) == [False] * 5 + [True]
    assert len(opened.deploys()) == 1
