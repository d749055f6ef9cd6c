"""From a commit of the store to a channel and back, through restarts, with a real store and real HTTP."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

from premortem import store
from premortem.model import AlertChange, Turn
from premortem.notify import Postman, admits, sender
from premortem.settings import Channel
from tests.notify.incidents import AT, FIRST_SEED, change, closed
from tests.notify.sink import Reply, Sink
from tests.notify.test_commands import run

CHANNEL = Channel(name="ops", kind="slack", urgencies=("page",), timeout_seconds=60.0)


def deliver(dsn: str, sink: Sink, now: datetime) -> tuple[int, int, int]:
    """Open the store, deliver what is due as a new process would, and close it."""
    with store.open(dsn) as outbox:
        done = Postman(channel=CHANNEL, sender=sender(CHANNEL, url=f"{sink.url}/hook"), outbox=outbox).deliver(now)
        return done.delivered, done.failed, done.dead


def commit(dsn: str, told: AlertChange) -> None:
    with store.open(dsn) as state:
        state.commit("db-1", at=told.at, changes=[told], channels=[CHANNEL.name] if admits(CHANNEL, told) else [])


def titles(sink: Sink) -> list[str]:
    return [body["text"].split("]")[0] + "]" for body in sink.bodies]


def test_nothing_is_lost_or_told_twice_over_restarts_and_faults(database: str, sink: Sink) -> None:
    opened, ended = change(Turn.OPENED, FIRST_SEED), closed(FIRST_SEED)
    commit(database, opened)
    commit(database, opened)  # the same again, as after a crash between the two
    sink.replies = [Reply(status=503), Reply(status=429, headers={"Retry-After": "600"})]
    assert deliver(database, sink, AT) == (0, 1, 0)
    assert deliver(database, sink, AT + timedelta(seconds=1)) == (0, 0, 0)  # a restart does not forget to wait
    assert deliver(database, sink, AT + timedelta(seconds=6)) == (0, 1, 0)
    assert deliver(database, sink, AT + timedelta(seconds=500)) == (0, 0, 0)
    assert deliver(database, sink, AT + timedelta(seconds=610)) == (1, 0, 0)
    assert deliver(database, sink, AT + timedelta(seconds=620)) == (0, 0, 0)
    commit(database, ended)
    assert deliver(database, sink, ended.at) == (1, 0, 0)
    assert titles(sink)[2:] == ["[PAGE]", "[CLOSED]"]
    assert len(sink.asked) == 4
    assert "Told 10 min 10 s late" in json.dumps(sink.bodies[2])


def test_dead_letters_can_be_read_and_sent_again(database: str, sink: Sink, tmp_path: Path) -> None:
    settings = f'[watch]\nstore = "{database}"\n'
    (tmp_path / "premortem.toml").write_text(settings)
    commit(database, change(Turn.OPENED, FIRST_SEED))
    sink.replies = [Reply(status=404, text="no_service")]
    assert deliver(database, sink, AT) == (0, 0, 1)

    listed = run(tmp_path, "dead-letters")
    assert listed.returncode == 0, listed.stderr
    first, last = listed.stdout.splitlines()
    assert first.startswith("2026-03-24 14:37:12 ops: [PAGE] order_items slow on db-1/shop")
    assert first.endswith(": ops (slack) answered 404: no_service")
    assert last == "1 letter; --retry sends them again"
    (row,) = json.loads(run(tmp_path, "dead-letters", "ops", "--format", "json").stdout)
    assert (row["channel"], row["tries"], row["says"]) == ("ops", 0, "ops (slack) answered 404: no_service")

    assert run(tmp_path, "dead-letters", "other", "--retry").stdout == "no dead letters\n"
    assert "1 letter will be sent again" in run(tmp_path, "dead-letters", "--retry").stdout
    assert deliver(database, sink, AT + timedelta(minutes=3)) == (1, 0, 0)
    assert run(tmp_path, "dead-letters").stdout == "no dead letters\n"
