"""Runs squawk, a linter of migrations, and reads what it finds.

squawk knows the SQL and no production; what its findings weigh is decided by whoever asks.  It is a program of its own
(`squawk-cli` on PyPI) and reads the project's `.squawk.toml`, where there is one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from premortem.migrations.files import Migration
from premortem.model import Gap

_TIMEOUT = 120.0
_CURE = "python3 -m pip install squawk-cli"
_UNREADABLE = "syntax-error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One thing that squawk found; `line` counts from 1."""

    path: str
    line: int
    rule: str
    says: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """What squawk found.  `complete` says that it ran and read every file; where it did not, a gap says why."""

    violations: tuple[Violation, ...] = ()
    gaps: tuple[Gap, ...] = ()
    complete: bool = True


@lru_cache(maxsize=1)
def program() -> Path | None:
    """Return squawk's program: the one that was installed with premortem, else the one on the path."""
    for place in _places():
        if place.is_file():
            return place
    found = shutil.which("squawk")
    return Path(found) if found else None


def _places() -> Iterator[Path]:
    from importlib import metadata  # loaded on use: start-up is quick without

    try:
        files = metadata.files("squawk-cli") or ()
    except metadata.PackageNotFoundError:
        files = ()
    yield from (Path(str(f.locate())) for f in files if f.name in ("squawk", "squawk.exe"))
    yield Path(sysconfig.get_path("scripts")) / "squawk"
    yield Path(sys.executable).parent / "squawk"


def lint(migrations: Sequence[Migration], major: int, *, using: Path | None = None) -> Linted:
    """Return what squawk finds in the migrations, for that major version of PostgreSQL."""
    squawk = using or program()
    if not migrations:
        return Linted()
    if squawk is None:
        return _not_run("its program is not installed")
    wrapped = [m for m in migrations if m.wrapped]
    bare = [m for m in migrations if not m.wrapped]
    parts = [_lint(squawk, some, major, wrapped=how) for some, how in ((wrapped, True), (bare, False)) if some]
    return Linted(
        violations=tuple(v for p in parts for v in p.violations),
        gaps=tuple(dict.fromkeys(g for p in parts for g in p.gaps)),
        complete=all(p.complete for p in parts),
    )


def _lint(squawk: Path, migrations: Sequence[Migration], major: int, *, wrapped: bool) -> Linted:
    with tempfile.TemporaryDirectory(prefix="premortem-") as folder:
        named = {str(Path(folder) / f"{n:05}.sql"): m for n, m in enumerate(migrations)}
        for file, migration in named.items():
            Path(file).write_text(migration.text, "utf-8", errors="surrogatepass")
        command = [str(squawk), "--reporter", "json", "--pg-version", f"{major}.0"]
        command += ["--assume-in-transaction"] if wrapped else []
        try:
            done = subprocess.run([*command, *named], capture_output=True, timeout=_TIMEOUT, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return _not_run(f"it could not be run: {error}")
    if done.returncode not in (0, 1):
        return _not_run(f"it ended with {done.returncode}: {_first_line(done.stderr)}")
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout or b"null") or []
    except ValueError:
        return _not_run(f"it said: {_first_line(done.stderr or done.stdout)}")
    if not done.stdout.strip() and done.returncode:
        return _not_run(f"it said: {_first_line(done.stderr)}")
    return _read(found, {file: m.path for file, m in named.items()})


def _read(found: Sequence[dict[str, Any]], paths: dict[str, str]) -> Linted:
    violations = [
        Violation(
            path=paths.get(str(v.get("file")), str(v.get("file"))),
            line=int(v.get("line", 0)) + 1,  # squawk's JSON counts lines from 0
            rule=str(v.get("rule_name")),
            says=str(v.get("message") or ""),
            hint=str(v.get("help") or ""),
        )
        for v in found
    ]
    broken = {v.path: v for v in reversed(violations) if v.rule == _UNREADABLE}
    gaps = tuple(
        Gap(
            subject=f"migration {path}",
            says=f"squawk cannot read its line {v.line} ({v.says}), so its rules were not run on the file.",
            effect="What premortem itself sees of the file is in this report.",
        )
        for path, v in sorted(broken.items())
    )
    return Linted(violations=tuple(v for v in violations if v.rule != _UNREADABLE), gaps=gaps)


def _not_run(why: str) -> Linted:
    gap = Gap(
        subject="squawk",
        says=f"squawk, which lints migrations, was not run: {why.rstrip('.')}.",
        effect="Its rules found nothing because nobody asked it.",
        cure=_CURE,
    )
    return Linted(gaps=(gap,), complete=False)


def _first_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[0][:200] if lines else "nothing"
