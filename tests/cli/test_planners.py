"""Several planners at once: the same answers as one gives, kept when interrupted, and nothing left behind."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path

import pytest

from premortem import catalog, pg
from premortem.cli import parallel, planners
from premortem.errors import PremortemError
from premortem.model import (
    Answer,
    IndexCandidate,
    IndexKey,
    Profile,
    Query,
    Question,
    RelationName,
    Site,
    Unreadable,
    Values,
)
from premortem.workload import Studied

TABLES = 6
SCHEMA = [
    statement
    for n in range(TABLES)
    for statement in (
        f"create table t{n} (id int primary key, a int, b int, c text)",
        f"insert into t{n} select i, i % 900, i % 7, repeat('x', 40) from generate_series(1, 9000) i",
    )
]
TEXTS = [
    text
    for n in range(TABLES)
    for text in (
        f"select * from t{n} where a = $1",
        f"select a, count(*) from t{n} where b = 3 group by a order by 2 desc limit 5",
        f"select * from t{n} x join t{(n + 1) % TABLES} y on x.a = y.id where x.b = $1 and y.b = 4",
        f"select * from t{n} where nothing = 1",
    )
]


def query(text: str) -> Query:
    return Query(
        text=text, original=text, fingerprint=text, site=Site(source="test"), parameter_count=int("$1" in text)
    )


QUERIES = [query(text) for text in TEXTS]


@pytest.fixture(scope="module", params=(15, 18), ids=("pg15", "pg18"))
def profile(request: pytest.FixtureRequest) -> Iterator[Profile]:
    server = request.getfixturevalue(f"server{request.param}")
    with pg.writer(server, purpose="test") as db:
        db.execute("CREATE DATABASE planners")
    with pg.writer(server.dsn("planners"), purpose="test") as db:
        for statement in SCHEMA:
            db.execute(statement)
        db.execute("VACUUM ANALYZE")
    with pg.session(server.dsn("planners"), purpose="test") as session:
        pulled = catalog.pull(session, values=Values.ALL)
    yield pulled
    with pg.writer(server, purpose="test") as db:
        db.execute("DROP DATABASE planners")


@pytest.fixture(scope="module")
def cache() -> Iterator[Path]:
    """A folder for the twins, which child processes inherit through the environment."""
    folder = pg.cache_directory() / f"planners-{secrets.token_hex(6)}"
    folder.mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def world(profile: Profile, cache: Path, monkeypatch: pytest.MonkeyPatch) -> parallel.World:
    monkeypatch.setenv("PREMORTEM_CACHE_DIR", str(cache))
    return parallel.World(profile=profile, identity=f"planners {profile.server.major}", assumptions={})


def candidates() -> list[IndexCandidate]:
    return [
        IndexCandidate(
            table=RelationName(schema="public", name=f"t{n}"),
            keys=tuple(IndexKey(column=c) for c in columns),
            include=include,
        )
        for n in range(TABLES)
        for columns, include in ((("a",), ()), (("b", "a"), ()), (("b",), ("c",)), (("nothing",), ()), (("a", "b"), ()))
    ]


def questions(count: int) -> list[Question]:
    """A few for every demand, backwards, some of them twice, with candidates of other tables too."""
    of_each = len(candidates()) // TABLES
    found = []
    for demand in reversed(range(count)):
        own = demand // 3 * of_each
        for visible in ((), (own,), (own + 1, own + 3), range(len(candidates())), (own,)):
            found.append(Question(demand=demand, visible=frozenset(visible)))
        found.append(Question(demand=demand, hidden=frozenset({RelationName(schema="public", name="t0_pkey")})))
    return found


def answered(crew: planners.Planners) -> tuple[tuple[Studied | Unreadable, ...], tuple[Answer, ...]]:
    studied = crew.study(QUERIES)
    world = crew.world([s for s in studied if isinstance(s, Studied)])
    refusals = world.stock(candidates())
    assert [r is not None for r in refusals] == [c.keys[0].column == "nothing" for c in candidates()]
    return studied, world.ask(questions(TABLES * 3))


def test_threads_and_processes_answer_as_one_planner_does_in_order(
    world: parallel.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with planners.opened(world, queries=len(QUERIES), count=1) as crew:
        studied, answers = answered(crew)
        stock = crew.here.stock([s.demand for s in studied if isinstance(s, Studied)])
        stock.stock(candidates())
        assert stock.ask(questions(TABLES * 3)) == answers
    assert [isinstance(s, Unreadable) for s in studied] == ["nothing" in text for text in TEXTS]
    assert any(a.used for a in answers)

    with planners.opened(world, queries=len(QUERIES), count=2) as crew:
        assert [type(s) for s in crew.seats] == [planners.Near, planners.Near]
        assert answered(crew) == (studied, answers)
        assert crew.here.server.running
    assert not crew.here.server.running

    monkeypatch.setattr(planners, "_MANY", 1)
    told: list[int] = []
    with planners.opened(world, queries=len(QUERIES), count=2) as crew:
        assert [type(s) for s in crew.seats] == [planners.Near, planners.Far]
        assert answered(crew) == (studied, answers)
        places = [s.submit(attrgetter("opened.server.data_directory")).result() for s in crew.seats]
        crew.study(QUERIES[:3], told.append)
        assert all(place.exists() for place in places)
    assert len(set(places)) == 2
    assert not any(place.exists() for place in places)
    assert told == [3]


def test_an_answer_that_came_is_not_asked_again_after_an_interruption(
    world: parallel.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = planners.wait, []

    def interrupted(*args: object, **kwargs: object) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)  # type: ignore[call-overload]

    with planners.opened(world, queries=len(QUERIES), count=2) as crew:
        studied = crew.study(QUERIES)
        asked = crew.world([s for s in studied if isinstance(s, Studied)])
        asked.stock(candidates())
        monkeypatch.setattr(planners, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            asked.ask(questions(TABLES * 3))
        monkeypatch.setattr(planners, "wait", real)
        came = len(asked._heard)
        assert 0 < came < len(set(questions(TABLES * 3)))
        (plans, *_) = [asked.plans(q) for q in questions(3)]
        assert plans[0].plan.total_cost > 0
        answers = asked.ask(questions(TABLES * 3))
        assert all(len(a.shown) > 0 for a in answers)
        assert asked.ask(questions(TABLES * 3)) == answers


def test_a_process_that_is_killed_is_one_clear_error(world: parallel.World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planners, "_MANY", 1)
    with planners.opened(world, queries=len(QUERIES), count=2) as crew:
        crew.study(QUERIES)
        far = crew.seats[1]
        place = far.submit(attrgetter("opened.server.data_directory")).result()
        (pid,) = far.executor._processes  # type: ignore[attr-defined]
        os.kill(pid, signal.SIGKILL)
        for _ in range(2):  # whether the end is noticed already or not
            with pytest.raises(PremortemError, match="was killed") as raised:
                crew.study(QUERIES * 4)
            assert "--jobs 1" in str(raised.value.hint)
    for _ in range(600):
        if not place.exists():
            break
        time.sleep(0.1)
    assert not place.exists()


def test_one_query_needs_one_planner_and_many_need_every_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert [planners.seats(n, None) for n in (0, 1, 3, 5000)] == [1, 1, 3, 4]
    assert [planners.seats(5000, n) for n in (1, 2, 9)] == [1, 2, 9]
