"""How long CREATE INDEX CONCURRENTLY takes: two reads of the table, and what forming and sorting the entries takes.

Measured per row, one process with the table in memory, PostgreSQL 15 and 18 (`bench/advisor/writes/build.py` measures
it again); a disk is counted in besides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta

from premortem.advisor.columns import KeyStatistics, key_statistics
from premortem.advisor.elements import elements
from premortem.advisor.machine import machine_of
from premortem.advisor.size import IndexSize, index_size
from premortem.model import IndexCandidate, IndexKey, Profile, Table

SCAN_BYTES = 400e6  # bytes per second of reading a table from a disk that is not the slowest
_READS = 2.0  # CONCURRENTLY reads the table twice
_MOMENT = 0.01  # three transactions, and what they wait for even when nobody is there
_ROW = 0.25e-6  # seconds per row of the table, both reads
#: Seconds per entry: in the order of the rows, in any, and what texts, numerics and further bytes take.
_IN_ORDER, _IN_NONE, _TEXT, _NUMERIC, _PER_BYTE = 0.15e-6, 0.45e-6, 0.35e-6, 0.15e-6, 0.01e-6
_NARROW = 16.0  # bytes
_LANGUAGE = 1.8  # times a text takes that is compared by a language's rules
#: Seconds per further key, per included column, and per key that is looked at because those before it are equal.
_KEY, _INCLUDED, _TIED = 0.15e-6, 0.3e-6, 1.0e-6
_TELLS_APART = 1000.0
_PER_DOUBLING, _USUAL_DOUBLINGS = 0.05, 17.0
#: Seconds that an expression takes, by how it begins or what it has in it; each read of the table works it out.
_EXPRESSIONS = (("to_tsvector", 4.0e-6), ("->", 0.7e-6), ("regexp", 3.0e-6), ("md5", 0.5e-6))
_EXPRESSION = 0.3e-6
#: GIN: seconds per key of a row, per key that no other row has, and per document that is taken apart.
_ELEMENT, _NEW_ELEMENT, _DOCUMENT = 0.35e-6, 3.0e-6, 1.5e-6
_GIST, _GIST_SORTED, _SPGIST, _HASH, _BRIN = 9.0e-6, 1.8e-6, 3.2e-6, 1.2e-6, 0.2e-6
#: Types whose GiST operator class sorts, and since which version.
_SORTED_BY_GIST = {"point": 14, "range": 18}
_NEWEST, _NEVER = 18, 1_000
_IN_ROWS_ORDER = 0.95


def build_seconds(
    candidate: IndexCandidate, table: Table, size: IndexSize, *, collates: bool = False, major: int = _NEWEST
) -> float:
    """Return how long CREATE INDEX CONCURRENTLY would take, as an estimate from measured rates."""
    sorting = sort_seconds(candidate, table, size, collates=collates, major=major)
    return table.size_bytes / SCAN_BYTES * _READS + sorting


def sort_seconds(
    candidate: IndexCandidate, table: Table, size: IndexSize, *, collates: bool = False, major: int = _NEWEST
) -> float:
    """Return how long it would take with the table in memory; `collates` says that texts follow a language's rules."""
    keys = tuple(key_statistics(k, table) for k in candidate.keys)
    worked_out = sum(expression_seconds(k) for k in candidate.keys) * _READS * max(size.tuples, 0.0)
    if candidate.method == "gist":
        entry = _gist(keys, major)
    else:
        entry = _ENTRY.get(candidate.method, _btree)(candidate, keys, collates)
    more = 1.0 + _PER_DOUBLING * max(math.log2(max(size.tuples, 1.0)) - _USUAL_DOUBLINGS, 0.0)
    return _MOMENT + table.rows * _ROW + worked_out + size.tuples * entry * more


def build_time(candidate: IndexCandidate, table: Table, profile: Profile, *, concurrently: bool = True) -> timedelta:
    """Return how long CREATE INDEX takes, of a partitioned table on all partitions."""
    parts = profile.leaves(table.relation) or (table,)
    sizes = (index_size(candidate, part, major=profile.server.major) for part in parts)
    each = zip(parts, sizes, strict=True)
    collates, major = machine_of(profile).collates, profile.server.major
    whole = sum(build_seconds(candidate, p, size, collates=collates, major=major) for p, size in each)
    second = 0.0 if concurrently else sum(p.size_bytes / SCAN_BYTES + p.rows * _ROW / _READS for p in parts)
    return timedelta(seconds=max(whole - second, 0.0))


def expression_seconds(key: IndexKey) -> float:
    """Return how long a key takes to work out, once."""
    if key.expression is None:
        return 0.0
    return next((cost for mark, cost in _EXPRESSIONS if mark in key.expression), _EXPRESSION)


_Keys = Sequence[KeyStatistics]


def _btree(candidate: IndexCandidate, keys: _Keys, collates: bool) -> float:
    total, apart = _first(keys[0], collates) + _INCLUDED * len(candidate.include), keys[0].distinct
    for key in keys[1:]:
        total += _KEY + (_TIED if apart < _TELLS_APART else 0.0)
        apart *= key.distinct
    return total


def _first(key: KeyStatistics, collates: bool) -> float:
    if key.statistics is not None and abs(key.statistics.correlation or 0.0) > _IN_ROWS_ORDER:
        return _IN_ORDER
    if key.type == "numeric":
        return _IN_NONE + _NUMERIC
    text = _TEXT * (_LANGUAGE if collates else 1.0) if key.varies else 0.0
    return _IN_NONE + text + _PER_BYTE * max(key.width - _NARROW, 0.0)


def _gin(candidate: IndexCandidate, keys: _Keys, collates: bool) -> float:
    total = 0.0
    for key, stats in zip(candidate.keys, keys, strict=True):
        found = elements(stats, key.opclass)
        alone = sum(e.share * e.count for e in found if e.share * stats.rows < 1.5)
        total += sum(e.share * e.count for e in found) * _ELEMENT + alone * _NEW_ELEMENT
        total += _DOCUMENT if stats.type == "jsonb" else 0.0
    return total


def _gist(keys: _Keys, major: int) -> float:
    kind = "range" if keys[0].type.endswith("range") else keys[0].type
    return _GIST_SORTED if len(keys) == 1 and major >= _SORTED_BY_GIST.get(kind, _NEVER) else _GIST


_ENTRY: dict[str, Callable[[IndexCandidate, _Keys, bool], float]] = {
    "btree": _btree,
    "gin": _gin,
    "spgist": lambda candidate, keys, collates: _SPGIST,
    "hash": lambda candidate, keys, collates: _HASH,
    "brin": lambda candidate, keys, collates: _BRIN,
}
