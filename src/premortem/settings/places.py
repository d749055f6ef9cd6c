"""Which files and tables a pattern of the settings means.

Paths are matched as people know it from .gitignore: `*` stays within a folder, `**` does not, a pattern without a slash
matches a name in any folder, and a folder means everything below it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from premortem.model import RelationName


def relative(source: str, here: str) -> str:
    """Return a query's file as it is seen from a folder; what is not below it keeps its full path.

    >>> relative("./queries/../a.sql", "/app"), relative("/app/b.sql", "/app"), relative("/srv/c.sql", "/app")
    ('a.sql', 'b.sql', 'srv/c.sql')
    """
    path = posixpath.normpath(source) if source else source
    inside = here.rstrip("/") + "/"
    return path[len(inside) :] if here and path.startswith(inside) else path.lstrip("/")


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether a relative path is meant by one of the patterns.

    >>> matches("queries/a/b.sql", ["queries"]), matches("queries/a/b.sql", ["b.sql"]), matches("x/a.sql", ["q/*.sql"])
    (True, True, False)
    """
    return any(_matcher(p)(path) for p in patterns)


@lru_cache(maxsize=512)
def _matcher(pattern: str) -> Callable[[str], bool]:
    from wcmatch import glob  # loaded on use: most settings have no patterns

    flags = glob.GLOBSTAR | glob.DOTGLOB | glob.BRACE | glob.CASE
    said = posixpath.normpath(pattern).removeprefix("/")
    anchored = said if "/" in pattern.rstrip("/") else f"**/{said}"
    wanted = [f"{anchored}/**"] if pattern.endswith("/") else [anchored, f"{anchored}/**"]
    return lambda path: bool(glob.globmatch(path, wanted, flags=flags))


def names(relation: RelationName, patterns: Sequence[str]) -> bool:
    """Whether a table is meant by one of the patterns: with its schema or without, quoted or not, `*` for any.

    >>> names(RelationName(schema="public", name="events_2024"), ["public.events_*"])
    True
    """
    spellings = {relation.name, relation.sql, relation.short, f"{relation.schema}.{relation.name}"}
    return any(fnmatchcase(s, p) for s in spellings for p in patterns)
