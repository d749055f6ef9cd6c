"""The commands that the proposed jobs type, the same in every CI."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from premortem import __version__
from premortem.repository.programs import written
from premortem.repository.seen import Seen, Suite

PROFILE = "prod.profile"


def requirement() -> str:
    """Return premortem as pip is to install it: this version's line, so that a job does not change by itself.

    >>> requirement().startswith("premortem>=")
    True
    """
    major, minor = __version__.split(".")[:2]
    after = f"{major}.{int(minor) + 1}" if major == "0" else str(int(major) + 1)
    return f"premortem>={__version__},<{after}"


def capture_file(suite: Suite) -> str:
    """Return the file that a suite's queries are captured in."""
    return f"{suite.language}.capture"


def capture(suite: Suite) -> list[str]:
    """Return the command that runs a suite and keeps its queries, one line a part."""
    hands = [f"--set {name}={quote(template)}" for name, template in suite.hands]
    return [f"premortem capture -o {capture_file(suite)}", *hands, f"-- {_run(suite)}"]


def _run(suite: Suite) -> str:
    """Return a suite's command as arguments, in a shell where it needs one."""
    command = f"cd {quote(suite.folder)} && {suite.command}" if suite.folder else suite.command
    return f"sh -c {quote(command)}" if "&&" in command else command


def install(suite: Suite) -> Iterator[str]:
    """Yield the commands that set a suite up, from the repository's root."""
    for command in suite.install:
        yield f"(cd {quote(suite.folder)} && {command})" if suite.folder else command


def check(seen: Seen, base: str, *saved: str) -> list[str]:
    """Return the command of the gate, one line a part; `base` is the branch that the change goes to."""
    changes = [m.path for m in seen.migrations if m.is_sql] + [w.file for w in written(seen, base)]
    return [
        f"premortem check -p {PROFILE}",
        f"--changed-since {base}",
        *(f"--migrations {quote(c)}" for c in changes),
        *(f"--save {s}" for s in saved),
        " ".join(map(quote, paths(seen))) or "--schema",  # nothing else is there to be judged
    ]


def adopt(seen: Seen) -> list[str]:
    """Return the commands that accept what is there today."""
    if not paths(seen):
        return []
    captures = [" ".join(capture(s)) for s in seen.suites]
    return [*captures, f"premortem adopt -p {PROFILE} {' '.join(map(quote, paths(seen)))}"]


def paths(seen: Seen) -> list[str]:
    """Return what holds the queries: files of the repository, and captures that the jobs make."""
    return [*seen.queries, *(capture_file(s) for s in seen.suites)]


def lines(parts: list[str], indent: str) -> str:
    """Return the parts of a command, each on a line of its own.

    >>> print(lines(["a", "-b", "c"], "  "))
    a \\
      -b \\
      c
    """
    return f" \\\n{indent}".join(parts)
