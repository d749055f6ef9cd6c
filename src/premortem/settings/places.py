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

#: wcmatch's own limit, of which each pattern here takes two.
_MOST_PATTERNS = 1_000


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


def mistake(pattern: str) -> str | None:
    """Return what is wrong with a pattern of paths, None where nothing is.

    >>> mistake("queries/**"), mistake("{1..5000}.sql")
    (None, 'its braces stand for more than 1,000 patterns')
    """
    import bracex  # what wcmatch reads braces with

    try:
        bracex.expand(pattern, limit=_MOST_PATTERNS)
    except bracex.ExpansionLimitException:
        return f"its braces stand for more than {_MOST_PATTERNS:,} patterns"
    return None


@lru_cache(maxsize=512)
def _matcher(pattern: str) -> Callable[[str], bool]:
    from wcmatch import glob  # loaded on use: most settings have no patterns

    flags = glob.GLOBSTAR | glob.DOTGLOB | glob.BRACE | glob.CASE
    said = posixpath.normpath(pattern).removeprefix("/")
    anchored = said if "/" in pattern.rstrip("/") else f"**/{said}"
    wanted = [f"{anchored}/**"] if pattern.endswith("/") else [anchored, f"{anchored}/**"]
    return lambda path: bool(glob.globmatch(path, wanted, flags=flags, limit=2 * _MOST_PATTERNS))


def names(relation: RelationName, patterns: Sequence[str]) -> bool:
    """Whether a table is meant by one of the patterns: with its schema or without, quoted or not, `*` for any.

    >>> names(RelationName(schema="public", name="events_2024"), ["public.events_*"])
    True
    """
    spellings = {relation.name, relation.sql, relation.short, f"{relation.schema}.{relation.name}"}
    return any(fnmatchcase(s, p) for s in spellings for p in patterns)
