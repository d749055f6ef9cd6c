"""The command line as its user has it: a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

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
