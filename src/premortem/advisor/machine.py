"""What a server does between two changes of a page, as its settings and its writes say: checkpoints and memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from premortem.model import Profile, Table

Thing = TypeVar("Thing")

#: PostgreSQL's defaults, in the settings' base units: pages for the memory, seconds, megabytes.
_SHARED_BUFFERS, _EFFECTIVE_CACHE, _TIMEOUT, _MAX_WAL = 16_384.0, 524_288.0, 300.0, 1024.0
_MOST_DEAD = 100e6  # autovacuum_vacuum_max_threshold, since 18
_TID_STORE = 17  # since then VACUUM keeps dead rows in a tree by page, and does not search a list
_MEGABYTE = 1024.0 * 1024.0
_OF_MAX_WAL = 1 / 1.9  # a checkpoint begins when so much of max_wal_size is written (checkpoint_completion_target 0.9)
#: Log of a row that is written, and of each index's entry for it, with a page image now and then; measured, rounded.
_ROW_LOG, _ENTRY_LOG = 400.0, 300.0
_COMPRESSED = 0.4  # of an image is left by wal_compression; assumed, documents and names compress better


@dataclass(frozen=True, slots=True)
class Itself(Generic[Thing]):
    """A value that equals itself only: to compare two profiles by contents takes longer than any use of one."""

    value: Thing

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Itself) and other.value is self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a server does between two changes of a page: how often it checkpoints, and what it has in memory.

    `interval` is seconds between checkpoints; `images` is the share of a page's bytes that its image logs, 0 where
    there are none.  `near` pages come from the system's cache and `far` ones from disk, as shares of all reads.
    `searches` says that VACUUM searches a list for each row, `collates` that texts are compared by a language's rules,
    and not by their bytes.
    """

    interval: float = _TIMEOUT
    images: float = 1.0
    near: float = 0.0
    far: float = 0.0
    vacuum_threshold: float = 50.0
    vacuum_scale: float = 0.2
    vacuum_most: float = math.inf
    searches: bool = False
    collates: bool = False

    def dead_rows(self, rows: float, options: Sequence[str]) -> float:
        """Return how many dead rows bring autovacuum to a table with those storage options."""
        own = dict(option.split("=", 1) for option in options if "=" in option)
        threshold = _number(own.get("autovacuum_vacuum_threshold"), self.vacuum_threshold)
        scale = _number(own.get("autovacuum_vacuum_scale_factor"), self.vacuum_scale)
        return max(min(threshold + scale * rows, self.vacuum_most), 1.0)


def machine_of(profile: Profile) -> Machine:
    """Return what a profile says of its server's checkpoints and memory."""
    return _machine(Itself(profile))


@lru_cache(maxsize=8)
def _machine(of: Itself[Profile]) -> Machine:
    profile = of.value
    shared, cached = _memory(profile)
    return Machine(
        interval=_interval(profile), images=_images(profile), near=cached - shared, far=1.0 - cached,
        vacuum_threshold=_setting(profile, "autovacuum_vacuum_threshold", 50.0),
        vacuum_scale=_setting(profile, "autovacuum_vacuum_scale_factor", 0.2),
        searches=profile.server.major < _TID_STORE,
        vacuum_most=_MOST_DEAD if profile.server.major >= 18 else math.inf,
        collates=profile.server.locale_provider != "c" or profile.server.collate not in ("C", "POSIX"),
    )  # fmt: skip


def _memory(profile: Profile) -> tuple[float, float]:
    """Return the shares of all pages that fit into shared buffers, and into these and the system's cache."""
    pages = sum(t.pages + sum(i.pages for i in t.indexes) for t in profile.tables)
    shared = min(1.0, _setting(profile, "shared_buffers", _SHARED_BUFFERS) / max(pages, 1))
    return shared, max(shared, min(1.0, _setting(profile, "effective_cache_size", _EFFECTIVE_CACHE) / max(pages, 1)))


def _interval(profile: Profile) -> float:
    """Return the seconds between checkpoints: by the clock, or sooner where the log reaches its size first."""
    rate = sum(_log_rate(t) for t in profile.tables)
    room = _setting(profile, "max_wal_size", _MAX_WAL) * _MEGABYTE * _OF_MAX_WAL
    timeout = max(_setting(profile, "checkpoint_timeout", _TIMEOUT), 1.0)
    return min(timeout, max(room / rate, 1.0)) if rate > 0 else timeout


def _log_rate(table: Table) -> float:
    seen = table.activity
    rows, entries = seen.inserts + seen.updates + seen.deletes, seen.inserts + max(seen.updates - seen.hot_updates, 0.0)
    return rows * _ROW_LOG + entries * len(table.indexes) * _ENTRY_LOG


def _images(profile: Profile) -> float:
    if profile.setting("full_page_writes", "on") == "off":
        return 0.0
    return 1.0 if profile.setting("wal_compression", "off") in ("off", "") else _COMPRESSED


def _setting(profile: Profile, name: str, default: float) -> float:
    return _number(profile.setting(name), default)


def _number(text: str | None, default: float) -> float:
    try:
        return float(text or default)
    except ValueError:
        return default
