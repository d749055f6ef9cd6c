"""A small production, its profile, and empty databases to mirror it in."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from premortem import catalog, mirror, pg
from premortem.catalog.file import dump
from premortem.mirror import Built, Crewing, Options, Place
from premortem.model import Profile, Values

SCHEMA = Path(__file__).parent / "shop.sql"
_profiles: dict[int, Profile] = {}
_numbers = itertools.count(1)


def script(db: pg.Session, text: str) -> None:
    """Run the statements of a text."""
    for statement in text.split(";\n"):
        if statement.strip():
            db.execute(statement)


def pulled(server: pg.Server, text: str, settings: tuple[str, ...] = ()) -> Profile:
    """The profile of a database that a text makes."""
    name = f"production_{next(_numbers)}"
    with pg.writer(server, purpose="test") as db:
        db.execute(f"CREATE DATABASE {name}")
    with pg.writer(server, purpose="test", database=name) as db:
        db.execute("SELECT setseed(0.5)")
        script(db, text)
        for setting in settings:
            db.execute(setting)
    with pg.session(server, purpose="test", database=name) as db:
        profile = catalog.pull(db, values=Values.ALL)
    with pg.writer(server, purpose="test") as db:
        db.execute(f"DROP DATABASE {name}")
    return profile


@pytest.fixture
def shop(server: pg.Server) -> Profile:
    """The profile of a shop on the test's server."""
    major = server.installation.major
    if major not in _profiles:
        _profiles[major] = pulled(server, SCHEMA.read_text())
    return _profiles[major]


@pytest.fixture
def shop18(server18: pg.Server) -> Profile:
    if 18 not in _profiles:
        _profiles[18] = pulled(server18, SCHEMA.read_text())
    return _profiles[18]


def _empty(server: pg.Server) -> Iterator[Place]:
    name = f"mirror_{next(_numbers)}"
    with pg.writer(server, purpose="test") as db:
        db.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        db.execute(f"ALTER DATABASE {name} SET premortem.role = 'staging'")  # the profiles' cluster is this one
    yield Place(dsn=server.dsn(name))
    with pg.writer(server, purpose="test") as db:
        db.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty(server: pg.Server) -> Iterator[Place]:
    """An empty database that says that it is for staging."""
    yield from _empty(server)


@pytest.fixture
def empty18(server18: pg.Server) -> Iterator[Place]:
    yield from _empty(server18)


@pytest.fixture
def other18(server18: pg.Server) -> Iterator[Place]:
    yield from _empty(server18)


def digest(profile: Profile) -> str:
    return hashlib.sha256(dump(profile)).hexdigest()


def built(
    place: Place, profile: Profile, options: Options | None = None, *, workers: int | None = None, resume: bool = False
) -> Built:
    """Build the mirror of a profile."""
    return mirror.build(
        place,
        profile,
        options or Options(),
        digest=digest(profile),
        crewing=Crewing(workers=workers),
        resume=resume,
    )


def value(place: Place, sql: str) -> object:
    with pg.writer(place.dsn, purpose="test") as db:
        return db.value(sql)


def values(place: Place, sql: str) -> tuple[object, ...]:
    with pg.writer(place.dsn, purpose="test") as db:
        return db.values(sql)
