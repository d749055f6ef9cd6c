"""`premortem check -m`, from the shell: exit codes, standard input, and what cannot be told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from premortem import catalog, pg
from premortem.model import Profile


@pytest.fixture
def profile(production: Profile, tmp_path: Path, server: pg.Server) -> Path:
    path = tmp_path / "prod.profile"
    catalog.write(production, path)
    return path


def premortem(profile: Path, *arguments: str, stdin: str = "", path: str | None = None) -> tuple[int, str]:
    command = [sys.executable, "-m", "premortem", "check", "-q", "-p", str(profile), *arguments]
    environment = os.environ | ({"PATH": path} if path is not None else {})
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.pg("== 18")
def test_the_gate_says_yes_no_and_could_not_tell(profile: Path, tmp_path: Path) -> None:
    good, bad, odd = (tmp_path / name for name in ("good.sql", "bad.sql", "odd.sql"))
    good.write_text("SET lock_timeout = '1s';\nALTER TABLE tiny ADD COLUMN b bigint;\n")
    bad.write_text("CREATE INDEX orders_note ON orders (note);\n")
    odd.write_text("ALTER TABLE nowhere ADD COLUMN b int;\n")

    assert premortem(profile, "-m", str(good))[0] == 0
    code, said = premortem(profile, "-m", "-", "-f", "markdown", stdin=bad.read_text())
    assert code == 1
    assert "<stdin>:1" in said
    assert "require-concurrent-index-creation" in said
    code, said = premortem(profile, "-m", str(odd))
    assert code == 3
    assert "odd.sql:1" in said
    assert premortem(profile, "-m", "-", "-", stdin="select 1")[0] == 2
    assert premortem(profile, "-m", str(tmp_path / "missing"))[0] == 2
