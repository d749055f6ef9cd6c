"""A production of our own: a schema with what synthesis has to know, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from premortem import catalog, pg, synthesis
from premortem.model import Profile, Values

HERE = Path(__file__).parent
ROWS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """A server with the production database and, by name, mirrors of it."""

    server: pg.Server
    profile: Profile
    pseudonymous: Profile


def script(db: pg.Session, name: str) -> None:
    text = (HERE / name).read_text().replace(":rows", str(ROWS))
    for statement in text.split(";\n"):
        db.execute(statement)


@pytest.fixture(scope="session", params=[15, 18], ids=["pg15", "pg18"])
def production(request: pytest.FixtureRequest) -> Iterator[Production]:
    server: pg.Server = request.getfixturevalue(f"server{request.param}")
    name = f"synthesis_production_{request.param}"
    with pg.writer(server, purpose="test") as db:
        db.execute(f"CREATE DATABASE {name}")
    with pg.writer(server, purpose="test", database=name) as db:
        script(db, "tables.sql")
        script(db, "rows.sql")
        script(db, "keys.sql")
        db.execute("ANALYZE orders, lines, users")
    with pg.session(server, purpose="test", database=name) as db:
        profile = catalog.pull(db, values=Values.ALL)
        pseudonymous = catalog.pull(db, values=Values.LOW_CARDINALITY)
    yield Production(server=server, profile=profile, pseudonymous=pseudonymous)
    with pg.writer(server, purpose="test") as db:
        db.execute(f"DROP DATABASE {name} WITH (FORCE)")


def fill(db: pg.Session, planned: synthesis.Synthesis) -> None:
    """Load every table, as the mirror does it."""
    types = {element for table in planned.tables for fill in table.fills if (element := fill.element)}
    oids = {name: int(db.value("SELECT pg_catalog.to_regtype(%(name)s)::oid", name=name)) for name in types}
    for table in planned.tables:
        if not table.rows:
            continue
        columns = ", ".join(db.quoted(name) for name in table.columns)
        rows = (synthesis.encode(synthesis.chunk(planned, table.relation, n), oids) for n in range(table.chunks))
        db.copy_in(
            f"COPY {table.relation.sql} ({columns}) FROM STDIN (FORMAT binary)",
            (part for parts in ([synthesis.HEADER], rows, [synthesis.TRAILER]) for part in parts),
        )


@pytest.fixture(scope="session", params=["all", "pseudonyms"])
def mirror(request: pytest.FixtureRequest, production: Production) -> Iterator[str]:
    """The connection string of a database that was filled from the profile, its keys added after."""
    profile = production.profile if request.param == "all" else production.pseudonymous
    name = f"synthesis_mirror_{profile.server.major}_{request.param}"
    with pg.writer(production.server, purpose="test") as db:
        db.execute(f"CREATE DATABASE {name}")
    with pg.writer(production.server, purpose="test", database=name) as db:
        script(db, "tables.sql")
        fill(db, synthesis.plan(profile))
        script(db, "keys.sql")
        db.execute("VACUUM ANALYZE")
    yield production.server.dsn(name)
    with pg.writer(production.server, purpose="test") as db:
        db.execute(f"DROP DATABASE {name} WITH (FORCE)")
