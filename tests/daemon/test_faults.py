"""Whatever fails, an alert is told once, and its end once: premortem killed, servers restarted, the network cut.

Each test ends with what a reader of the channel has seen, by the names of the messages.
"""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from premortem import pg
from tests.daemon.household import Watcher, folder, load, toml, watcher
from tests.daemon.proxy import Proxy, proxy
from tests.daemon.sink import Got, Sink, sink

SETTINGS = """
[watch]
poll_seconds = 0.5
diagnosis_seconds = {diagnosis}
listen = "127.0.0.1:0"
store = {{ env = "STORE_DSN" }}

[watch.limits]
mean_ms = 10
window_seconds = 4
close_after_seconds = 1
new_heavy_share = 1

[[instances]]
name = "shop-1"
dsn = {{ env = "SHOP_DSN" }}

[[channels]]
name = "ops"
kind = "webhook"
url = {url}
"""
SLOW = "SELECT pg_sleep(0.03), count(*) FROM items"
_names = itertools.count(1)


@pytest.fixture(scope="module")
def production() -> Iterator[pg.Server]:
    """A server of this module's own, that may be crashed."""
    settings = {"shared_preload_libraries": "pg_stat_statements", "max_connections": 40}
    with pg.start(pg.exact_installation(18), settings=settings) as server:
        with pg.writer(server, purpose="test") as db:
            db.execute("CREATE EXTENSION pg_stat_statements")
            db.execute("CREATE TABLE items (id int)")
        yield server


@pytest.fixture
def state(server18: pg.Server) -> Iterator[str]:
    """The connection string of an empty database for the store."""
    name = f"state_{next(_names)}"
    with pg.writer(server18, purpose="test") as db:
        db.execute(f"CREATE DATABASE {name}")
    yield server18.dsn(name)
    with pg.writer(server18, purpose="test") as db:
        db.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def told() -> Iterator[Sink]:
    with sink() as one:
        yield one


@pytest.fixture
def place() -> Iterator[Path]:
    with folder() as one:
        yield one


def settings(told: Sink, *, diagnosis: float = 0.1, more: str = "") -> str:
    return SETTINGS.format(url=toml(told.url), diagnosis=diagnosis) + more


def begun(one: Watcher) -> None:
    one.start()
    one.says("event=watch.begins")


def polled(one: Watcher, times: int = 1) -> None:
    """Wait until it has looked: what comes from then on is counted."""
    end = time.monotonic() + 90
    while (one.gauge("premortem_polls_total") or 0) < times:
        assert time.monotonic() < end, one.log
        time.sleep(0.1)


def slow(server: pg.Server) -> Any:
    return load(server.dsn(), SLOW, lambda n: (), sessions=1, pause=0.02)


def is_told(turn: str, kind: str = "slow-query") -> Callable[[list[Got]], bool]:
    return lambda got: bool([one for one in got if stage(one) == turn and one.content["data"]["kind"] == kind])


def stage(one: Got) -> str:
    return str(one.content["data"]["stage"])


def sound(got: list[Got], *kinds: str) -> None:
    """Every alert was told once, and its end once, in that order; what came twice has the same name."""
    names = {one.content["id"]: one for one in got}
    seen: dict[tuple[str, str], list[str]] = {}
    for one in names.values():
        alert = one.content["data"]
        seen.setdefault((alert["key"], alert["opened_at"]), []).append(stage(one))
    for stages in seen.values():
        assert stages[0] == "opened", seen
        assert stages.count("opened") == 1, seen
        assert stages.count("closed") <= 1, seen
        assert "closed" not in stages[:-1], seen
    keys = [key for key, _ in seen]
    assert len(keys) == len(set(keys)), f"it opened again: {seen}"
    assert {one.content["data"]["kind"] for one in got} == set(kinds or ("slow-query",))


def through(dsn: str, port: int) -> str:
    """The same database over a proxy."""
    parts = [part for part in dsn.split() if not part.startswith(("host=", "port="))]
    return " ".join([f"host=127.0.0.1 port={port}", *parts])


