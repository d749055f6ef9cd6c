"""Turns one EXPLAIN property object into a typed node, so that both input forms end in the same tree.

The text form is first brought into PostgreSQL's JSON vocabulary (`text.py`); everything after that is done here, once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from premortem.model import Actual, Json, Node, RelationName

_MOST = 1e60
#: Nodes whose "Schema" and "Alias" are those of a relation that is stored somewhere.
_NAMELESS = frozenset({"Function Scan", "Table Function Scan"})


def node(properties: Mapping[str, Json], path: tuple[int, ...] = ()) -> Node:
    """Return the node, with everything below it, that an EXPLAIN (FORMAT JSON) object describes."""
    children = tuple(node(child, (*path, place)) for place, child in enumerate(_plans(properties)))
    kind = text(properties, "Node Type") or "Unknown"
    return Node(
        kind=kind,
        path=path,
        parent_relationship=text(properties, "Parent Relationship"),
        subplan_name=text(properties, "Subplan Name"),
        relation=_relation(kind, properties),
        alias=text(properties, "Alias"),
        index=text(properties, "Index Name"),
        scan_direction=_direction(properties),
        index_condition=text(properties, "Index Cond"),
        recheck_condition=text(properties, "Recheck Cond"),
        order_by=text(properties, "Order By"),
        filter=text(properties, "Filter"),
        join_type=text(properties, "Join Type"),
        join_filter=text(properties, "Join Filter"),
        hash_condition=text(properties, "Hash Cond"),
        merge_condition=text(properties, "Merge Cond"),
        inner_unique=_flag(properties, "Inner Unique"),
        sort_key=texts(properties, "Sort Key"),
        presorted_key=texts(properties, "Presorted Key"),
        group_key=texts(properties, "Group Key") or _grouping_sets(properties),
        output=texts(properties, "Output"),
        strategy=text(properties, "Strategy"),
        operation=text(properties, "Operation"),
        cte_name=text(properties, "CTE Name"),
        parallel_aware=bool(_flag(properties, "Parallel Aware")),
        workers_planned=whole(properties, "Workers Planned"),
        startup_cost=number(properties, "Startup Cost") or 0.0,
        total_cost=number(properties, "Total Cost") or 0.0,
        rows=number(properties, "Plan Rows") or 0.0,
        width=whole(properties, "Plan Width") or 0,
        actual=_actual(properties),
        children=children,
        raw=MappingProxyType({name: value for name, value in properties.items() if name != "Plans"}),
    )


def number(properties: Mapping[str, Json], name: str) -> float | None:
    """Return a property as a number, None where it is absent or no number; an endless one is cut off.

    PostgreSQL itself clamps rows at 1e100; what is pasted can say anything, and sums of it must stay finite.
    """
    value = properties.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(found) else min(max(found, -_MOST), _MOST)


def whole(properties: Mapping[str, Json], name: str) -> int | None:
    """Return a property as a whole number, None where it is absent or no finite number."""
    value = number(properties, name)
    return int(value) if value is not None and abs(value) < 2**63 else None


def text(properties: Mapping[str, Json], name: str) -> str | None:
    """Return a property as text, None where it is absent."""
    value = properties.get(name)
    if value is None or isinstance(value, list | dict):
        return None
    return value if isinstance(value, str) else str(value)


def texts(properties: Mapping[str, Json], name: str) -> tuple[str, ...]:
    """Return a property that lists expressions; a lone one counts as a list of one."""
    value = properties.get(name)
    listed: Sequence[Json] = value if isinstance(value, list) else ([] if value is None else [value])
    return tuple(v if isinstance(v, str) else str(v) for v in listed)


def objects(properties: Mapping[str, Json], name: str) -> tuple[dict[str, Json], ...]:
    """Return a property that lists objects, leaving out whatever is none."""
    value = properties.get(name)
    return tuple(v for v in value if isinstance(v, dict)) if isinstance(value, list) else ()


def _plans(properties: Mapping[str, Json]) -> tuple[dict[str, Json], ...]:
    return objects(properties, "Plans")


def _flag(properties: Mapping[str, Json], name: str) -> bool | None:
    value = properties.get(name)
    return value if isinstance(value, bool) else None


def _relation(kind: str, properties: Mapping[str, Json]) -> RelationName | None:
    name = text(properties, "Relation Name")
    if name is None or kind in _NAMELESS:
        return None
    return RelationName(schema=text(properties, "Schema") or "", name=name)


def _direction(properties: Mapping[str, Json]) -> str | None:
    """Return the direction; `NoMovement`, as 15 and older say of an index without order, reads on like `Forward`."""
    found = text(properties, "Scan Direction")
    return "Forward" if found == "NoMovement" else found


def _grouping_sets(properties: Mapping[str, Json]) -> tuple[str, ...]:
    """Every key of a GROUPING SETS aggregate once, in the order in which the sets name them."""
    keys = [key for part in objects(properties, "Grouping Sets") for value in part.values() for key in _flat(value)]
    return tuple(dict.fromkeys(keys))


def _flat(value: Json) -> list[str]:
    if isinstance(value, list):
        return [key for part in value for key in _flat(part)]
    return [value] if isinstance(value, str) else []


def _actual(properties: Mapping[str, Json]) -> Actual | None:
    rows, loops = number(properties, "Actual Rows"), number(properties, "Actual Loops")
    if rows is None or loops is None:
        return None
    workers = objects(properties, "Workers")
    return Actual(
        startup_ms=number(properties, "Actual Startup Time"),
        total_ms=number(properties, "Actual Total Time"),
        rows=rows,
        loops=loops,
        rows_removed_by_filter=number(properties, "Rows Removed by Filter"),
        rows_removed_by_index_recheck=number(properties, "Rows Removed by Index Recheck"),
        rows_removed_by_join_filter=number(properties, "Rows Removed by Join Filter"),
        heap_fetches=number(properties, "Heap Fetches"),
        shared_hit_blocks=whole(properties, "Shared Hit Blocks"),
        shared_read_blocks=whole(properties, "Shared Read Blocks"),
        shared_dirtied_blocks=whole(properties, "Shared Dirtied Blocks"),
        temp_read_blocks=whole(properties, "Temp Read Blocks"),
        temp_written_blocks=whole(properties, "Temp Written Blocks"),
        read_ms=_either(number(properties, "Shared I/O Read Time"), number(properties, "I/O Read Time")),
        sort_method=text(properties, "Sort Method"),
        disk_kb=_most(_disk_kb(properties), [_disk_kb(w) for w in workers]),
        memory_kb=_most(_memory_kb(properties), [_memory_kb(w) for w in workers]),
        batches=_batches(properties, "Hash Batches", "HashAgg Batches"),
        original_batches=whole(properties, "Original Hash Batches"),
        exact_pages=_sum(properties, workers, "Exact Heap Blocks"),
        lossy_pages=_sum(properties, workers, "Lossy Heap Blocks"),
        cache_hits=_sum(properties, workers, "Cache Hits"),
        cache_misses=_sum(properties, workers, "Cache Misses"),
        cache_evictions=_sum(properties, workers, "Cache Evictions"),
        workers_launched=whole(properties, "Workers Launched"),
        index_searches=number(properties, "Index Searches"),
        wal_records=number(properties, "WAL Records"),
        wal_full_pages=number(properties, "WAL FPI"),
        wal_bytes=number(properties, "WAL Bytes"),
    )


def _either(first: float | None, second: float | None) -> float | None:
    return first if first is not None else second


def _disk_kb(properties: Mapping[str, Json]) -> float | None:
    """Return what a node, or a worker's share of it, put on disk; of an incremental sort its largest group."""
    if text(properties, "Sort Space Type") == "Disk":
        return number(properties, "Sort Space Used")
    if text(properties, "Storage") == "Disk":
        return number(properties, "Maximum Storage")
    groups = [_group_kb(properties, name, "Disk") for name in _SORT_GROUPS]
    used = number(properties, "Disk Usage") or None  # the text form does not print a zero
    return _either(used, max((g for g in groups if g is not None), default=None))


