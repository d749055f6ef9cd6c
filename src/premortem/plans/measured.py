"""Takes apart the lines of EXPLAIN's text form that put several measurements together.

`Buckets: 1024  Batches: 4 (originally 1)  Memory Usage: 32kB` is three properties in the JSON form.  What each line is
made of is in `explain.c` (PostgreSQL 9.6 to 18: show_sort_info, show_hash_info, show_hashagg_info, show_memoize_info,
show_tidbitmap_info, show_storage_info, show_wal_usage, show_buffer_usage, show_incremental_sort_info).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from premortem.model import Json

Properties: TypeAlias = dict[str, Json]

_NAMED = re.compile(r"([A-Z][A-Za-z -]*?): ([^:]+?)(?=\s+[A-Z][A-Za-z -]*: |\s*\Z)")
_COUNT = re.compile(r"(\w+)=(\d+(?:\.\d+)?)")
_BLOCKS = re.compile(r"(shared|local|temp) ((?:\w+=\d+[ ,]*)+)")
_TIMINGS = re.compile(r"(?:(shared/local|shared|local|temp) )?((?:(?:read|write)=[\d.]+[ ,]*)+)")
_SPACE = re.compile(r"(?P<method>.*?)\s+(?P<kind>Memory|Disk): (?P<used>\d+)kB")
_KILOBYTES = re.compile(r"(\d+)kB")
_ORIGINALLY = re.compile(r"(\d+)(?: \(originally (\d+)\))?")
_JIT = re.compile(r"(Generation|Inlining|Optimization|Emission|Total) ([\d.]+) ms")
_WAL = {"records": "WAL Records", "fpi": "WAL FPI", "bytes": "WAL Bytes"}
_CACHE = {
    "Hits": "Cache Hits",
    "Misses": "Cache Misses",
    "Evictions": "Cache Evictions",
    "Overflows": "Cache Overflows",
}
_PEAK = "Peak Memory Usage"


def taken_apart(name: str, value: str) -> Properties:
    """Return the JSON form's properties that one line of the text form holds, none where the line is one property.

    >>> taken_apart("Sort Method", "external merge  Disk: 14248kB")
    {'Sort Method': 'external merge', 'Sort Space Used': 14248, 'Sort Space Type': 'Disk'}
    >>> taken_apart("Heap Blocks", "exact=12 lossy=3")
    {'Exact Heap Blocks': 12, 'Lossy Heap Blocks': 3}
    """
    read = _READERS.get(name)
    return read(f"{name}: {value}", value) if read is not None else {}


def workers(lines: list[str]) -> list[Json]:
    """Return what the `Worker N:` lines of a node say, one object for each line."""
    found: list[Json] = []
    for line in lines:
        heading, _, rest = line.partition(":")
        name, colon, value = rest.strip().partition(": ")
        number = heading.removeprefix("Worker ").strip()
        worker: Properties = {"Worker Number": int(number) if number.isdecimal() else number}
        found.append(worker | (taken_apart(name, value) if colon else {}))
    return found


def timing(value: str) -> Properties:
    """Return the times of `JIT: Timing: Generation 0.2 ms, …, Total 83.7 ms`."""
    return {name: float(time) for name, time in _JIT.findall(value)}


def _named(line: str) -> Mapping[str, str]:
    return {name: value.strip() for name, value in _NAMED.findall(line)}


def _sort(line: str, value: str) -> Properties:
    match = _SPACE.match(value)
    if match is None:
        return {}
    return {"Sort Method": match["method"], "Sort Space Used": int(match["used"]), "Sort Space Type": match["kind"]}


def _hash(line: str, value: str) -> Properties:
    """`Buckets: 1024 (originally 2048)  Batches: 4 (originally 1)  Memory Usage: 32kB` of a Hash."""
    found: Properties = {}
    for name, said in _named(line).items():
        if match := _ORIGINALLY.match(said) if name in ("Buckets", "Batches") else None:
            found |= {f"Hash {name}": int(match[1]), f"Original Hash {name}": int(match[2] or match[1])}
    return found | _memory(line)


def _aggregate(line: str, value: str) -> Properties:
    """`Planned Partitions: 4  Batches: 5  Memory Usage: 4145kB  Disk Usage: 800kB` of a HashAggregate."""
    said = _named(line)
    names = {"Planned Partitions": "Planned Partitions", "Batches": "HashAgg Batches"}
    found: Properties = {json: int(said[text]) for text, json in names.items() if said.get(text, "").isdecimal()}
    return found | _memory(line)


def _memory(line: str) -> Properties:
    said = _named(line)
    names = {"Memory Usage": _PEAK, "Disk Usage": "Disk Usage", "Maximum Storage": "Maximum Storage"}
    sizes = {json: _KILOBYTES.match(said.get(text, "")) for text, json in names.items()}
    return {name: int(size[1]) for name, size in sizes.items() if size is not None}


def _memoize(line: str, value: str) -> Properties:
    said = _named(line)
    found: Properties = {json: int(said[text]) for text, json in _CACHE.items() if said.get(text, "").isdecimal()}
    return found | _memory(line)


def _storage(line: str, value: str) -> Properties:
    return {"Storage": _named(line).get("Storage", value)} | _memory(line)


def _heap_blocks(line: str, value: str) -> Properties:
    counts = dict(_COUNT.findall(value))
    return {"Exact Heap Blocks": int(counts.get("exact", 0)), "Lossy Heap Blocks": int(counts.get("lossy", 0))}


def blocks(line: str, value: str) -> Properties:
    """Return the counters of `Buffers: shared hit=3 read=1, temp written=2`."""
    return {
        f"{kind.title()} {name.title()} Blocks": int(count)
        for kind, counts in _BLOCKS.findall(value)
        for name, count in _COUNT.findall(counts)
    }


def _timings(line: str, value: str) -> Properties:
    """`I/O Timings: shared read=1.2 write=3` from 15 on; before, the figures of shared and local without a name."""
    found: Properties = {}
    for kind, counts in _TIMINGS.findall(value):
        prefix = {"": "", "shared/local": "", "shared": "Shared "}.get(kind, f"{kind.title()} ")
        found |= {f"{prefix}I/O {name.title()} Time": float(time) for name, time in _COUNT.findall(counts)}
    return found


def _wal(line: str, value: str) -> Properties:
    return {_WAL[name]: int(float(count)) for name, count in _COUNT.findall(value) if name in _WAL}


def _group(line: str, value: str) -> Properties:
    """`Full-sort Groups: 3  Sort Methods: a, b  Average Memory: 27kB  Peak Disk: 30kB` of an Incremental Sort."""
    said = _named(line)
    name = next(iter(said), "")
    methods = said.get("Sort Method", said.get("Sort Methods", ""))
    found: Properties = {"Sort Methods Used": [*methods.split(", ")]} if methods else {}
    found |= {"Group Count": int(said[name])} if said.get(name, "").isdecimal() else {}
    for kind in ("Memory", "Disk"):
        sizes = {how: _KILOBYTES.match(said.get(f"{how} {kind}", "")) for how in ("Average", "Peak")}
        space: Properties = {f"{how} Sort Space Used": int(s[1]) for how, s in sizes.items() if s is not None}
        found |= {f"Sort Space {kind}": space} if space else {}
    return {name: found} if name else {}


_Reader: TypeAlias = Callable[[str, str], Properties]
_READERS: Mapping[str, _Reader] = {
    "Sort Method": _sort,
    "Buckets": _hash,
    "Batches": _aggregate,
    "Planned Partitions": _aggregate,
    "Memory Usage": lambda line, value: _memory(line),
    "Hits": _memoize,
    "Storage": _storage,
    "Heap Blocks": _heap_blocks,
    "Buffers": blocks,
    "I/O Timings": _timings,
    "WAL": _wal,
    "Full-sort Groups": _group,
    "Pre-sorted Groups": _group,
}
