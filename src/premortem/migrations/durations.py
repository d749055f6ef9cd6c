"""How long PostgreSQL works on a table of production's size, as estimates from measured rates.

Every figure is a rate of one process on cached or streamed pages (`bench/migrations` measures them on PostgreSQL 15 and
18); disks that are slower than `SCAN_BYTES` take longer in proportion.  An estimate says the order of magnitude, and
that is what decides: a moment, a coffee, a night.
"""

from __future__ import annotations

from dataclasses import dataclass

from premortem.advisor import as_candidate, index_size
from premortem.advisor.building import build_seconds
from premortem.migrations.observed import Kind, Work
from premortem.model import Index, Profile, Table

#: Bytes per second of reading a table from a disk that is not the slowest.
SCAN_BYTES = 400e6
#: Bytes per second of writing a table anew: the page, its WAL, and the checkpoint that follows.
WRITE_BYTES = 150e6
#: Rows per second of checking a CHECK or NOT NULL constraint.
VERIFIED_ROWS = 8e6
#: Rows per second of forming and inserting a row anew; an expression costs more, and is little beside the disk.
REWRITTEN_ROWS = 1.5e6
#: Rows per second of looking up a foreign key's values, by the join that the validation runs.
VALIDATED_ROWS = 1.5e6
#: Rows per second of an UPDATE or DELETE that touches no more than the table and a few indexes.
CHANGED_ROWS = 150_000.0
#: Rows per second of an index of which nothing is known.
INDEXED_ROWS = 1e6
#: What taking a lock and changing the catalog costs.
MOMENT = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One pass over a table with how long it takes, in words that stand in a sentence."""

    work: Work
    table: Table
    seconds: float

    @property
    def rows(self) -> float:
        """The table's rows."""
        return self.table.rows


def passes(work: tuple[Work, ...], before: Profile, after: Profile) -> tuple[Pass, ...]:
    """Return how long each pass over a table of production takes; tables that production lacks have no rows."""
    found = ((w, before.table(w.table)) for w in work)
    return tuple(Pass(work=w, table=t, seconds=_seconds(w, t, before, after)) for w, t in found if t is not None)


def _seconds(work: Work, table: Table, before: Profile, after: Profile) -> float:
    match work.kind:
        case Kind.REWRITE:
            return rewrite_seconds(table)
        case Kind.VERIFY:
            return scan_seconds(table) + table.rows / VERIFIED_ROWS
        case Kind.BUILD:
            return _build_seconds(work.name or "", table, before, after)
        case Kind.VALIDATE:
            return scan_seconds(table) + table.rows / VALIDATED_ROWS


def scan_seconds(table: Table) -> float:
    """Return how long reading the table takes."""
    return table.size_bytes / SCAN_BYTES


def rewrite_seconds(table: Table) -> float:
    """Return how long writing the table anew takes, what is stored out of line included, without its indexes."""
    size = table.size_bytes + table.toast_bytes
    return size / SCAN_BYTES + size / WRITE_BYTES + table.rows / REWRITTEN_ROWS


def change_seconds(rows: float) -> float:
    """Return how long an UPDATE or DELETE of so many rows takes."""
    return rows / CHANGED_ROWS


def _build_seconds(name: str, table: Table, before: Profile, after: Profile) -> float:
    found = _index(name, table, after) or _index(name, table, before)
    if found is None:
        return scan_seconds(table) + table.rows / INDEXED_ROWS
    candidate = as_candidate(found, table.relation)
    # The advisor's figure is for CONCURRENTLY, which reads the table twice.
    return max(build_seconds(candidate, table, index_size(candidate, table)) - scan_seconds(table), 0.0)


def _index(name: str, table: Table, profile: Profile) -> Index | None:
    owner = profile.table_of_index(table.schema, name)
    return next((i for i in owner.indexes if i.name == name), None) if owner is not None else None
