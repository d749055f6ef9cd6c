"""A production to make twins of: a schema with one of every index kind, loaded once per server."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from premortem import catalog, pg, plans, twin
from premortem.model import ParameterSet, Plan, Profile, Query, Site, Values

HERE = Path(__file__).parent
ROWS = 20_000
LITERAL = ParameterSet(name="literal")


def statements(file: str) -> list[str]:
    return [s.strip() for s in (HERE / file).read_text().replace(":rows", str(ROWS)).split(";\n") if s.strip()]


def query(text: str) -> Query:
    return Query(text=text, original=text, fingerprint=text, site=Site(source="test"))


def plan_there(dsn: str, text: str) -> Plan:
    with pg.writer(dsn, purpose="test") as db:
        return plans.parse_json(db.value(f"EXPLAIN (FORMAT JSON, VERBOSE) {text}"))


def pulled(dsn: str) -> Profile:
    with pg.session(dsn, purpose="test") as session:
        return catalog.pull(session, values=Values.ALL)


@pytest.fixture(autouse=True)
def twins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for the twins of one test, where the server's user can reach it."""
    folder = pg.cache_directory() / f"twins-{secrets.token_hex(6)}"
    folder.mkdir(mode=0o755)
    monkeypatch.setattr("premortem.twin.cache._root", lambda: folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def production(database: str) -> Callable[[str], Profile]:
    """Runs a script in a fresh database, analyzes it, and pulls its profile."""

    def make(script: str) -> Profile:
        with pg.writer(database, purpose="test") as db:
            for statement in script.split(";\n"):
                if statement.strip():
                    db.execute(statement)
            db.execute("VACUUM ANALYZE")
        return pulled(database)

    return make


@pytest.fixture
def opened(server: pg.Server) -> Iterator[Callable[..., twin.Twin]]:
    """Opens twins on the server's own installation and closes them after the test."""
    with ExitStack() as stack:

        def open_twin(profile: Profile, **how: object) -> twin.Twin:
            return stack.enter_context(twin.open(profile, installation=server.installation, **how))  # type: ignore[arg-type]

        yield open_twin
