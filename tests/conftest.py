"""The servers that tests run on: real ones, started once per worker, with a fresh database for every test."""

from __future__ import annotations

import itertools
import operator
import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from premortem import pg

MAJORS = (15, 18)
# What our rooms read on production, so that every test server can be production.
SETTINGS: dict[str, str | int | float | bool] = {
    "shared_preload_libraries": "pg_stat_statements",
    "max_connections": 50,
    "autovacuum": False,
    # Else what VACUUM finds visible to all, and so the plans, depend on whether a commit is in the log already.
    "synchronous_commit": True,
}
CACHE = os.environ.get("PREMORTEM_CACHE_DIR")
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_numbers = itertools.count(1)
# How long an example takes says how busy the machine is, and nothing about us.
settings.register_profile(
    "patient", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-pg", action="store_true", help="fail, not skip, when a PostgreSQL version is missing")


def pytest_report_header() -> str:
    found = ", ".join(f"{one.version} ({one.origin})" for one in pg.installations())
    return f"PostgreSQL: {found or 'none'}"


def allows(spec: str, major: int) -> bool:
    """Whether a marker such as `>= 16` admits that major version."""
    sign, _, number = spec.partition(" ")
    return _COMPARE[sign](major, int(number))


def _started(config: pytest.Config, major: int) -> Iterator[pg.Server]:
    installation = pg.exact_installation(major)
    if installation is None:
        missing = f"PostgreSQL {major} is not on this machine"
        if config.getoption("--require-pg"):
            pytest.fail(missing)
        pytest.skip(missing)
    with pytest.MonkeyPatch.context() as patch:  # the first test that asks may have a cache folder of its own
        if CACHE is None:
            patch.delenv("PREMORTEM_CACHE_DIR", raising=False)
        else:
            patch.setenv("PREMORTEM_CACHE_DIR", CACHE)
        server = pg.start(installation, settings=SETTINGS)
    with server:
        yield server


@pytest.fixture(scope="session")
def server15(pytestconfig: pytest.Config) -> Iterator[pg.Server]:
    yield from _started(pytestconfig, 15)


@pytest.fixture(scope="session")
def server18(pytestconfig: pytest.Config) -> Iterator[pg.Server]:
    yield from _started(pytestconfig, 18)


@pytest.fixture(params=MAJORS, ids=[f"pg{major}" for major in MAJORS])
def server(request: pytest.FixtureRequest) -> pg.Server:
    """Each version's server in turn, unless the test's marker `pg` leaves it out."""
    for mark in request.node.iter_markers("pg"):
        if not allows(mark.args[0], request.param):
            pytest.skip(f"needs PostgreSQL {mark.args[0]}")
    started: pg.Server = request.getfixturevalue(f"server{request.param}")
    return started


@pytest.fixture
def database(server: pg.Server) -> Iterator[str]:
    """The connection string of a fresh database, with pg_stat_statements, which is dropped afterwards."""
    name = f"test_{next(_numbers)}"
    with pg.writer(server, purpose="test") as db:
        if not db.value("SELECT 1 FROM pg_database WHERE datname = 'test_template'"):
            _make_template(server, db)
        db.execute(f"CREATE DATABASE {name} TEMPLATE test_template")
    yield server.dsn(name)
    with pg.writer(server, purpose="test") as db:
        db.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _make_template(server: pg.Server, db: pg.Session) -> None:
    db.execute("CREATE DATABASE test_template")
    with pg.writer(server, purpose="test", database="test_template") as template:
        template.execute("CREATE EXTENSION pg_stat_statements")
