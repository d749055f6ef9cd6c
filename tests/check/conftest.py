"""A shop with enough rows to hurt, its profile, and a twin of it: made once for all tests of a worker and version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import pytest

from premortem import catalog, check, pg, sources, twin
from premortem.model import Profile, Query, QueryReport, Site, Unreadable, Values
from premortem.settings import Settings, parse
from tests.check.shop import fill


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A running twin of the shop."""

    profile: Profile
    twin: twin.Twin

    def judge(self, sql: str, settings: str = "") -> tuple[QueryReport, ...]:
        """Judge every statement of a text as check does."""
        return self.judge_all(sources.text(sql, Site(source="q.sql", line=1)), parse(settings, "premortem.toml"))

    def judge_all(self, queries: tuple[Query | Unreadable, ...], settings: Settings) -> tuple[QueryReport, ...]:
        planner = check.Planner(
            explain=self.twin.explain, parameter_types=self.twin.parameter_types, replanner=self.twin.replanner
        )
        return tuple(check.run_all(queries, planner=planner, profile=self.twin.profile, settings=settings))


Judge: TypeAlias = Callable[..., tuple[QueryReport, ...]]


def profile_of(server: pg.Server) -> Profile:
    with pg.writer(server, purpose="test") as db:
        db.execute("CREATE DATABASE shop_of_check")
    dsn = server.dsn("shop_of_check")
    with pg.writer(dsn, purpose="test") as db:
        fill(db)
    with pg.session(dsn, purpose="test") as session:
        return catalog.pull(session, values=Values.LOW_CARDINALITY)


@pytest.fixture(scope="session")
def shop15(server15: pg.Server) -> Iterator[Shop]:
    profile = profile_of(server15)
    with twin.open(profile) as opened:
        yield Shop(profile=profile, twin=opened)


@pytest.fixture(scope="session")
def shop18(server18: pg.Server) -> Iterator[Shop]:
    profile = profile_of(server18)
    with twin.open(profile) as opened:
        yield Shop(profile=profile, twin=opened)


@pytest.fixture(params=[15, 18], ids=["pg15", "pg18"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """The shop on each version in turn."""
    made: Shop = request.getfixturevalue(f"shop{request.param}")
    return made
