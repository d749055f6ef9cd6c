"""What moved between two readings of pg_stat_statements, from the lines that differ.

A line is `dbid userid toplevel queryid calls total min max stddev rows hit read temp wal [since]`.  Ten thousand of
them are compared as two sets of strings in about two milliseconds; parsing them all would take thirty.
"""

from __future__ import annotations

from collections.abc import Collection, Set
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from premortem.model import Counters, Moved, StatementKey
from premortem.sampling.moments import moment

_ORDER = attrgetter("key.dbid", "key.userid", "key.toplevel", "key.queryid")
_SINCE = 14  # the place of stats_since in a line, where the extension has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The lines of one poll, when it was, and how many entries the role may not see."""

    at: datetime
    lines: Set[str]
    extension: tuple[int, int] | None = None
    hidden: int = 0

    def comparable(self, now: Reading) -> bool:
        """Whether an entry that is new since is a new one, and not one that was invisible or looked different."""
        return self.extension == now.extension and not (self.hidden and not now.hidden)


def split(text: str | None) -> frozenset[str]:
    """Return the lines of the server's one long text."""
    return frozenset(text.split("\n")) if text else frozenset()


def moved(before: Reading, now: Reading, own: Collection[int]) -> tuple[tuple[Moved, ...], int]:
    """Return the entries that are not what they were, ours left out, and how many are not there any more."""
    old = dict(map(_parts, before.lines - now.lines))
    new = dict(map(_parts, now.lines - before.lines))
    found = [_moved(name, new[name], old.get(name)) for name in new if int(name[3]) not in own]
    return tuple(sorted(found, key=_ORDER)), sum(name not in new for name in old)


_Name = tuple[str, ...]


def _parts(line: str) -> tuple[_Name, list[str]]:
    """Return a line's key, as text because that is compared at once, and all its parts."""
    parts = line.split(" ")
    return tuple(parts[:4]), parts


def _moved(name: _Name, now: list[str], before: list[str] | None) -> Moved:
    dbid, userid, toplevel, queryid = name
    key = StatementKey(dbid=int(dbid), userid=int(userid), toplevel=toplevel == "t", queryid=int(queryid))
    return Moved(key=key, now=_counters(now), before=None if before is None else _counters(before))


def _counters(part: list[str]) -> Counters:
    calls, total = int(part[4]), float(part[5])
    return Counters(
        calls=calls, total_ms=total, min_ms=float(part[6]), max_ms=float(part[7]),
        mean_ms=total / calls if calls else 0.0, stddev_ms=float(part[8]), rows=int(part[9]),
        shared_hit=int(part[10]), shared_read=int(part[11]), temp_written=int(part[12]), wal_bytes=int(part[13]),
        since=moment(round(float(part[_SINCE]) * 1_000_000)) if len(part) > _SINCE else None,
    )  # fmt: skip
