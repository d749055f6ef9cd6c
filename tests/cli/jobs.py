"""Runs the steps of a CI file as the CI would: its shell, its variables, its files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

BIN = Path(sys.executable).parent


def steps(path: Path, job: str) -> dict[str, dict[str, Any]]:
    """Return a workflow job's steps by name."""
    found = yaml.safe_load(path.read_text("utf-8"))["jobs"][job]["steps"]
    return {s.get("name", s.get("uses", "")): s for s in found}


def script(command: str, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a script as GitHub Actions does on Linux: bash, ending at the first error."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "CI_", "PG")) and k != "CI"}
    inherited |= {"PATH": f"{BIN}:{os.environ['PATH']}", **environment}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
        cwd=folder, env=inherited, capture_output=True, text=True, check=False, timeout=200, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def git(folder: Path, *arguments: str) -> None:
    """Run git as somebody, on a branch called main."""
    named = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", str(folder), *named, *arguments], check=True, capture_output=True)


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
