"""What moved between two readings of pg_stat_statements, from the lines that differ.

A line is `dbid userid toplevel queryid calls total min max stddev rows hit read temp wal [since]`.  Ten thousand of
them are compared one by one with those of before in less than a millisecond; parsing them all would take thirty.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import compress
from operator import attrgetter, ne
from types import MappingProxyType
from typing import NamedTuple

from premortem.model import Counters, Moved, StatementKey
from premortem.sampling.moments import moment

_ORDER = attrgetter("key.dbid", "key.userid", "key.toplevel", "key.queryid")
_SINCE = 14  # the place of stats_since in a line, where the extension has it
_Name = tuple[str, ...]


class Entry(NamedTuple):
    """A line that was parsed: its key, as text because that is compared at once, and what it says."""

    name: _Name
    key: StatementKey
    counters: Counters
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The lines of one poll, when it was, and how many entries the role may not see."""

    at: datetime
    lines: Sequence[str]
    extension: tuple[int, int] | None = None
    hidden: int = 0

    def comparable(self, now: Reading) -> bool:
        """Whether an entry that is new since is a new one, and not one that was invisible or looked different."""
        return self.extension == now.extension and not (self.hidden and not now.hidden)


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What moved, how many entries are not there any more, and the new lines as they were parsed.

    What moves in one poll moves in the next, most likely: then half of the parsing is done already.
    """

    moved: tuple[Moved, ...] = ()
    vanished: int = 0
    parsed: Mapping[str, Entry] = field(default_factory=lambda: MappingProxyType({}))


def split(text: str | None) -> Sequence[str]:
    """Return the lines of the server's one long text."""
    return text.split("\n") if text else ()


def moved(
    before: Reading, now: Reading, own: Collection[int], parsed: Mapping[str, Entry] = MappingProxyType({})
) -> Movement:
    """Return the entries that are not what they were, ours left out; `parsed` is what the last movement said."""
    gone, come = differing(before.lines, now.lines)
    old = {entry.name: entry for entry in (parsed.get(line) or _entry(line, {}) for line in gone)}
    new = {line: _entry(line, old) for line in come}
    names = {entry.name for entry in new.values()}
    ours = {str(one) for one in own}
    found = [_moved(entry, old.get(entry.name)) for entry in new.values() if entry.name[3] not in ours]
    return Movement(
        moved=tuple(sorted(found, key=_ORDER)), vanished=sum(name not in names for name in old), parsed=new
    )  # fmt: skip


def differing(before: Sequence[str], now: Sequence[str]) -> tuple[Collection[str], Collection[str]]:
    """Return the lines that only the first has, and those that only the second has.

    The server lists its entries in the same order as long as none comes or goes, so most lines stand where they stood
    and need no hashing.  Where one comes, all behind it have moved on, and those are compared as sets.
    """
    differs = list(map(ne, before, now))
    both = len(differs)
    first = {*compress(before, differs), *before[both:]}
    second = {*compress(now, differs), *now[both:]}
    return first - second, second - first


def _entry(line: str, old: Mapping[_Name, Entry]) -> Entry:
    """Return what a line says; what it has in common with the entry's line of before is taken from there."""
    parts = line.split(" ")
    name, since = tuple(parts[:4]), parts[_SINCE] if len(parts) > _SINCE else ""
    known = old.get(name)
    begun = known.counters.since if known is not None and known.since == since else _moment(since)
    key = _key(name) if known is None else known.key
    return Entry(name=name, key=key, counters=_counters(parts, begun), since=since)


def _key(name: _Name) -> StatementKey:
    dbid, userid, toplevel, queryid = name
    return StatementKey(dbid=int(dbid), userid=int(userid), toplevel=toplevel == "t", queryid=int(queryid))


def _moment(since: str) -> datetime | None:
    return moment(round(float(since) * 1_000_000)) if since else None


def _moved(entry: Entry, before: Entry | None) -> Moved:
    return Moved(key=entry.key, now=entry.counters, before=None if before is None else before.counters)


def _counters(part: Sequence[str], since: datetime | None) -> Counters:
    calls, total = int(part[4]), float(part[5])
    return Counters(
        calls=calls, total_ms=total, min_ms=float(part[6]), max_ms=float(part[7]),
        mean_ms=total / calls if calls else 0.0, stddev_ms=float(part[8]), rows=int(part[9]),
        shared_hit=int(part[10]), shared_read=int(part[11]), temp_written=int(part[12]), wal_bytes=int(part[13]),
        since=since,
    )  # fmt: skip
