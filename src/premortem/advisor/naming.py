"""What a new index is called: PostgreSQL's own convention, unique in its schema, at most 63 bytes."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from premortem.model import IndexCandidate, IndexKey, Profile, RelationName

_LIMIT = 63  # NAMEDATALEN - 1


def names(candidates: Sequence[IndexCandidate], profile: Profile) -> tuple[str, ...]:
    """Return a name for each candidate, none of them in use; the same candidates always get the same names."""
    found: list[str] = []
    for candidate in candidates:
        taken = profile.names_in(candidate.table.schema) | set(found)
        found.append(free_name(stem(candidate), taken))
    return tuple(found)


def stem(candidate: IndexCandidate) -> tuple[str, ...]:
    """Return the parts of the name: table, keys, and what sets it apart."""
    keys = tuple(_word(key) for key in candidate.keys)
    return (candidate.table.name, *keys, *(_where(candidate.predicate) if candidate.predicate else ()))


def _where(predicate: str) -> tuple[str, ...]:
    """Return the words of an index predicate, which may be all that sets two indexes apart.

    >>> _where("status = 'in progress'::text"), _where("(deleted_at IS NOT NULL) AND NOT archived")
    (('where', 'status', 'in', 'progress'), ('where', 'deleted_at', 'not', 'null', 'not'))
    """
    words = (w.lower() for w in re.findall(r"\w+", _without_types(predicate)))
    return ("where", *[w for w in words if w not in _OPERATORS][:4])


def _word(key: IndexKey) -> str:
    if key.column is not None:
        return key.column
    words = [w for w in re.findall(r"[A-Za-z_]\w*", _without_types(key.expression or "")) if w.lower() not in _NOISE]
    return "_".join(words[:3]).lower() or "expr"


_OPERATORS = frozenset({"is", "and", "or", "any", "array"})
_NOISE = frozenset({"varying", "character", "text", "without", "with", "time", "zone", "regconfig", "and", "or"})


def _without_types(expression: str) -> str:
    return re.sub(r"::\"?[a-z_]+\"?(\[\])?", "", expression)


def free_name(parts: tuple[str, ...], taken: Collection[str]) -> str:
    """Return `a_b_idx`, shortened to fit and numbered where it is taken.

    >>> free_name(("orders", "status"), ()), free_name(("orders", "status"), ("orders_status_idx",))
    ('orders_status_idx', 'orders_status_idx1')
    """
    number = 0
    while True:
        ending = f"_idx{number or ''}"
        name = _fitted("_".join(parts), _LIMIT - len(ending)) + ending
        if name not in taken:
            return name
        number += 1


def _fitted(text: str, limit: int) -> str:
    """Return the text cut to so many bytes, never inside a character.

    >>> _fitted("größe", 4)
    'grö'
    """
    return text.encode()[:limit].decode(errors="ignore").rstrip("_")


def full_name(candidate: IndexCandidate, name: str) -> RelationName:
    """Return the index's qualified name: it lives in its table's schema."""
    return RelationName(schema=candidate.table.schema, name=name)
