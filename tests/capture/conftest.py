"""Suites to capture, run as their users run them: `premortem capture -- COMMAND` in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from premortem import capture
from premortem.model import Profile, Query
from tests.signals import heed_interrupts

collect_ignore = ["apps"]  # suites to be captured, not ours
APPS = Path(__file__).parent / "apps"


@dataclass(frozen=True)
class Ran:
    """A finished run: what it printed, how it ended, and what it captured."""

    status: int
    out: str
    err: str
    path: Path

    @property
    def capture(self) -> capture.Capture:
        return capture.read(self.path)

    def statement(self, *parts: str) -> Query:
        """The one statement whose text has all of these in it."""
        found = [q for q in self.capture.statements if all(part in q.text for part in parts)]
        assert len(found) == 1, [q.text for q in found or self.capture.statements]
        return found[0]

    def schema(self, database: str) -> Profile:
        found = [s.profile for s in self.capture.schemas if database in s.databases]
        assert len(found) == 1, [s.databases for s in self.capture.schemas]
        return found[0]


Captures: TypeAlias = Callable[..., Ran]


@pytest.fixture
def captures(tmp_path: Path) -> Captures:
    """Run a command under capture; options before it are capture's own."""

    def run(
        *command: str | Path,
        options: Sequence[str] = (),
        cwd: Path = tmp_path,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> Ran:
        path = tmp_path / "suite.capture"
        given = {name: text for name, text in os.environ.items() if not name.startswith(("PYTEST_", "PG"))}
        done = subprocess.run(
            [sys.executable, "-m", "premortem", "capture", "-o", str(path), *options, "--", *map(str, command)],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=cwd,
            env=given | {"PYTHONDONTWRITEBYTECODE": "1"} | dict(environment or {}),
            timeout=240,
            check=False,
            preexec_fn=heed_interrupts,
        )
        return Ran(status=done.returncode, out=done.stdout, err=done.stderr, path=path)

    return run


def index_columns(profile: Profile, table: str) -> set[tuple[str | None, ...]]:
    """The keys of a table's indexes."""
    return {index.columns for one in profile.tables if one.full_name == table for index in one.indexes}