def socket_of(server: pg.Server) -> Path:
    (host,) = (part[5:] for part in server.dsn().split() if part.startswith("host="))
    return Path(host) / f".s.PGSQL.{server.port}"


@pytest.mark.parametrize("point", ["before the commit", "after the commit", "before the answer"])
def test_killed_at_the_worst_moments(
    place: Path, told: Sink, state: str, production: pg.Server, server18: pg.Server, point: str
) -> None:
    """Killed with an alert on its way: before it is kept, when it is kept, and when the channel has taken it."""
    with (
        proxy(socket_of(server18)) as between,
        watcher(place, settings(told), SHOP_DSN=production.dsn(), STORE_DSN=through(state, between.port)) as one,
    ):
        deaths = iter([one.kill])

        def die() -> None:
            for kill in deaths:
                kill()

        if point == "before the answer":
            told.before_answer = die
        else:
            between.hears = at_commit(point, die)
        begun(one)
        with slow(production):
            one.wait()
            between.mend()
            begun(one)
            told.wait(is_told("opened"))
        got = told.wait(is_told("closed"))
        assert is_told("closed")(got)
        sound(got)


def at_commit(point: str, die: Callable[[], None]) -> Callable[[str, bytes], None]:
    """Hear a commit that holds a letter, and die before it reaches the store, or before its answer comes back."""
    heard = {"letter": False, "commit": False, "dead": False}

    def hears(who: str, said: bytes) -> None:
        if who == "client":
            heard["letter"] |= b"INSERT INTO premortem.letter" in said
            heard["commit"] = heard["letter"] and b"COMMIT" in said
            if heard["commit"] and point == "before the commit" and not heard["dead"]:
                heard["dead"] = True
                die()
                raise OSError("it never arrives")
        elif heard["commit"] and point == "after the commit":
            die()

    return hears


def test_killed_again_and_again(place: Path, told: Sink, state: str, production: pg.Server) -> None:
    with watcher(place, settings(told), SHOP_DSN=production.dsn(), STORE_DSN=state) as one:
        with slow(production):
            for seconds in (0.0, 1.2, 2.6):
                begun(one)
                time.sleep(seconds)
                one.kill()
            begun(one)
            told.wait(is_told("opened"))
        got = told.wait(is_told("closed"))
        assert is_told("closed")(got)
        sound(got)


def test_the_database_crashes_and_comes_back(place: Path, told: Sink, state: str, production: pg.Server) -> None:
    # On a busy machine it takes longer to come back than three polls: that it is away is not what this is about.
    text = settings(told).replace("[watch.limits]", "[watch.limits]\nunreached_polls = 1000")
    with watcher(place, text, SHOP_DSN=production.dsn(), STORE_DSN=state) as one:
        begun(one)
        with slow(production):
            told.wait(is_told("opened"))
            production._halt("immediate")
            one.says("event=poll.failed")
            production._launch()
            one.says("event=poll.again")
        got = told.wait(is_told("closed"))
        assert is_told("closed")(got)
        sound(got)
        assert one.gauge("premortem_up", instance="shop-1") == 1


def test_the_network_is_cut_for_longer(place: Path, told: Sink, state: str, production: pg.Server) -> None:
    with (
        proxy(socket_of(production)) as between,
        watcher(place, settings(told), SHOP_DSN=through(production.dsn(), between.port), STORE_DSN=state) as one,
    ):
        begun(one)
        polled(one)
        between.cut()
        told.wait(is_told("opened", "instance-unreached"))
        assert one.gauge("premortem_up", instance="shop-1") == 0
        assert one.ask("GET", "/healthz")[0] == 200
        between.mend()
        got = told.wait(is_told("closed", "instance-unreached"))
        assert is_told("closed", "instance-unreached")(got)
        sound(got, "instance-unreached")
        assert one.log.count("event=poll.failed") == 1


