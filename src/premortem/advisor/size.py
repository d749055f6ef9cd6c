"""How large an index would be, so that a proposal says what it costs and a twin can give it that size.

PostgreSQL's own page layouts applied to the statistics: what a B-tree looks like is in `leaves`, how many rows share a
key in `groups`, a GIN index in `inverted`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from premortem.advisor import inverted, others
from premortem.advisor.columns import KeyStatistics
from premortem.advisor.existing import as_candidate
from premortem.advisor.groups import is_unique
from premortem.advisor.leaves import (
    LEAF_FILLFACTOR,
    PAGE,
    Items,
    leaf_pages,
    pivot_size,
    plain,
    shared,
    tuple_size,
    with_inner_pages,
)
from premortem.advisor.partial import Kept, kept_by
from premortem.advisor.remembering import remembered
from premortem.advisor.storage import deduplicates
from premortem.model import Index, IndexCandidate, IndexKey, Profile, RelationKind, Table

__all__ = ["PAGE", "IndexSize", "index_size", "rebuilt_size", "whole_size"]

_NEWEST = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSize:
    """What an index would look like on disk; `level` is a B-tree's height above the leaves, None for other methods."""

    pages: int
    tuples: float
    level: int | None
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What an index's own options change."""

    fillfactor: int | None = None
    deduplicate_items: bool = True
    pages_per_range: int = 128


_PLAIN = Storage()


def index_size(
    candidate: IndexCandidate, table: Table, *, major: int = _NEWEST, storage: Storage = _PLAIN
) -> IndexSize:
    """Return the estimated size of an index over one table's own rows, as it is after CREATE INDEX."""
    kept = kept_by(candidate.predicate, table)
    rows = table.rows * kept.share
    if candidate.method == "btree":
        return _btree(candidate, table, kept, rows, major, storage)
    keys = tuple(kept.key(key, table) for key in candidate.keys)
    match candidate.method:
        case "gin":
            pages = inverted.pages(candidate, table, keys, rows)
        case "brin":
            pages = others.brin_pages(candidate, table, keys, storage.pages_per_range)
        case "hash":
            pages = others.hash_pages(keys[0], rows, storage.fillfactor)
        case "spgist":
            pages = others.spgist_pages(keys, rows)
        case _:
            pages = others.gist_pages(candidate, keys, rows, major)
    return _sized(pages, rows, None)


def rebuilt_size(index: Index, table: Table, *, major: int = _NEWEST) -> IndexSize:
    """Return the size that an existing index would have if it were built again today: what is more is bloat."""
    return index_size(as_candidate(index, table.relation), table, major=major, storage=_storage(index.definition))


def whole_size(candidate: IndexCandidate, profile: Profile) -> IndexSize:
    """Return the size of an index on a table of the profile, with those of all its partitions."""
    table = profile.table(candidate.table)
    if table is None:
        raise LookupError(f"the profile has no table {candidate.table}")
    major = profile.server.major
    stored = profile.leaves(table.relation) if table.kind is RelationKind.PARTITIONED_TABLE else (table,)
    parts = [index_size(candidate, _resolved(t, profile), major=major) for t in stored]
    if len(parts) == 1:
        return parts[0]
    levels = [p.level for p in parts if p.level is not None]
    return IndexSize(
        pages=sum(p.pages for p in parts), tuples=sum(p.tuples for p in parts), bytes=sum(p.bytes for p in parts),
        level=max(levels, default=None),
    )  # fmt: skip


def _resolved(table: Table, profile: Profile) -> Table:
    """Return the table with the types under its domains, the same one every time, which knows its keys by now."""
    return remembered(table, "_resolved", None, lambda: profile.with_base_types(table))


def _storage(definition: str) -> Storage:
    """Return the options of an index as its definition has them.

    >>> _storage("CREATE INDEX i ON public.t USING btree (a) WITH (fillfactor='70', deduplicate_items=off)").fillfactor
    70
    """
    found = re.search(r"\bWITH \(([^)]*)\)", definition)
    options = dict(re.findall(r"(\w+)\s*=\s*'?(\w+)'?", found[1])) if found else {}
    return Storage(
        fillfactor=int(options["fillfactor"]) if "fillfactor" in options else None,
        deduplicate_items=options.get("deduplicate_items", "on") not in ("off", "false", "0", "no"),
        pages_per_range=int(options.get("pages_per_range", 128)),
    )


def _sized(pages: float, tuples: float, level: int | None) -> IndexSize:
    whole = max(1, math.ceil(pages))
    return IndexSize(pages=whole, tuples=tuples, level=level, bytes=whole * PAGE)


def _btree(candidate: IndexCandidate, table: Table, kept: Kept, rows: float, major: int, storage: Storage) -> IndexSize:
    if rows < 1:
        return _sized(1, rows, 0)
    keys = tuple(kept.key(key, table) for key in candidate.keys)
    included = tuple(kept.key(IndexKey(column=name), table) for name in candidate.include)
    size = tuple_size((*keys, *included))
    shares = storage.deduplicate_items and not included and not candidate.unique
    if shares and all(deduplicates(k.type, major) for k in keys) and not is_unique(candidate.keys, table):
        items = shared(kept.groups(candidate.keys, table).cells, rows, size)
    else:
        items = plain(rows, size)
    leaves = leaf_pages(items, size, storage.fillfactor or LEAF_FILLFACTOR)
    pages, level = with_inner_pages(leaves, _pivot(keys, items))
    return _sized(pages + 1, rows, level)


def _pivot(keys: Sequence[KeyStatistics], items: Items) -> float:
    kinds, prefixes = 1.0, []
    for place, key in enumerate(keys, start=1):
        kinds = min(kinds * key.kinds, items.count)
        prefixes.append((kinds, tuple_size(keys[:place])))
        if kinds >= items.count:
            break
    return pivot_size(prefixes, items.count)
