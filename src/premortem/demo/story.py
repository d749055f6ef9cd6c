"""Tells the incident step by step; whoever calls it decides how text is shown and how a command is run."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from premortem import pg
from premortem.demo import shop
from premortem.demo.shop import Measured
from premortem.errors import PremortemError

Say = Callable[[str], None]
Command = Callable[[Sequence[str]], int]

#: How often a busy shop asks for one product's open items, for the sentence on connections.
_CALLS_PER_SECOND = 60
_WORK_MEMORY = {"shared_buffers": "256MB", "maintenance_work_mem": "256MB", "max_wal_size": "4GB", "autovacuum": "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """How the story reaches its listener: prose, progress of what takes long, and commands that are really run."""

    say: Say
    told: Say
    premortem: Command


def run(teller: Teller, *, keep: bool = False, wait: Callable[[], None] | None = None) -> int:
    """Tell the incident and return 0 where it went as the post-mortem should have.

    With `keep`, the server stays until `wait` returns, and the folder with the profile stays for good.
    """
    folder = Path(tempfile.mkdtemp(prefix="premortem-demo-"))
    try:
        with _shop(teller) as server:
            with contextlib.chdir(folder):
                _tell(teller, server)
            if keep and wait is not None:
                _look_around(teller, server, folder)
                wait()
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


@contextlib.contextmanager
def _shop(teller: Teller) -> Iterator[pg.Server]:
    began = time.monotonic()
    teller.told("starting PostgreSQL")
    settings = {**_WORK_MEMORY, "shared_preload_libraries": "pg_stat_statements"}
    with pg.start(settings=settings, tcp=True) as server:
        for name, items in (("development", shop.DEVELOPMENT_ITEMS), ("production", shop.PRODUCTION_ITEMS)):
            teller.told(f"loading {items:,} order items into {name}")
            with pg.writer(server, purpose="demo") as db:
                db.execute(f"CREATE DATABASE {name}")
            with pg.writer(server, purpose="demo", database=name) as db:
                db.execute("CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pageinspect")
                shop.load(db, items)
        teller.say(
            f"PostgreSQL {server.installation.version} runs, with a shop of {shop.PRODUCTION_ITEMS:,} order items in\n"
            f"production and {shop.DEVELOPMENT_ITEMS:,} in development ({time.monotonic() - began:.0f} s).\n"
        )
        yield server


def _tell(teller: Teller, server: pg.Server) -> None:
    requested = Path("queries")
    requested.mkdir()
    (requested / "open_items.sql").write_text(shop.PULL_REQUEST)
    teller.say("1. A pull request adds a query\n\n" + _indented(shop.PULL_REQUEST))
    with pg.writer(server, purpose="demo", database="development") as db:
        small = shop.measure(db)
    teller.say(f"   On the developer's copy it takes {_ms(small)} and reads {small.pages:,} pages. It is approved.\n")

    profile = "prod.profile"
    teller.say("2. Once a day, production's profile is taken: statistics, no rows\n")
    _command(teller, "profile", "pull", server.dsn("production"), "-o", profile)

    teller.say("\n3. The gate plans the query as production would\n")
    shown = _command(teller, "check", "-p", profile, "queries/")
    teller.premortem(["check", "-p", profile, "queries/", "--format", "json", "--output", "report.json"])
    sql = _proposed(Path("report.json"))
    if shown != 1 or not sql:
        raise PremortemError(
            f"the gate did not stop the pull request (exit code {shown})", hint="please report this as a bug"
        )
    teller.say("   The build fails, with exit code 1. So far nothing has touched production's data.\n")
    _repair(teller, server, sql)


def _repair(teller: Teller, server: pg.Server, sql: Sequence[str]) -> None:
    teller.say(
        "4. Is it true? The same query in production for its best-selling product,\n"
        "   before and after the proposed index\n"
    )
    with pg.writer(server, purpose="demo", database="production") as db:
        teller.told("measuring in production")
        before = shop.measure(db)
        began = time.monotonic()
        for statement in sql:
            teller.told(f"running {statement}")
            db.execute(statement)
        built = time.monotonic() - began
        after = shop.measure(db)
    rows = f"{before.rows:,} rows"
    teller.say(
        f"   before   {_ms(before):>10}   {before.pages:>9,} pages   {rows}\n"
        + "".join(_indented(s, "   premortem=# ") for s in sql)
        + f"            {built:9.1f} s to build\n"
        f"   after    {_ms(after):>10}   {after.pages:>9,} pages   {after.rows:,} rows\n\n"
        f"   {before.milliseconds / max(after.milliseconds, 0.001):,.0f} times faster. {_connections(before, after)}\n"
    )


def _connections(before: Measured, after: Measured) -> str:
    """Little's law: calls per second times seconds per call is how many connections are busy."""
    busy = [_CALLS_PER_SECOND * m.milliseconds / 1000 for m in (before, after)]
    return (
        f"At {_CALLS_PER_SECOND} calls a second (assumed) the query\n   keeps {busy[0]:,.1f} connections busy"
        f" before and {busy[1]:,.2f} after: that is how a pool runs out."
    )


def _look_around(teller: Teller, server: pg.Server, folder: Path) -> None:
    psql = server.installation.program("psql")
    teller.say(
        "Look around (the server is gone when you press Ctrl-C):\n\n"
        f"   {shlex.quote(str(psql))} {shlex.quote(server.tcp_dsn('production'))}\n"
        f"   premortem explain -p {folder}/prod.profile \"select * from orders where status = 'pending'\"\n"
        f"   premortem check -p {folder}/prod.profile {folder}/queries --format markdown\n"
    )


def _command(teller: Teller, *arguments: str) -> int:
    """Show a command as a user types it, run it, and return its exit code."""
    shown = ['"$PROD_DSN"' if "host=" in a else shlex.quote(a) for a in arguments]
    teller.say(f"   $ premortem {' '.join(shown)}\n")
    return teller.premortem(arguments)


def _proposed(report: Path) -> list[str]:
    findings = [f for q in json.loads(report.read_text())["queries"] for f in q["findings"]]
    remedies = [f["remedy"] for f in findings if f.get("remedy") and f["remedy"]["sql"]]
    return list(dict.fromkeys(s for r in remedies for s in r["sql"]))


def _indented(text: str, by: str = "   ") -> str:
    return "".join(f"{by}{line}\n" for line in text.rstrip().splitlines())


def _ms(measured: Measured) -> str:
    return f"{measured.milliseconds:,.1f} ms" if measured.milliseconds >= 1 else f"{measured.milliseconds:.2f} ms"
