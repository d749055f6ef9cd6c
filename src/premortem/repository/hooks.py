"""The hook for pre-commit: the changed .sql files, checked on the developer's machine."""

from __future__ import annotations

import re

from premortem.repository.commands import PROFILE, requirement
from premortem.repository.seen import Seen

PATH = ".pre-commit-config.yaml"

_HOOK = """\
  - repo: local
    hooks:
      - id: premortem
        name: premortem check
        # Needs {profile} here: ask CI for it, or pull it.  It is not for the repository: see .gitignore.
        entry: premortem check -p {profile} --quiet
        language: python
        additional_dependencies: ["{requirement}"]
        types: [sql]
        files: {files}
        require_serial: true
"""


def hook(seen: Seen) -> str:
    """Return the hook as an entry of `repos`."""
    return _HOOK.format(profile=PROFILE, requirement=requirement(), files=_files(seen.queries or ("queries",)))


def text(seen: Seen) -> str:
    """Return a whole configuration."""
    return f"repos:\n{hook(seen)}"


def _files(queries: tuple[str, ...]) -> str:
    """Return a pattern for the query files, as a YAML string in single quotes.

    >>> _files(("queries", "db/it's.sql"))
    "'^(queries/|db/it''s\\\\.sql$)'"
    """
    parts = [f"{re.escape(q)}$" if q.endswith(".sql") else f"{re.escape(q)}/" for q in queries]
    return "'^(" + "|".join(parts).replace("'", "''") + ")'"