def test_the_store_is_down_while_it_hurts(
    place: Path, told: Sink, state: str, production: pg.Server, server18: pg.Server
) -> None:
    """Nothing is forgotten meanwhile: neither the alert, nor a single call in history."""
    with (
        proxy(socket_of(server18)) as between,
        watcher(place, settings(told), SHOP_DSN=production.dsn(), STORE_DSN=through(state, between.port)) as one,
    ):
        with pg.writer(production, purpose="test") as db:
            db.execute("SELECT pg_stat_statements_reset()")
        begun(one)
        polled(one, 2)
        between.cut()
        with slow(production):
            one.says("event=alert.opened")
            assert one.ask("GET", "/readyz")[0] == 503
            between.mend()
            told.wait(is_told("opened"))
        got = told.wait(is_told("closed"))
        assert is_told("closed")(got)
        sound(got)
        assert one.says("event=store.again")
        assert (one.gauge("premortem_store_failures_total") or 0) > 0
        assert calls_in(state) == calls_of(production)


def calls_of(server: pg.Server) -> int:
    with pg.writer(server, purpose="test") as db:
        return int(
            db.value(
                "SELECT sum(calls) FROM pg_stat_statements WHERE query LIKE 'SELECT pg_sleep(%%items'",
            )
            or 0
        )


def calls_in(state: str) -> int:
    with pg.writer(state, purpose="test") as db:
        return int(
            db.value(
                "SELECT sum(m.calls) FROM premortem.minute m JOIN premortem.subject u ON u.id = m.subject"
                " JOIN premortem.statement s ON s.id = u.statement_id WHERE s.text LIKE 'SELECT pg_sleep(%%items'",
            )
            or 0
        )


def test_a_channel_that_answers_everything_but_200(place: Path, told: Sink, state: str, production: pg.Server) -> None:
    told.answers = [500, None, 429]
    with watcher(place, settings(told), SHOP_DSN=production.dsn(), STORE_DSN=state) as one:
        begun(one)
        with slow(production):
            got = told.wait(is_told("opened"))
        assert [one.answered for one in told.got[:4]] == [500, 0, 429, 200]
        assert {one.content["subject"] for one in told.got[:4]} == {got[0].content["subject"]}
        assert [stage(one) for one in got] == ["opened"]
        assert "level=warning event=channel.failed channel=ops" in one.log


def test_what_a_timeout_always_ends_is_told_by_the_log(
    place: Path, told: Sink, state: str, production: pg.Server
) -> None:
    """Cancelled after 80 ms each time, it is in no counter and hardly ever seen in the activity."""
    dsn = 'dsn = { env = "SHOP_DSN" }'
    text = settings(told).replace(dsn, f"{dsn}\nlog = {toml(str(production._home.log))}")
    with pg.writer(production, purpose="test") as db:
        db.execute("ALTER DATABASE postgres SET statement_timeout = '80ms'")
    with watcher(place, text, SHOP_DSN=production.dsn(), STORE_DSN=state) as one:
        begun(one)
        with load(production.dsn(), "SELECT pg_sleep(%s), count(*) FROM items", lambda n: (60 + n,), sessions=1):
            got = told.wait(lambda got: bool(got))
        assert got, one.log
        alert = got[0].content["data"]
        assert alert["statement"]["tables"] == ["items"]
        assert alert["kind"] in ("slow-query", "running-query")
        assert "poll.gap" not in one.log
    with pg.writer(production, purpose="test") as db:
        db.execute("ALTER DATABASE postgres RESET statement_timeout")


def test_two_watchers_share_a_fleet(told: Sink, state: str, production: pg.Server) -> None:
    """One has the instance; when it is killed, the other goes on from where it was."""
    variables = {"SHOP_DSN": production.dsn(), "STORE_DSN": state}
    with (
        folder() as here,
        folder() as there,
        watcher(here, settings(told), **variables) as first,
        watcher(there, settings(told), **variables) as second,
    ):
        begun(first)
        second.start()
        second.says("event=daemon.begins")
        with slow(production):
            told.wait(is_told("opened"))
            assert "event=watch.begins" not in second.log
            first.kill()
            assert "open_alerts=1" in second.says("event=watch.begins")
        got = told.wait(is_told("closed"))
        assert is_told("closed")(got)
        sound(got)


