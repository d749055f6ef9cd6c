"""Where a mirror is, and how a server of our own is set up for one."""

from __future__ import annotations

import os
from dataclasses import dataclass

from premortem import pg

_SMALLEST, _LARGEST = 128 << 20, 4 << 30
_SORT_SMALLEST, _SORT_LARGEST = 64 << 20, 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a mirror is: how to connect, and the server where it is our own."""

    dsn: str
    server: pg.Server | None = None

    def sorting_memory(self, workers: int) -> str:
        """Return how much each of so many builders of indexes may take; of a server that is not ours we ask little."""
        if self.server is None:
            return f"{256 // max(workers // 4, 1)}MB"
        share = _memory() // 8 // max(workers, 1)
        return f"{min(max(share, _SORT_SMALLEST), _SORT_LARGEST) >> 20}MB"


def server_settings() -> dict[str, str | int | float | bool]:
    """Return the settings of a mirror's own server: made to be filled fast, then to run production's queries.

    A quarter of the memory for shared buffers, as the manual advises for a server of its own (20.4.1, shared_buffers).
    """
    buffers = min(max(_memory() // 4, _SMALLEST), _LARGEST) >> 20
    return {
        "shared_buffers": f"{buffers}MB",
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "wal_compression": False,
        "checkpoint_timeout": "30min",
        "checkpoint_completion_target": 0.9,
        "autovacuum": False,
        "max_connections": 60,
        "max_locks_per_transaction": 512,
        "track_io_timing": True,
    }


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def settle(db: pg.Session, *, memory: str | None = None) -> None:
    """Set a session up for work on a mirror that may take hours, and that names everything in full.

    It waits for its own siblings as long as they take: two foreign keys of one table are validated one after the other.
    """
    settings = {
        "search_path": "",
        "client_min_messages": "error",
        "check_function_bodies": "off",
        "synchronous_commit": "off",
        "lock_timeout": "0",
    }
    settings |= {"maintenance_work_mem": memory} if memory else {}
    settings |= {"idle_session_timeout": "0"} if db.server_version >= 140_000 else {}
    for name, value in settings.items():
        db.execute("SELECT pg_catalog.set_config(%(name)s, %(value)s, false)", name=name, value=value)