def _memory_kb(properties: Mapping[str, Json]) -> float | None:
    if text(properties, "Sort Space Type") == "Memory":
        return number(properties, "Sort Space Used")
    groups = [_group_kb(properties, name, "Memory") for name in _SORT_GROUPS]
    return _either(number(properties, "Peak Memory Usage"), max((g for g in groups if g is not None), default=None))


_SORT_GROUPS = ("Full-sort Groups", "Pre-sorted Groups")


def _group_kb(properties: Mapping[str, Json], name: str, kind: str) -> float | None:
    group = properties.get(name)
    space = group.get(f"Sort Space {kind}", group.get("Sort Space")) if isinstance(group, dict) else None
    return number(space, "Peak Sort Space Used") if isinstance(space, dict) else None


def _most(own: float | None, others: Sequence[float | None]) -> float | None:
    """Return the sum of the leader's figure and its workers', None where nobody has one."""
    known = [v for v in (own, *others) if v is not None]
    return sum(known) if known else None


def _batches(properties: Mapping[str, Json], *names: str) -> int | None:
    found = [n for n in (whole(properties, name) for name in names) if n is not None]
    return max(found, default=None)


def _sum(properties: Mapping[str, Json], workers: Sequence[Mapping[str, Json]], name: str) -> int | None:
    """Return a count over all processes; the leader's own stands apart from its workers'."""
    found = [n for n in (whole(part, name) for part in (properties, *workers)) if n is not None]
    return sum(found) if found else None
