"""What the workload says of columns: how many rows a key has on average, and which keys of documents are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from premortem.model import ColumnStatistics, Profile, Query, RelationName, Table

_BY_KEY = re.compile(
    r"from\s+(?:only\s+)?(?:\"?(?P<schema>\w+)\"?\.)?\"?(?P<table>\w+)\"?(?:\s+(?:as\s+)?(?P<alias>(?!where\b)\w+))?\s+"
    r"where\s+(?:\"?\w+\"?\.)?\"?(?P<column>\w+)\"?\s*=\s*\$\d+\s*(?:order\s+by[^;()]*)?;?\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_NOT_ALL = re.compile(r"\b(?:limit|fetch|count|sum|min|max|avg|distinct|group)\b", re.IGNORECASE)
_FEWEST_CALLS = 100


def rows_per_key(profile: Profile) -> Mapping[tuple[str, str], float]:
    """Return how many rows a value of a column has, as statements that ask for one value found it, by table and column.

    Hot values are asked for more often, so that is at least the average: the column has at least rows / this values.
    """
    found: dict[tuple[str, str], float] = {}
    for query in profile.workload.statements:
        match = _BY_KEY.search(query.text) if _tells(query) else None
        if match and query.rows_per_call:
            key = (match["table"], match["column"])
            found[key] = min(found.get(key, query.rows_per_call), query.rows_per_call)
    return found


def _tells(query: Query) -> bool:
    return bool(query.rows_per_call) and (query.calls or 0) >= _FEWEST_CALLS and not _NOT_ALL.search(query.text)


@lru_cache(maxsize=8)
def _texts(statements: tuple[str, ...]) -> str:
    return "\n".join(statements)


def document_paths(table: Table, column: str, profile: Profile) -> Mapping[tuple[str, ...], ColumnStatistics | None]:
    """Return the paths in a column of documents that indexes and statements name, with statistics where these are.

    >>> path = re.compile(_path("body"))
    >>> [_keys(m[0]) for m in path.finditer("x.body->'a'->>'b' = $1 and (body ->> 'c'::text)")]
    [('a', 'b'), ('c',)]
    """
    path = re.compile(_path(column))
    found: dict[tuple[str, ...], ColumnStatistics | None] = {}
    for index in table.indexes:
        columns = {c.number: c for c in index.expression_columns}
        for number, key in enumerate(index.keys, start=1):
            for match in path.finditer(key.expression or ""):
                own = columns.get(number)
                found[_keys(match[0])] = own.own_statistics if own else None
        for match in path.finditer(index.predicate or ""):
            found.setdefault(_keys(match[0]), None)
    text = _texts(_naming(profile.workload.statements, table.relation))
    for match in path.finditer(text):
        found.setdefault(_keys(match[0]), None)
    return found


def _naming(statements: Iterable[Query], relation: RelationName) -> tuple[str, ...]:
    return tuple(q.text for q in statements if relation.name in q.text)


def _path(column: str) -> str:
    return rf"\b{re.escape(column)}\"?\)*(?:\s*->>?\s*\(*'(?:[^']|'')*'(?:::text)?\)*)+"


def _keys(text: str) -> tuple[str, ...]:
    return tuple(key.replace("''", "'") for key in re.findall(r"->>?\s*\(*'((?:[^']|'')*)'", text))
