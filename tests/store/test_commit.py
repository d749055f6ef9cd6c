"""What one poll leads to is kept as a whole, once, however often it is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from premortem import pg, store
from premortem.errors import StoreError
from premortem.model import AlertChange, Event, Statement, Turn
from premortem.store import committing
from tests.store.made import NOON, POLL, change, delta, key, statement, statements

HOUR = timedelta(hours=1)


def calls(opened: store.Store, instance: str = "db-1") -> int:
    steps = opened.history(instance, "shop", None, since=NOON - HOUR, until=NOON + HOUR, step=HOUR)
    return sum(step.calls for step in steps)


def test_what_was_committed_is_saved(opened: store.Store) -> None:
    assert opened.saved("db-1") == store.Saved()
    opened.commit("db-1", at=NOON, checkpoint={"rings": [1.5, None, "\0 ä"]}, changes=[change()])
    saved = opened.saved("db-1")
    assert saved.checkpoint == {"rings": [1.5, None, "\0 ä"]}
    assert (saved.at, saved.watched_since) == (NOON, NOON)
    assert saved.alerts == (change().alert,)
    opened.commit("db-1", at=NOON + POLL, changes=[change(Turn.CLOSED, turns=2)])
    assert opened.saved("db-1").alerts == ()
    assert opened.saved("db-1").checkpoint == saved.checkpoint, "a commit without a checkpoint keeps the last one"
    opened.commit("db-1", at=NOON + POLL, checkpoint=None)
    assert opened.saved("db-1").checkpoint is None


def test_a_commit_that_is_repeated_is_one(opened: store.Store) -> None:
    event = Event(id="restart-1", at=NOON, kind="instance.restarted", instance="db-1", payload={"says": "\0"})
    for _ in range(3):
        opened.commit(
            "db-1",
            at=NOON,
            checkpoint={},
            changes=[change()],
            deltas=[delta(1, NOON, calls=3), delta(2, NOON, calls=4)],
            statements=statements(1, 2),
            events=[event],
            channels=["slack", "pagerduty"],
        )
    assert calls(opened) == 7
    assert [one.kind for one in opened.events()] == ["alert.opened", "instance.restarted"]
    assert opened.events(kinds=["instance.restarted"]) == (event,)
    assert len(opened.pending("slack")) == len(opened.pending("pagerduty")) == 1


def test_a_commit_may_bring_what_an_earlier_one_brought(opened: store.Store) -> None:
    """The answer to a commit was lost, and the next poll brings both samples."""
    first, second = delta(1, NOON, calls=3), delta(1, NOON + POLL, calls=4)
    opened.commit("db-1", at=NOON, deltas=[first], statements=statements(1))
    opened.commit("db-1", at=NOON + POLL, deltas=[first, second], statements=statements(1))
    assert calls(opened) == 7


def test_a_minute_is_one_row(opened: store.Store, database: str) -> None:
    for poll in range(9):
        opened.commit("db-1", at=NOON + poll * POLL, deltas=[delta(1, NOON + poll * POLL)], statements=statements(1))
    with pg.writer(database, purpose="test") as db:
        assert db.tuples("SELECT at, calls FROM premortem.history ORDER BY at") == (
            (NOON, 4),
            (NOON + timedelta(minutes=1), 4),
        )
        assert db.value("SELECT calls FROM premortem.checkpoint") == [1]
    assert calls(opened) == 9, "the minute that is not over counts, too"


def test_a_servers_clock_does_not_move_history(opened: store.Store) -> None:
    """A server whose clock is an hour ahead, and is then set back."""
    ahead = NOON + HOUR
    opened.commit("db-1", at=NOON, deltas=[delta(1, ahead)], statements=statements(1))
    opened.commit("db-1", at=NOON + POLL, deltas=[delta(1, NOON + POLL)], statements=statements(1))
    opened.commit("db-1", at=NOON + POLL, deltas=[delta(1, NOON + POLL)], statements=statements(1))
    (step,) = opened.history("db-1", "shop", None, since=NOON, until=NOON + 2 * HOUR, step=timedelta(minutes=1))
    assert (step.at, step.calls) == (NOON, 2)


def test_an_older_turn_does_not_undo_a_newer_one(opened: store.Store) -> None:
    worse, opening = change(Turn.WORSE, turns=2), change()
    opened.commit("db-1", at=NOON, changes=[opening, worse])
    opened.commit("db-1", at=NOON, changes=[opening])
    assert [one.turns for one in opened.alerts()] == [2]
    assert [one.kind for one in opened.events(subject=worse.alert.key)] == ["alert.opened", "alert.worse"]


def test_alerts_and_events_come_back_as_they_went(opened: store.Store) -> None:
    opened.commit("db-1", at=NOON, changes=[change(), change(subject="b")])
    opened.commit("db-1", at=NOON + POLL, changes=[change(Turn.CLOSED, turns=2)])
    assert [one.subject for one in opened.alerts()] == ["b"]
    assert {one.subject for one in opened.alerts(open_only=False, since=NOON)} == {"a", "b"}
    assert {one.subject for one in opened.alerts(open_only=False, since=NOON + HOUR)} == {"b"}
    assert opened.alerts(instance="db-2") == ()
    payload = opened.events(kinds=["alert.closed"])[0].payload
    from premortem.model import codec

    assert codec.decode(AlertChange, payload) == change(Turn.CLOSED, turns=2)


def test_the_log_of_events_is_never_changed(opened: store.Store, database: str) -> None:
    opened.commit("db-1", at=NOON, changes=[change()])
    with pg.writer(database, purpose="test") as db:
        for attempt in (
            "UPDATE premortem.event SET kind = ''",
            "DELETE FROM premortem.event",
            "TRUNCATE premortem.event",
        ):
            with pytest.raises(Exception, match="never changed"):
                db.execute(attempt)
    assert len(opened.events()) == 1


def test_a_commit_that_fails_leaves_nothing(opened: store.Store, database: str) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute("ALTER TABLE premortem.event ADD CONSTRAINT no CHECK (kind <> 'bad')")
    what = {
        "deltas": [delta(1, NOON, calls=5)],
        "statements": statements(1),
        "changes": [change()],
        "channels": ["slack"],
    }
    with pytest.raises(StoreError, match="cannot be used"):
        opened.commit("db-1", at=NOON, checkpoint=1, events=[Event(id="x", at=NOON, kind="bad")], **what)  # type: ignore[arg-type]
    assert opened.saved("db-1") == store.Saved()
    assert (calls(opened), opened.pending("slack"), opened.events()) == (0, (), ())
    opened.commit("db-1", at=NOON, checkpoint=1, **what)  # type: ignore[arg-type]
    assert (calls(opened), opened.saved("db-1").checkpoint) == (5, 1)


def test_two_that_write_one_instance_lose_nothing(opened: store.Store, database: str) -> None:
    with store.open(database) as other:
        for poll in range(20):
            mine, theirs = NOON + poll * POLL, NOON + poll * POLL + timedelta(seconds=7)
            opened.commit("db-1", at=mine, deltas=[delta(1, mine)], statements=statements(1))
            other.commit("db-1", at=theirs, deltas=[delta(1, theirs)], statements=statements(1))
    assert calls(opened) == 40


def test_texts_that_no_column_likes_are_kept(opened: store.Store) -> None:
    texts = ["select '<script>' -- \x1b[31m", "select '\udce4'", "select 1\0", "select " + "x" * 1_000_000]
    for number, text in enumerate(texts):
        opened.commit(
            "db-\0",
            at=NOON + number * POLL,
            deltas=[delta(number, NOON + number * POLL)],
            statements={key(number): statement(number, text)},
        )
    kept = [opened.statement(f"{number:016x}") for number in range(len(texts))]
    assert [one.text if one else "" for one in kept] == [texts[0], "select '?'", "select 1", texts[3]]


def test_passwords_in_utility_statements_are_not_kept(opened: store.Store) -> None:
    """Up to PostgreSQL 15 pg_stat_statements shows them as they were sent."""
    unread = Statement(
        fingerprint="queryid-7", text="CREATE USER bob PASSWORD 'geheim'", database="shop", unreadable="new syntax"
    )
    said = replace(statement(8, "ALTER ROLE bob PASSWORD 'geheim'"), utility=True)
    opened.commit("db-1", at=NOON, deltas=[delta(7, NOON), delta(8, NOON)], statements={key(7): unread, key(8): said})
    found = [opened.statement("queryid-7"), opened.statement(f"{8:016x}")]
    assert [one.text if one else "" for one in found] == ["CREATE USER …", "ALTER ROLE …"]


def test_a_statement_without_a_text_counts(opened: store.Store) -> None:
    opened.commit("db-1", at=NOON, deltas=[delta(77, NOON, calls=9)])
    (step,) = opened.history("db-1", "16384", "queryid-77", since=NOON, until=NOON + HOUR, step=HOUR)
    assert step.calls == 9
    found = opened.statement("queryid-77")
    assert found is not None
    assert found.unreadable


def test_nested_executions_are_told_apart(opened: store.Store) -> None:
    both = [delta(1, NOON, calls=2), delta(1, NOON, calls=5, toplevel=False)]
    opened.commit("db-1", at=NOON, deltas=both, statements=statements(1))
    assert calls(opened) == 2, "what clients execute"
    (step,) = opened.history("db-1", "shop", f"{1:016x}", since=NOON, until=NOON + HOUR, step=HOUR)
    assert step.calls == 7, "the statement, wherever it runs"


def test_a_long_outage_comes_in_one_commit_and_may_come_again(opened: store.Store) -> None:
    """The store was down for hours, and the answer to the commit that brought all of it was lost."""
    samples = [NOON + number * timedelta(seconds=30) for number in range(300)]
    every = [delta(1, at) for at in samples]
    last = delta(1, samples[-1] + POLL)
    for deltas in (every, every, [*every, last], [*every, last]):
        opened.commit("db-1", at=deltas[-1].end, deltas=deltas, statements=statements(1))
    steps = opened.history("db-1", "shop", None, since=NOON, until=NOON + 4 * HOUR, step=timedelta(minutes=1))
    assert sum(step.calls for step in steps) == 301
    assert {step.calls for step in steps[:-1]} == {2}, "each in its own minute"


def test_queries_with_names_of_their_own_for_each_run(opened: store.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of an instance's statements does not grow without end, and what is forgotten is asked again."""
    monkeypatch.setattr(committing, "_MOST_NAMES", 5)
    for poll in range(12):
        at = NOON + poll * POLL
        moved = [delta(number, at) for number in (1, 100 + poll, 200 + poll)]
        opened.commit("db-1", at=at, deltas=moved, statements=statements(1, 100 + poll, 200 + poll))
    _, memory = opened._memories["db-1"]
    assert len(memory.numbers) < 10
    assert calls(opened) == 36
    (step,) = opened.history("db-1", "shop", f"{1:016x}", since=NOON, until=NOON + HOUR, step=HOUR)
    assert step.calls == 12
