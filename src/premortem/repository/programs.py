"""The SQL of migrations that are programs: the commands with which a job writes what a branch adds to a file.

Django and Alembic write their migrations as SQL themselves.  Both may ask for a database, which `premortem capture`
lends them, and both are asked for the branch's own only: what is in production already would be judged as its work.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

from premortem.repository.seen import Migrations, Seen, Suite

_DJANGO, _ALEMBIC = "Django", "Alembic"
#: Says to premortem, where nothing follows, that there is nothing to be judged.
_FIRST = 'echo "-- (no-op) where no statement follows"'
_BASE = "/tmp/premortem-base"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A file of SQL, and the lines of shell that write it."""

    tool: str
    file: str
    lines: tuple[str, ...]


def has_sql(tool: str, suites: tuple[Suite, ...]) -> bool:
    """Whether a job can write a tool's migrations as SQL: what installs the tests installs the tool."""
    return tool in (_DJANGO, _ALEMBIC) and _suite(tool, suites) is not None


def written(seen: Seen, base: str) -> Iterator[Written]:
    """Yield what a job writes of the migrations that are not in the branch that the change goes to."""
    tools = {m.tool: m for m in seen.migrations if not m.is_sql}
    for tool, found in tools.items():
        suite = _suite(tool, seen.suites)
        if suite is not None and tool == _DJANGO:
            yield Written(tool=tool, file="django.sql", lines=tuple(_django(suite, base)))
        elif suite is not None and tool == _ALEMBIC:
            yield Written(tool=tool, file="alembic.sql", lines=tuple(_alembic(found, suite, base)))


def _suite(tool: str, suites: tuple[Suite, ...]) -> Suite | None:
    return next((s for s in suites if s.language == "python" and (tool != _DJANGO or s.framework == _DJANGO)), None)


def _django(suite: Suite, base: str) -> Iterator[str]:
    manage = f"{_runner(suite)}python manage.py"
    yield f"git diff --name-only --diff-filter=d {base}...HEAD |"
    yield r"  sed -nE 's#^(.*/)?([^/]+)/migrations/([^_/][^/]*)\.py$#\2.\3#p' > premortem-added.txt"
    yield from _lent(
        suite,
        "django.sql",
        "added=$PWD/premortem-added.txt",
        *([f"cd {quote(suite.folder)}"] if suite.folder else []),
        f"plan=$({manage} showmigrations --plan)",
        r'for one in $(echo "$plan" | sed "s/^\[.\] *//"); do',
        f'  if grep -qxF "$one" "$added"; then {manage} sqlmigrate "${{one%%.*}}" "${{one#*.}}"; fi',
        "done",
    )


def _alembic(found: Migrations, suite: Suite, base: str) -> Iterator[str]:
    folder = posixpath.dirname(found.source)
    alembic = f"{_runner(suite)}alembic"
    yield f"mkdir -p {_BASE}"
    yield f'git archive "$(git merge-base {base} HEAD)" | tar -x -C {_BASE}'
    yield from _lent(
        suite,
        "alembic.sql",
        f'before=$(cd {quote(posixpath.join(_BASE, folder))} && {alembic} heads) || before=""',
        *([f"cd {quote(folder)}"] if folder else []),
        f'{alembic} upgrade "${{before:+${{before%% *}}:}}head" --sql',
    )


def _lent(suite: Suite, file: str, *script: str) -> Iterator[str]:
    """Yield the command that runs a script with a database and keeps what it prints."""
    hands = "".join(f" --set {name}={quote(template)}" for name, template in suite.hands)
    command = f"premortem capture -o premortem-migrations.capture{hands}"
    yield from f"{command} -- sh -ec {quote(chr(10).join((_FIRST, *script)))} > {file}".split("\n")


def _runner(suite: Suite) -> str:
    """Return what stands before the project's own programs, such as `uv run `."""
    return next((r for r in ("uv run ", "poetry run ", "pipenv run ") if suite.command.startswith(r)), "")
