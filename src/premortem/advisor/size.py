"""How large an index would be, so that a proposal says what it costs and a twin can give it that size.

PostgreSQL's own page layouts applied to the statistics: what a B-tree looks like is in `leaves`, how many rows share a
key in `groups`, a GIN index in `inverted`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from premortem.advisor.columns import KeyStatistics, key_statistics
from premortem.advisor.existing import as_candidate
from premortem.advisor.groups import groups, is_unique
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
    from premortem.advisor import inverted, others

    keys = tuple(key_statistics(key, table) for key in candidate.keys)
    rows = table.rows * _covered(candidate, table)
    match candidate.method:
        case "btree":
            return _btree(candidate, table, _narrowed(candidate, keys, table), rows, major, storage)
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


def whole_size(candidate: IndexCandidate, profile: Profile) -> IndexSize | None:
    """Return the size of an index on a table with all its partitions, None where the profile has no such table."""
    table = profile.table(candidate.table)
    if table is None:
        return None
    major = profile.server.major
    parts = [index_size(candidate, profile.with_base_types(t), major=major) for t in _leaves(table, profile)]
    levels = [p.level for p in parts if p.level is not None]
    return IndexSize(
        pages=sum(p.pages for p in parts), tuples=sum(p.tuples for p in parts), bytes=sum(p.bytes for p in parts),
        level=max(levels, default=None),
    )  # fmt: skip


def _leaves(table: Table, profile: Profile) -> Iterator[Table]:
    if table.kind is not RelationKind.PARTITIONED_TABLE:
        yield table
        return
    for child in profile.children(table.relation):
        yield from _leaves(child, profile)


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


def _covered(candidate: IndexCandidate, table: Table) -> float:
    """Return the share of the rows that the index would hold."""
    from premortem.advisor.selectivity import share_of_predicate

    if candidate.predicate is None:
        return 1.0
    known = table.__dict__.setdefault("_predicate_shares", {})
    if candidate.predicate not in known:
        known[candidate.predicate] = share_of_predicate(candidate.predicate, table)
    return float(known[candidate.predicate])


def _sized(pages: float, tuples: float, level: int | None) -> IndexSize:
    whole = max(1, math.ceil(pages))
    return IndexSize(pages=whole, tuples=tuples, level=level, bytes=whole * PAGE)


def _btree(
    candidate: IndexCandidate, table: Table, keys: tuple[KeyStatistics, ...], rows: float, major: int, storage: Storage
) -> IndexSize:
    if rows < 1:
        return _sized(1, rows, 0)
    included = tuple(key_statistics(name, table) for name in candidate.include)
    size = tuple_size((*keys, *included))
    shares = storage.deduplicate_items and not included and not candidate.unique
    if shares and all(deduplicates(k.type, major) for k in keys) and not is_unique(candidate.keys, table):
        items = shared(groups(candidate.keys, table).cells, rows, size)
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


def _narrowed(candidate: IndexCandidate, keys: tuple[KeyStatistics, ...], table: Table) -> tuple[KeyStatistics, ...]:
    """Return what is known of the keys among the rows that a partial index holds."""
    if candidate.predicate is None:
        return keys
    return tuple(
        replace(stats, null_share=0.0) if _is_never_null(key, candidate.predicate) else stats
        for key, stats in zip(candidate.keys, keys, strict=True)
    )


def _is_never_null(key: IndexKey, predicate: str) -> bool:
    name = re.escape(key.column or key.expression or "")
    return re.search(rf'(?<![\w"])"?{name}"?\)? (?!IS NULL)(?:IS NOT NULL|=|<|>|IN\b)', predicate) is not None
