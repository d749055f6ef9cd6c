"""A server for a suite: empty, quick, and with a log that holds every statement and its parameters.

`log_statement = all` it is, not `log_min_duration_statement = 0`: both carry the parameters of the extended protocol,
but the second writes three entries for a statement (parse, bind, execute) where the first writes one, and it says how
long an empty table took, which nobody asks.
"""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from premortem import pg
from premortem.capture import watching
from premortem.capture.target import Target
from premortem.errors import InstallationError, UsageError

Setting = str | int | float | bool

_FILE = "statements"
_LONGEST_FLUSH = 30.0  # seconds; what is not in the log by then is missing from the capture
_LONGEST_PARAMETER = 4096  # in bytes; nobody plans a query for a photograph
_COMMON: dict[str, Setting] = {
    "log_statement": "all",
    "logging_collector": True,
    "log_directory": "log",
    "log_rotation_age": 0,
    "log_rotation_size": 0,
    "log_checkpoints": False,
    "log_autovacuum_min_duration": -1,
    "max_connections": 300,  # a worker per core, each with a pool, and a few that nobody closed
    "max_locks_per_transaction": 256,  # a flush truncates every table in one statement
    "shared_buffers": "256MB",
}
# Normalised texts are worth having for what the log does not show: statements inside of functions.
_COUNTED: dict[str, Setting] = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "pg_stat_statements.track_utility": False,
    "pg_stat_statements.max": 20_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """A running server, its log and where that begins to be the suite's, and what a suite needs to know to use it."""

    server: pg.Server
    target: Target
    log: Path
    form: str
    begins: int = 0

    def flush(self) -> None:
        """Wait until the log holds what backends wrote to it: a process of its own collects that from them."""
        mark = f"premortem mark {secrets.token_hex(8)}"
        with pg.writer(self.server, purpose="capture") as db:
            db.execute(pg.SQL("DO $$ BEGIN RAISE LOG {}; END $$").format(pg.Literal(mark)))
        deadline = time.monotonic() + _LONGEST_FLUSH
        while time.monotonic() < deadline and mark.encode() not in _end_of(self.log):
            time.sleep(0.005)


def _end_of(log: Path) -> bytes:
    if not log.exists():
        return b""
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - (1 << 20), 0))
        return file.read()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a suite expects of its server; the role is a superuser, as in the images that suites are used to."""

    major: int | None = None
    user: str = "app"
    password: str | None = None
    database: str = "app"
    locale: pg.Locale | None = None


@contextlib.contextmanager
def recording(wanted: Wanted) -> Iterator[Recorder]:
    """Start a server that logs every statement; it is gone with the block.

    Raises InstallationError where there is no usable PostgreSQL.
    """
    chosen = _installation(wanted.major)
    form = "jsonlog" if chosen.major >= 15 else "csvlog"
    locale = wanted.locale or _locale(chosen.major)
    with pg.start(chosen, settings=_settings(chosen, form), tcp=True, locale=locale) as server:
        watching.install(server)  # before there is a database that should have it
        target = _made(server, wanted)
        log = server.data_directory / "log" / f"{_FILE}{'.json' if form == 'jsonlog' else '.csv'}"
        recorder = Recorder(server=server, target=target, log=log, form=form)
        recorder.flush()
        yield replace(recorder, begins=log.stat().st_size)


def _installation(major: int | None) -> pg.Installation:
    """The programs of exactly the version that somebody named: a suite may use what only that version has."""
    if major is None:
        return pg.installation()
    found = pg.exact_installation(major)
    if found is None:
        raise InstallationError(
            f"PostgreSQL {major} is not on this machine",
            hint="install it, or name the folder of it in PREMORTEM_PG_BIN",
        )
    return found


def _settings(chosen: pg.Installation, form: str) -> dict[str, Setting]:
    longest = {"log_parameter_max_length": _LONGEST_PARAMETER} if chosen.major >= 13 else {}
    counted = _COUNTED if "pg_stat_statements" in chosen.extensions() else {}
    files = {"log_destination": form, "log_filename": f"{_FILE}.log"}
    return {**_COMMON, **files, **longest, **counted}


def _locale(major: int) -> pg.Locale:
    """A locale that knows upper and lower case beyond ASCII, where there is one without asking the machine's."""
    if major >= 17:
        return pg.Locale(provider="builtin", locale="C.UTF-8")
    named = next((name for name in _system_locales() if name.lower().replace("-", "") == "c.utf8"), None)
    return pg.Locale(collate=named, ctype=named) if named else pg.Locale()


def _system_locales() -> list[str]:
    try:
        return subprocess.run(["locale", "-a"], capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return []


def _made(server: pg.Server, wanted: Wanted) -> Target:
    """The suite's role and database on a new server."""
    password = wanted.password or secrets.token_hex(16)
    if wanted.user == server.superuser:
        raise UsageError(f"the role {wanted.user} is premortem's own on that server", hint="name another with --user")
    if wanted.database == watching.OURS:
        raise UsageError(
            f"the database {wanted.database} is premortem's own there", hint="name another with --database"
        )
    role, database = pg.Identifier(wanted.user), pg.Identifier(wanted.database)
    with pg.writer(server, purpose="capture") as db:
        db.execute("SET log_statement = 'none'")
        db.execute("ALTER ROLE CURRENT_USER SET log_statement = 'none'")
        db.execute(pg.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(role, pg.Literal(password)))
        if wanted.database != "postgres":
            db.execute(pg.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
        if "pg_stat_statements" in server.installation.extensions():
            db.execute("ALTER ROLE CURRENT_USER SET pg_stat_statements.track = 'none'")
            # Of template0, which has no gate: the extension's script drops things, and nobody watches yet.
            db.execute(pg.SQL("CREATE DATABASE {} TEMPLATE template0").format(pg.Identifier(watching.OURS)))
            with pg.writer(server, purpose="capture", database=watching.OURS) as own:
                own.execute("CREATE EXTENSION pg_stat_statements")
    return Target(host="127.0.0.1", port=server.port, user=wanted.user, password=password, database=wanted.database)
