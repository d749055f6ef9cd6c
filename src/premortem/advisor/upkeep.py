"""What an index costs those who write, a day: entries, log, time; with the HOT updates that it ends.

    upkeep(candidate, table, profile, size) -> Upkeep
        writes       the profile -> rows written
        changes      the workload's statements -> which columns updates change
        entries      an index -> what an entry and a vacuum of it cost

One more index takes an entry for every insert and for every update that is not HOT.  Where it holds a column that
updates change, those are not HOT any more: each then writes an entry into *every* index of the table, and leaves one in
each for VACUUM.  Time is a backend's: processor time, pages that it has to fetch, log that it has to write.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache

from premortem.advisor.changes import columns_of, held_by
from premortem.advisor.entries import LOG_BYTES, Cost, Shape, entering, shape_of, vacuuming
from premortem.advisor.existing import as_candidate
from premortem.advisor.machine import Itself, Machine, machine_of
from premortem.advisor.selectivity import share_of_predicate
from premortem.advisor.size import PAGE, IndexSize
from premortem.advisor.writes import Writes, blocks_hot, writes_of
from premortem.model import Index, IndexCandidate, Profile, Table, Upkeep

DAY = 86_400.0
_NEVER = 1e-12  # rows per second: one in 30,000 years
_LONGEST = 1e12  # seconds; what cannot be true must not overflow either


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moves:
    """Updates per second that write an entry into the index, `ended` ones of which write into the `others` too."""

    cold: float
    ended: float = 0.0
    others: tuple[Shape, ...] = ()
    is_new: bool = True


def upkeep(candidate: IndexCandidate, table: Table, profile: Profile, size: IndexSize) -> Upkeep:
    """Return what an index that does not exist yet would cost those who write to its table."""
    written = writes_of(table, profile)
    ended = written.hot * written.changing(columns_of(candidate, table)) if blocks_hot(candidate.method, profile) else 0
    others = _shapes(Itself(table), Itself(profile)) if ended else ()
    moves = _Moves(cold=written.cold + ended, ended=ended, others=others)
    return _kept(candidate, table, profile, size, written, moves)


def existing_upkeep(index: Index, table: Table, profile: Profile) -> Upkeep:
    """Return what an index that is there costs those who write: what dropping it saves.

    `lost_hot_updates` are those that it alone keeps from being HOT, as far as the workload's statements tell.
    """
    written = writes_of(table, profile)
    if not index.ready:
        return Upkeep(source="nothing is written to an index that is not ready")
    remaining = tuple(i for i in table.indexes if i.name != index.name)
    freed = _freed(index, remaining, table, profile, written)
    others = tuple(_shape(i, table, profile) for i in remaining if _is_written(i)) if freed else ()
    moves = _Moves(cold=written.cold, ended=freed, others=others, is_new=False)
    return _kept(as_candidate(index, table.relation), table, profile, _built(index, table, profile), written, moves)


def _freed(index: Index, remaining: tuple[Index, ...], table: Table, profile: Profile, written: Writes) -> float:
    if not blocks_hot(index.method, profile):
        return 0.0
    held = (held_by(i, table) for i in remaining if blocks_hot(i.method, profile))
    return written.freed(held_by(index, table), frozenset(c for columns in held for c in columns))


def _kept(
    candidate: IndexCandidate, table: Table, profile: Profile, size: IndexSize, written: Writes, moves: _Moves
) -> Upkeep:
    if not written.inserts + written.updates + written.deletes:
        return Upkeep(source=written.source)
    machine = machine_of(profile)
    share = 1.0 if candidate.predicate is None else share_of_predicate(candidate.predicate, table)
    found = shape_of(candidate, table, size, collates=machine.collates, is_new=moves.is_new)
    shape = _where_written(found, written)
    inserted, moved, deleted = (rate * share for rate in (written.inserts, moves.cold, written.deletes))
    new = entering(shape, inserted, machine) + entering(shape, moved, machine, scattered=True)
    vacuum = _vacuumed(shape, moved + deleted, moves.cold + written.deletes, written, machine)
    for other in moves.others:
        new += entering(other, moves.ended, machine, scattered=True)
        vacuum += _vacuumed(other, moves.ended, moves.ended, written, machine)
    if table.persistence != "permanent":
        new, vacuum = replace(new, wal=0.0), replace(vacuum, wal=0.0)  # nothing of it is logged
    total = new + vacuum
    return Upkeep(
        entries=(inserted + moved) * shape.keys * DAY, wal_bytes=total.wal * DAY, time=_time(total),
        lost_hot_updates=moves.ended * DAY, vacuum=_time(vacuum), source=written.source,
    )  # fmt: skip


def _time(cost: Cost) -> timedelta:
    return timedelta(seconds=min((cost.seconds + cost.wal / LOG_BYTES) * DAY, _LONGEST))


def _where_written(shape: Shape, written: Writes) -> Shape:
    """Return the part of a partitioned table's index that is written to."""
    if written.held >= 1.0:
        return shape
    pages = max(shape.pages * written.held, 1.0)
    return replace(shape, pages=pages, rows=max(shape.rows * written.held, 1.0), fronts=min(shape.fronts, pages))


@lru_cache(maxsize=4096)
def _shapes(table: Itself[Table], profile: Itself[Profile]) -> tuple[Shape, ...]:
    """Return the indexes that a lost HOT update writes to besides."""
    return tuple(_shape(i, table.value, profile.value) for i in table.value.indexes if _is_written(i))


def _shape(index: Index, table: Table, profile: Profile) -> Shape:
    candidate = as_candidate(index, table.relation)
    found = shape_of(
        candidate, table, _built(index, table, profile), collates=machine_of(profile).collates, is_new=False
    )
    return _where_written(found, writes_of(table, profile))


def _is_written(index: Index) -> bool:
    return index.ready and index.method != "brin"


def _built(index: Index, table: Table, profile: Profile) -> IndexSize:
    parts = profile.leaves(table.relation)
    same = [i for part in parts for i in part.indexes if _is_part(i, index)] if parts else [index]
    pages, tuples = max(sum(i.pages for i in same), 1), sum(max(i.tuples, 0.0) for i in same)
    rows = tuples or sum(p.rows for p in parts) or table.rows  # never analyzed
    return IndexSize(pages=pages, tuples=rows, level=index.level, bytes=pages * PAGE)


def _is_part(part: Index, whole: Index) -> bool:
    """Whether an index of a partition is its part of the parent's, which has no pages of its own."""
    return (part.method, part.keys, part.include, part.predicate) == (
        whole.method, whole.keys, whole.include, whole.predicate,
    )  # fmt: skip


def _vacuumed(shape: Shape, entries: float, dead_rows: float, written: Writes, machine: Machine) -> Cost:
    """Return what a second's dead entries cost VACUUM, which runs when a share of the table's rows is dead."""
    if min(entries, dead_rows) < _NEVER:
        return Cost()
    return vacuuming(shape, entries / dead_rows * written.dead, machine).times(dead_rows / written.dead)
