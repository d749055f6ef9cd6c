"""Letters are written with the alert, wait until they are told, and survive what becomes of it."""

from __future__ import annotations

import time
from datetime import timedelta

from premortem import store
from premortem.model import AlertChange, Deploy, Outbox, Turn
from tests.store.made import NOON, POLL, change


def names(opened: store.Store, channel: str = "slack") -> list[str]:
    return [one.what.turn.value for one in opened.pending(channel) if isinstance(one.what, AlertChange)]


def test_a_store_is_an_outbox(opened: store.Store) -> None:
    outbox: Outbox = opened
    assert outbox.pending("slack", 10) == ()


def test_letters_wait_in_order_until_they_are_delivered(opened: store.Store) -> None:
    opened.commit("db-1", at=NOON, changes=[change(), change(subject="b")], channels=["slack"])
    opened.commit("db-1", at=NOON + POLL, changes=[change(Turn.WORSE, turns=2)], channels=["slack"])
    letters = opened.pending("slack")
    assert [one.what for one in letters] == [change(), change(subject="b"), change(Turn.WORSE, turns=2)]
    assert opened.pending("slack", 1) == letters[:1]
    opening = letters[0].what
    assert isinstance(opening, AlertChange)
    assert not opened.told("slack", opening.alert.key, opening.alert.opened_at)
    for _ in range(2):
        opened.delivered(letters[0].id, NOON)
    opened.delivered(letters[1].id, NOON, says="too many", told=False, counts=False)
    assert opened.told("slack", opening.alert.key, opening.alert.opened_at)
    assert not opened.told("pagerduty", opening.alert.key, opening.alert.opened_at)
    assert opened.sent_since("slack", NOON) == 1
    assert opened.sent_since("slack", NOON + POLL) == 0
    assert names(opened) == ["worse"]


def test_a_letter_that_failed_waits_and_one_that_is_dead_can_be_revived(opened: store.Store) -> None:
    opened.commit("db-1", at=NOON, changes=[change()], channels=["slack"])
    (letter,) = opened.pending("slack")
    opened.failed(letter.id, NOON + POLL, "429")
    (again,) = opened.pending("slack")
    assert (again.tries, again.retry_at, again.says) == (1, NOON + POLL, "429")
    opened.dead(letter.id, NOON, "404: no such hook")
    opened.dead(letter.id, NOON + POLL, "again")
    assert opened.pending("slack") == ()
    (dead,) = opened.dead_letters()
    assert (dead.letter.what, dead.at, dead.says) == (change(), NOON, "404: no such hook")
    assert opened.dead_letters("pagerduty") == ()
    assert opened.undelivered() == {"slack": (0, 1)}
    assert (opened.revive([letter.id]), opened.revive([letter.id])) == (1, 0)
    assert [(one.tries, one.says) for one in opened.pending("slack")] == [(0, "")]


def test_a_beginning_that_is_revived_comes_with_its_end_or_not_at_all(opened: store.Store) -> None:
    opening, end = change(), change(Turn.CLOSED, turns=2)
    opened.commit("db-1", at=NOON, changes=[opening], channels=["slack"])
    opened.dead(f"slack/{opening.id}", NOON, "400")
    opened.commit("db-1", at=NOON, changes=[end], channels=["slack"])
    opened.delivered(f"slack/{end.id}", NOON, others=[], says="left out", told=False, counts=False)
    assert opened.revive([f"slack/{opening.id}"]) == 1
    assert names(opened) == ["opened", "closed"]
    opened.delivered(f"slack/{end.id}", NOON, others=[], says="", told=True, counts=True)
    opened.dead(f"slack/{opening.id}", NOON, "400")
    assert opened.revive([f"slack/{opening.id}"]) == 0  # it is over, and the channel knows
    assert (names(opened), opened.dead_letters()) == ([], ())


def test_a_change_says_which_channels_it_is_for(opened: store.Store) -> None:
    both = [change(), change(subject="b")]
    opened.commit("db-1", at=NOON, changes=both, channels=lambda one: ["slack"] if one.alert.subject == "a" else [])
    assert [one.what for one in opened.pending("slack")] == [change()]


def test_an_opening_is_held_until_more_becomes_of_it(opened: store.Store) -> None:
    until = NOON + timedelta(seconds=4)
    opened.commit("db-1", at=NOON, changes=[change(), change(subject="b")], channels=["slack"], hold=until)
    assert [one.retry_at for one in opened.pending("slack")] == [until, until]
    opened.commit("db-1", at=NOON, changes=[change(Turn.DIAGNOSED, turns=2)], channels=["slack"])
    held = {one.id: one.retry_at for one in opened.pending("slack")}
    assert held == {
        f"slack/{change().id}": None,
        f"slack/{change(subject='b').id}": until,
        f"slack/{change(Turn.DIAGNOSED, turns=2).id}": None,
    }


def test_what_failed_is_not_let_go_early(opened: store.Store) -> None:
    opened.commit("db-1", at=NOON, changes=[change()], channels=["slack"], hold=NOON + POLL)
    opened.failed(opened.pending("slack")[0].id, NOON + timedelta(hours=1), "429")
    opened.commit("db-1", at=NOON, changes=[change(Turn.WORSE, turns=2)], channels=["slack"])
    assert opened.pending("slack")[0].retry_at == NOON + timedelta(hours=1)


def test_deploys_are_told_once(opened: store.Store, database: str) -> None:
    deploy = Deploy(service="shop", revision="a7c3dbe", at=NOON)
    with store.open(database) as shell:
        shell.record(deploy)
    long_ago = NOON - timedelta(days=400)
    assert [opened.announce(["pagerduty"], long_ago, NOON) for _ in range(2)] == [1, 0]
    (letter,) = opened.pending("pagerduty")
    assert (letter.what, letter.key) == (deploy, "deploy shop")


def test_one_of_several_watchers_delivers(opened: store.Store, database: str) -> None:
    assert opened.post_office("slack")
    with store.open(database) as other:
        assert not other.post_office("slack")
        assert other.post_office("pagerduty")
        assert not opened.post_office("pagerduty")
        assert opened.post_office("slack")
    tries = 0
    while not opened.post_office("pagerduty"):  # the server lets go of it when it notices that the other has left
        tries += 1
        assert tries < 1000
        time.sleep(0.02)


def test_the_letters_of_one_message_are_done_with_together(opened: store.Store) -> None:
    opened.commit("db-1", at=NOON, changes=[change(), change(Turn.WORSE, turns=2)], channels=["slack"])
    first, last = opened.pending("slack")
    opened.delivered(last.id, NOON, others=[first.id])
    assert opened.pending("slack") == ()
    assert opened.sent_since("slack", NOON) == 1
