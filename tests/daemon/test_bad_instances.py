"""Instances that cannot be watched, or not all of them: each says why, once, and the others go on."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from premortem import pg
from tests.daemon.household import Watcher, folder, load, toml, watcher
from tests.daemon.sink import Sink, sink
from tests.pg.test_pgbouncer import PROGRAM, bouncer

SETTINGS = """
[watch]
poll_seconds = 1
diagnosis_seconds = 5
listen = "127.0.0.1:0"
store = {{ env = "STORE_DSN" }}
[watch.limits]
mean_ms = 10
window_seconds = 6
[[channels]]
name = "ops"
kind = "webhook"
url = {url}
instances = ["good"]
{instances}
"""
HOSTILE = '\x1b[31m"<script>alert(1)</script>'
_names = itertools.count(1)


@pytest.fixture
def told() -> Iterator[Sink]:
    with sink() as one:
        yield one


@pytest.fixture
def place() -> Iterator[Path]:
    with folder() as one:
        yield one


@pytest.fixture
def state(server18: pg.Server) -> Iterator[str]:
    name = f"state_of_bad_{next(_names)}"
    with pg.writer(server18, purpose="test") as db:
        db.execute(f"CREATE DATABASE {name}")
    yield server18.dsn(name)
    with pg.writer(server18, purpose="test") as db:
        db.execute(f"DROP DATABASE {name} WITH (FORCE)")


def settings(told: Sink, **dsns: str) -> str:
    entries = (f"[[instances]]\nname = {toml(name)}\ndsn = {toml(dsn)}\n" for name, dsn in dsns.items())
    return SETTINGS.format(url=toml(told.url), instances="\n".join(entries))


def as_role(dsn: str, role: str) -> str:
    return re.sub(r"user=\S+", f"user={role}", dsn)


def at_database(dsn: str, name: str) -> str:
    return re.sub(r"dbname=\S+", f"dbname={name}", dsn)


@pytest.fixture
def roles(server18: pg.Server) -> Iterator[None]:
    with pg.writer(server18, purpose="test") as db:
        db.execute("CREATE ROLE full_up LOGIN CONNECTION LIMIT 0 IN ROLE pg_monitor")
        db.execute("CREATE ROLE nobody_much LOGIN")
        db.execute("CREATE DATABASE bare")
    yield
    with pg.writer(server18, purpose="test") as db:
        db.execute("DROP DATABASE bare WITH (FORCE)")
        db.execute("DROP ROLE full_up, nobody_much")


@pytest.mark.pg(">= 18")
@pytest.mark.usefixtures("roles")
def test_each_says_why_and_the_others_go_on(
    place: Path, told: Sink, state: str, database: str, server18: pg.Server, pytestconfig: pytest.Config
) -> None:
    if PROGRAM is None:
        (pytest.fail if pytestconfig.getoption("--require-pg") else pytest.skip)("pgbouncer is not on this machine")
    with bouncer(server18, "transaction") as pooled:
        text = settings(
            told,
            good=database,
            down="host=127.0.0.1 port=1 user=x dbname=x password=hunter2hunter2",
            gone=at_database(database, "no_such_database"),
            pooled=pooled,
            full=as_role(database, "full_up"),
            bare=at_database(database, "bare"),
            unprivileged=as_role(database, "nobody_much"),
        )
        with watcher(place, text, STORE_DSN=state) as one:
            one.start("--check")
            assert one.wait() == 3
            for name, says in REFUSALS.items():
                assert re.search(f"instance {name}: .*{says}", one.log), one.log
            for name, says in GAPS.items():
                assert re.search(f"instance {name}: PostgreSQL 18.*\n(  gap: .*\n)*  gap: .*{says}", one.log), one.log
            assert re.search(r"instance good: PostgreSQL 18\.\d+, [\d,]+ statements", one.log)
            assert "hunter2" not in one.log
            one.start()
            for name, says in REFUSALS.items():
                assert re.search(says, one.says(f"event=poll.failed instance={name} "))
            for name, says in GAPS.items():
                one.says(f"event=poll.gap instance={name} .*{says}")
            alerted(one, told, database)
            for name in REFUSALS:
                assert one.log.count(f"event=poll.failed instance={name} ") == 1
                assert one.gauge("premortem_up", instance=name) == 0
            assert one.gauge("premortem_up", instance="bare") == 1
            assert "hunter2" not in one.log
            assert one.stop() == 0


REFUSALS = {
    "down": "Connection refused",
    "gone": "does not exist",
    "pooled": "connection pooler",
    "full": "too many connections",
}
GAPS = {"bare": "pg_stat_statements", "unprivileged": "pg_monitor"}


def alerted(one: Watcher, told: Sink, dsn: str) -> None:
    """The good instance has a slow query, whose comment and application are hostile; both are told as text."""
    with pg.writer(dsn, purpose="test") as db:
        db.execute("CREATE TABLE items (id int)")
    statement = f"SELECT pg_sleep(0.03), count(*), '{HOSTILE}' FROM items /* {HOSTILE} */"
    with load(dsn, statement, lambda n: (), sessions=1, application='x"\x1b[31m<!channel>'):
        got = told.wait(bool)
    assert got, one.log
    assert "items" in got[0].content["data"]["statement"]["tables"]
    assert "\x1b" not in one.log
    assert "<script>" not in one.log + str(got[0].content)


@pytest.mark.pg(">= 18")
def test_it_watches_for_one_window_and_says_whether_it_hurts(
    place: Path, told: Sink, state: str, database: str
) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute("CREATE TABLE items (id int)")
    text = settings(told, good=database).replace("diagnosis_seconds = 5", "diagnosis_seconds = 1")
    with watcher(place, text, STORE_DSN=state) as one:
        with load(database, "SELECT pg_sleep(0.03), count(*) FROM items", lambda n: (), sessions=1):
            one.start("--once")
            assert one.wait() == 1, one.log
        assert len(told.accepted()) >= 1
    with watcher(place, settings(told, good="host=127.0.0.1 port=1 user=x"), STORE_DSN=state) as one:
        one.start("--once")
        assert one.wait() == 3, one.log


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no instance to watch"),
        ("[[instances]]\nname = 'a'\ndsn = { env = 'NOT_SET' }\n", "instance a is in the environment variable NOT_SET"),
        ("[[instances]]\nname = 'a'\ndsn = { file = 'none' }\n", "which cannot be read"),
        (
            "[watch]\nlisten = 'nowhere'\nstore = 'dbname=x host=/nowhere'\n[[instances]]\nname = 'a'\ndsn = 'x'\n",
            "listen",
        ),
        ("[[instances]]\nname = 'a'\ndsn = 'dbname=x'\n[[channels]]\nname = 'c'\nkind = 'slack'\n", "url is missing"),
    ],
)
def test_settings_that_cannot_be_begun_with(place: Path, text: str, says: str) -> None:
    with watcher(place, text) as one:
        one.start()
        assert one.wait() == 2, one.log
        assert says in one.log


def test_a_store_that_cannot_be_had_is_said(place: Path) -> None:
    """A directory that is a file will not become one: watching does not begin."""
    (place / "state").write_text("a file")
    with watcher(place, "[watch]\nstate_directory = 'state'\n[[instances]]\nname = 'a'\ndsn = 'dbname=x'\n") as one:
        one.start()
        assert one.wait() == 3, one.log
        assert str(place / "state") in one.log