def test_settings_that_change_to_nonsense_and_back(place: Path, told: Sink, state: str, production: pg.Server) -> None:
    good = settings(told)
    with watcher(place, good, SHOP_DSN=production.dsn(), STORE_DSN=state, SECRET="s3cret-value") as one:
        begun(one)
        for nonsense, says in (
            ("[watch\n", "is no TOML"),
            (good.replace("poll_seconds = 0.5", 'poll_seconds = "often"'), "poll_seconds"),
            (good.replace("SHOP_DSN", "NOWHERE"), "NOWHERE, which is not set"),
            (good.partition("[[instances]]")[0], "no instance"),
            (good.replace('kind = "webhook"', 'kind = "pigeon"'), "pigeon"),
        ):
            one.settings.write_text(nonsense)
            before = one.log.count("event=settings.refused")
            one.signal(signal.SIGHUP)
            assert says in one.says("event=settings.refused", times=before + 1)
            assert one.gauge("premortem_settings_refused") == 1
        with sink() as other:
            with slow(production):  # all the while: an alert must not end for any other reason
                assert is_told("opened")(told.wait(is_told("opened"))), "the old settings hold"
                again = good.replace("shop-1", "shop-2").replace(told.url, other.url)
                one.settings.write_text(again)
                one.signal(signal.SIGHUP)
                one.says("event=watch.begins instance=shop-2")
                assert one.gauge("premortem_settings_refused") == 0
                got = other.wait(lambda got: is_told("closed")(got) and is_told("opened")(got))
            (ends,) = [found.content["data"] for found in got if stage(found) == "closed"]
            assert ends["instance"] == "shop-1"
            assert "nobody watches this instance any more" in ends["says"]
            (begins,) = [found.content["data"] for found in got if stage(found) == "opened"]
            assert begins["instance"] == "shop-2"
        assert one.stop() == 0


def test_signals(place: Path, told: Sink, state: str, production: pg.Server) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with watcher(place, settings(told), SHOP_DSN=production.dsn(), STORE_DSN=state) as one:
            begun(one)
            one.signal(number)
            assert one.wait() == 0
            assert "event=daemon.stops" in one.log
            assert "Traceback" not in one.log


def swallowed(one: Watcher, between: Proxy) -> None:
    """Have a network swallow everything, and wait until it has swallowed a question: of a connection that there is."""
    polled(one)
    asked = threading.Event()

    def hears(who: str, said: bytes) -> None:
        if who == "client" and between.silent:
            asked.set()

    between.hears = hears
    between.silent = True
    assert asked.wait(90)


def test_a_second_signal_ends_it_at_once(place: Path, told: Sink, state: str, production: pg.Server) -> None:
    with (
        proxy(socket_of(production)) as between,
        watcher(place, settings(told), SHOP_DSN=through(production.dsn(), between.port), STORE_DSN=state) as one,
    ):
        begun(one)
        swallowed(one, between)  # a poll is under way that no answer will end
        one.signal(signal.SIGTERM)
        one.says("event=daemon.stops")
        one.signal(signal.SIGTERM)
        assert one.wait() == 128 + signal.SIGTERM


def test_a_network_that_swallows_everything_does_not_keep_it_from_ending(
    place: Path, told: Sink, state: str, production: pg.Server
) -> None:
    with (
        proxy(socket_of(production)) as between,
        watcher(place, settings(told), SHOP_DSN=through(production.dsn(), between.port), STORE_DSN=state) as one,
    ):
        begun(one)
        swallowed(one, between)
        one.signal(signal.SIGTERM)
        assert one.wait() == 0
