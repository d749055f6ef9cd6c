"""What the indexes that are already there mean for a candidate: a duplicate, an invalid twin, a prefix to replace."""

from __future__ import annotations

import re
from dataclasses import replace

from premortem.advisor.conditions import bare_collation
from premortem.model import Index, IndexCandidate, IndexKey, KeyColumn, RelationName, Table

_LITERAL = re.compile(r"('(?:[^']|'')*')")


def as_candidate(index: Index, table: RelationName) -> IndexCandidate:
    """Return an existing index in the words of one that could be created."""
    keys = tuple(
        IndexKey(
            column=k.column,
            expression=k.expression,
            collation=k.collation,
            opclass=None if k.opclass_is_default else k.opclass,
            descending=k.descending,
            nulls_first=k.nulls_first,
        )
        for k in index.keys
    )
    return IndexCandidate(
        table=table, keys=keys, method=index.method, include=index.include, predicate=index.predicate,
        unique=index.unique,
    )  # fmt: skip


def same_index(candidate: IndexCandidate, table: Table) -> Index | None:
    """Return a usable index that already does what the candidate would, None where there is none.

    Keys that a query fixes may stand in another order there.
    """
    usable = (i for i in table.indexes if i.valid and i.ready)
    return next((i for i in usable if covers(i, _in_order_of(i, candidate))), None)


def _in_order_of(index: Index, candidate: IndexCandidate) -> IndexCandidate:
    """Return the candidate with its interchangeable keys in the index's order, where the index begins with them."""
    free = candidate.interchangeable
    named = {(k.column, _bare(k.expression)): k for k in candidate.keys[:free]}
    order = [(k.column, _bare(k.expression)) for k in index.keys[:free]]
    if free < 2 or len(order) != free or set(order) != set(named):
        return candidate
    return replace(candidate, keys=(*(named[name] for name in order), *candidate.keys[free:]))


def invalid_index(candidate: IndexCandidate, table: Table) -> Index | None:
    """Return an index that would do, had its build not failed."""
    return next((i for i in table.indexes if not (i.valid and i.ready) and covers(i, candidate)), None)


def has_keys(table: Table, candidate: IndexCandidate) -> bool:
    """Whether a usable index starts with the candidate's columns, in whatever directions."""
    wanted = tuple(k.column for k in candidate.keys)
    usable = (i for i in table.indexes if i.valid and i.method == candidate.method and i.predicate is None)
    return any(i.columns[: len(wanted)] == wanted and None not in wanted for i in usable)


def finds_the_same(candidate: IndexCandidate, table: Table) -> bool:
    """Whether an index that is there finds the same rows, so that the candidate only spares visits to the table."""
    if not candidate.include:
        return False
    bare = replace(candidate, include=())
    return has_keys(table, bare) or same_index(bare, table) is not None


def covers(index: Index, candidate: IndexCandidate) -> bool:
    """Whether an index starts with the candidate's keys and holds all of its rows and columns."""
    if index.method != candidate.method or not _same_predicate(index.predicate, candidate.predicate):
        return False
    if len(index.keys) < len(candidate.keys):
        return False
    if candidate.method == "btree" and not _btree_prefix(index.keys, candidate.keys):
        return False
    if candidate.method != "btree" and not all(_has(index, key) for key in candidate.keys):
        return False
    held = {*index.columns, *index.include}
    return all(name in held for name in candidate.include)


def replaced(candidate: IndexCandidate, table: Table) -> tuple[Index, ...]:
    """Return the indexes that the candidate makes superfluous, invalid ones too: their keys are a prefix of its own."""
    return tuple(i for i in table.indexes if _replaces(candidate, i))


def _replaces(candidate: IndexCandidate, index: Index) -> bool:
    owned = index.unique or index.primary or index.exclusion or index.constraint is not None
    pinned = index.replica_identity or index.clustered or index.parent is not None
    if owned or pinned or index.method != "btree" or candidate.method != "btree":
        return False
    if index.predicate is not None and not _same_predicate(index.predicate, candidate.predicate):
        return False
    if candidate.predicate is not None and index.predicate is None:
        return False
    keys_fit = len(index.keys) <= len(candidate.keys) and _btree_prefix(candidate.keys, index.keys)
    held = {*(k.column for k in candidate.keys), *candidate.include}
    return keys_fit and all(name in held for name in index.include)


def _btree_prefix(longer: tuple[KeyColumn | IndexKey, ...], shorter: tuple[KeyColumn | IndexKey, ...]) -> bool:
    """Whether the shorter keys lead the longer ones in the same order, or in its exact reverse."""
    pairs = list(zip(longer, shorter, strict=False))
    if not all(_same_key(a, b) for a, b in pairs):
        return False
    flips = {_direction(a) == _direction(b) for a, b in pairs}
    reverses = {_direction(a) == _reversed(_direction(b)) for a, b in pairs}
    return flips == {True} or reverses == {True}


def _same_key(a: KeyColumn | IndexKey, b: KeyColumn | IndexKey) -> bool:
    if (a.column, _bare(a.expression)) != (b.column, _bare(b.expression)):
        return False
    return _opclass(a) == _opclass(b) and _collation(a) == _collation(b)


def _collation(key: KeyColumn | IndexKey) -> str | None:
    return bare_collation(key.collation) if key.collation else None


def _opclass(key: KeyColumn | IndexKey) -> str | None:
    if isinstance(key, KeyColumn):
        return None if key.opclass_is_default else key.opclass.rsplit(".", 1)[-1].replace("varchar_", "text_")
    return key.opclass.replace("varchar_", "text_") if key.opclass else None


def _direction(key: KeyColumn | IndexKey) -> tuple[bool, bool]:
    return (key.descending, key.descending if key.nulls_first is None else key.nulls_first)


def _reversed(direction: tuple[bool, bool]) -> tuple[bool, bool]:
    return (not direction[0], not direction[1])


def _has(index: Index, key: IndexKey) -> bool:
    return any(_same_key(k, key) for k in index.keys)


def _same_predicate(a: str | None, b: str | None) -> bool:
    return _bare(a) == _bare(b)


def _bare(expression: str | None) -> str | None:
    """Return an expression without blanks, casts of constants and brackets, for comparing deparsed texts.

    >>> _bare("(status = 'In (Work)'::text)")
    "status='In (Work)'"
    """
    if expression is None:
        return None
    parts = _LITERAL.split(expression)  # every other one is a string, in which each character counts
    bare = (text if n % 2 else re.sub(r"[ ()]", "", text).lower() for n, text in enumerate(parts))
    return "".join(bare).replace("::text", "").replace("::charactervarying", "")
