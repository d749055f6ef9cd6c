"""The files of a repository that somebody wrote: what git knows or would know, nothing that tools put there."""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NOT_OURS = {
    ".git", ".hg", ".venv", "venv", "node_modules", "vendor", "target", "dist", "build", "__pycache__", ".tox",
    ".mypy_cache", "site-packages", ".next", ".gradle", "_build", "deps",
}  # fmt: skip
_FOR_TESTS = {
    "test",
    "tests",
    "spec",
    "fixtures",
    "fixture",
    "seed",
    "seeds",
    "testdata",
    "examples",
    "example",
    "bench",
}
#: No quotes, dollar signs or control characters: a folder called `${{ … }}` would be an expression in a workflow.
_PLAIN = re.compile(r"[\w./@+=,~ ()\[\]-]+\Z")
_MOST_FILES = 200_000
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The files below a folder, as paths with slashes from there; `odd` ones have names that no CI file can hold."""

    root: Path
    files: tuple[str, ...]
    odd: tuple[str, ...] = ()

    def text(self, path: str) -> str:
        """Return a file's text, empty where there is none that could be read."""
        try:
            with (self.root / path).open("rb") as file:
                return file.read(_MOST_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return path in self.files

    def named(self, *names: str) -> tuple[str, ...]:
        """Return the files of these names, nearest to the root first, without those that tests have."""
        found = [f for f in self.files if posixpath.basename(f) in names and not is_for_tests(f)]
        return tuple(sorted(found, key=lambda f: (f.count("/"), f)))

    def below(self, folder: str) -> Iterator[str]:
        """Yield the files below a folder."""
        return (f for f in self.files if not folder or f.startswith(folder + "/"))


def is_for_tests(path: str) -> bool:
    """Whether a file is only there for tests or to show something: an application in there is not the repository's.

    >>> is_for_tests("tests/apps/shop/package.json"), is_for_tests("src/contest/a.sql")
    (True, False)
    """
    return not _FOR_TESTS.isdisjoint(path.lower().split("/")[:-1])


def read(root: Path) -> Tree:
    """Return the files below a folder, as git lists them where it can."""
    listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = listed.split("\0") if listed is not None else _walked(root)
    kept = sorted({n for n in names if n and not _NOT_OURS.intersection(n.split("/")[:-1])})[:_MOST_FILES]
    odd = tuple(n for n in kept if not _PLAIN.match(n))
    return Tree(root=root, files=tuple(n for n in kept if _PLAIN.match(n)), odd=odd)


def _walked(root: Path) -> Iterator[str]:
    for folder, below, names in os.walk(root):
        below[:] = sorted(b for b in below if b not in _NOT_OURS)
        for name in names:
            yield (Path(folder) / name).relative_to(root).as_posix()


def git(root: Path, *arguments: str) -> str | None:
    """Return what git prints, None where it fails or is not there."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, check=False, timeout=60, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
