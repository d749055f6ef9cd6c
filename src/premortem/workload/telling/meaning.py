"""Which index somebody means who types one: a definition, or a name; a typing error is met with the nearest name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

from premortem import advisor, sqltext
from premortem.errors import StatementError, UsageError
from premortem.model import Index, IndexCandidate, Profile, RelationKind, RelationName, Table

_NAME = re.compile(r"""\s*(?:(?P<schema>"(?:[^"]|"")+"|[\w$]+)\.)?(?P<name>"(?:[^"]|"")+"|[\w$]+)\s*\Z""")
_FORM = "write table(column, …), INCLUDE (…) and WHERE … where they belong to it, or the name of an index"
_INDEXED = (RelationKind.TABLE, RelationKind.PARTITIONED_TABLE, RelationKind.MATERIALIZED_VIEW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """An index that somebody asked about: what it is, or, until the proposed ones have names, what it is called.

    `existing` is the index of production that the name, or the very same definition, stands for.
    """

    typed: str
    candidate: IndexCandidate | None = None
    existing: RelationName | None = None
    name: str = ""


def meant(typed: str, profile: Profile) -> Meant:
    """Return which index is meant.

    Raises UsageError where that is no index, or none of a table that the profile has.
    """
    called = _NAME.match(typed)
    if called:
        return _called(typed, _bare(called["name"]), _bare(called["schema"] or ""), profile)
    try:
        name, candidate = sqltext.index(typed)
    except StatementError as error:
        raise UsageError(f"{typed!r} is no index: {error.message}", hint=_FORM) from error
    table = _table(candidate.table, profile)
    _check_columns(candidate, table)
    candidate = replace(candidate, table=table.relation)
    existing = next((i for i in table.indexes if _is_it(i, candidate, table)), None)
    return Meant(
        typed=typed, candidate=candidate, existing=_name_of(existing, table) if existing else None, name=name or ""
    )


def settled(one: Meant, proposed: Collection[tuple[str, IndexCandidate]], profile: Profile) -> Meant:
    """Return what a name means once the proposed indexes have names.

    Raises UsageError where it is nobody's.
    """
    if one.candidate is not None:
        return one
    found = next((c for name, c in proposed if name == one.name), None)
    if found is None:
        known = [name for name, _ in proposed] + sorted(profile.index_names)
        raise UsageError(f"there is no index {one.name}, and none is proposed that is called so",
                         hint=_nearest(one.name, known) or _FORM)  # fmt: skip
    return replace(one, candidate=found)


def _bare(name: str) -> str:
    """Return an identifier as the catalog has it.

    >>> _bare('Orders'), _bare('"Or""ders"')
    ('orders', 'Or"ders')
    """
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _called(typed: str, name: str, schema: str, profile: Profile) -> Meant:
    schemas = (schema,) if schema else (*profile.search_path, *sorted({t.schema for t in profile.tables}))
    for one in schemas:
        table = profile.table_of_index(one, name)
        if table is not None:
            index = next(i for i in table.indexes if i.name == name)
            candidate = advisor.as_candidate(index, table.relation)
            return Meant(typed=typed, candidate=candidate, existing=_name_of(index, table), name=name)
    if profile.find_table(name, schema or None) is not None:
        raise UsageError(f"{name} is a table, not an index", hint=f"name its columns too: {name}(column, …)")
    return Meant(typed=typed, name=name)


def _name_of(index: Index, table: Table) -> RelationName:
    return RelationName(schema=table.schema, name=index.name)


def _table(name: RelationName, profile: Profile) -> Table:
    found = profile.find_table(name.name, name.schema or None)
    if found is None:
        known = [t.full_name for t in profile.tables if t.kind in _INDEXED]
        raise UsageError(f"the profile has no table {name}", hint=_nearest(str(name), known))
    if found.kind not in _INDEXED:
        raise UsageError(f"{found.full_name} is a {found.kind.value}, which cannot have an index")
    return found


def _check_columns(candidate: IndexCandidate, table: Table) -> None:
    known = [c.name for c in table.columns]
    for column in _columns(candidate):
        if column not in known:
            raise UsageError(f"{table.full_name} has no column {column}", hint=_nearest(column, known))


def _columns(candidate: IndexCandidate) -> Iterator[str]:
    yield from (k.column for k in candidate.keys if k.column is not None)
    yield from candidate.include
    for expression in (*(k.expression for k in candidate.keys), candidate.predicate):
        found = sqltext.operand(expression) if expression else None
        yield from (c.column for c in found.columns) if found is not None else ()


def _nearest(name: str, known: Collection[str]) -> str | None:
    close = get_close_matches(name, known, n=3, cutoff=0.5)
    return f"do you mean {' or '.join(close)}?" if close else None


def _is_it(index: Index, candidate: IndexCandidate, table: Table) -> bool:
    """Whether an existing index is the very one: each does all that the other does."""
    mine = advisor.as_candidate(index, table.relation)
    alone = replace(table, indexes=(index,))
    same = advisor.same_index(candidate, alone) is not None and len(index.keys) == len(candidate.keys)
    return same and set(mine.include) == set(candidate.include) and index.unique >= candidate.unique
