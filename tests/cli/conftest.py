"""The command line as its user has it: a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from premortem import catalog, pg
from premortem.model import Values
from tests.check.shop import fill

ODD = """
CREATE SCHEMA other;
CREATE TABLE other.orders (id int PRIMARY KEY, note text);
CREATE TABLE "Überstunden ""x"" "" y" ("größe" int, "select" text);
INSERT INTO other.orders SELECT g, 'n' FROM generate_series(1, 100) g;
INSERT INTO "Überstunden ""x"" "" y" SELECT g, 's' || g FROM generate_series(1, 60000) g;
"""
Premortem: TypeAlias = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def premortem(tmp_path: Path) -> Premortem:
    """Run `premortem` with arguments in an empty folder; `stdin` is its input."""

    def run(*arguments: str | Path, stdin: str | bytes = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "premortem", *map(str, arguments)],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            cwd=tmp_path,
            timeout=timeout,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
        )

    return run


@dataclass(frozen=True)
class Production:
    dsn: str
    profile: Path
    folder: Path


@pytest.fixture(scope="session")
def production(server15: pg.Server, tmp_path_factory: pytest.TempPathFactory) -> Production:
    folder = tmp_path_factory.mktemp("production")
    with pg.writer(server15, purpose="test") as db:
        db.execute("CREATE DATABASE shop_of_cli")
    dsn = server15.dsn("shop_of_cli")
    with pg.writer(dsn, purpose="test") as db:
        fill(db)
        db.execute(ODD)
        db.execute("ANALYZE")
    with pg.session(dsn, purpose="test") as session:
        catalog.write(catalog.pull(session, values=Values.ALL), folder / "prod.profile")
    return Production(dsn=dsn, profile=folder / "prod.profile", folder=folder)
