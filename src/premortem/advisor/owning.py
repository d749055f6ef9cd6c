"""What it costs to have an index: how long it builds, what writing it adds, how it is created and undone."""

from __future__ import annotations

from premortem import words
from premortem.advisor.building import build_time
from premortem.advisor.changes import columns_of
from premortem.advisor.naming import free_name
from premortem.advisor.operators import extensions, has_extension
from premortem.advisor.size import IndexSize, index_size, whole_size
from premortem.advisor.upkeep import DAY, upkeep
from premortem.advisor.writes import Writes, blocks_hot, writes_of
from premortem.model import IndexCandidate, Profile, RelationKind, RelationName, Table, quoted

_MANY_PARTITIONS = 100
_WORTH_SAYING = 0.05


def write_cost(candidate: IndexCandidate, table: Table, profile: Profile) -> str:
    """Return what the index adds to writing, in one sentence with production's own rates."""
    written = writes_of(table, profile)
    rates = _rates(written)
    if not rates:
        return f"every insert into {table.full_name} writes one entry more; {_unknown(written, table)}"
    cost = upkeep(candidate, table, profile, _size(candidate, table, profile))
    held = columns_of(candidate, table) - written.blocking if blocks_hot(candidate.method, profile) else frozenset()
    return (
        f"{table.full_name} sees {words.listing(rates)}: about {_rate(cost.entries / DAY)} index entries/s more to"
        f" write, {words.duration(cost.time)} and {words.size(cost.wal_bytes)} of log a day"
        f"{_hot(written, cost.lost_hot_updates / DAY, held)}"
    )


def _size(candidate: IndexCandidate, table: Table, profile: Profile) -> IndexSize:
    is_whole = table.kind is not RelationKind.PARTITIONED_TABLE or table.pages > 0
    found = None if is_whole else whole_size(candidate, profile)
    return found or index_size(candidate, table, major=profile.server.major)


def _rates(written: Writes) -> list[str]:
    named = (written.inserts, "inserts"), (written.updates, "updates"), (written.deletes, "deletes")
    return [f"{_rate(rate)} {what}/s" for rate, what in named if rate >= _WORTH_SAYING]


def _unknown(written: Writes, table: Table) -> str:
    if written.missing:
        return written.missing
    return f"{table.full_name} is hardly written to"


def _hot(written: Writes, lost: float, held: frozenset[str]) -> str:
    """Return what becomes of the HOT updates, and whether statements tell that or it is assumed."""
    if written.hot < _WORTH_SAYING or not held:
        return ""
    if lost < _WORTH_SAYING:
        return f"; {_rate(written.hot)} HOT updates/s stay HOT"
    known = "change" if written.set_lists else "are assumed to change"
    columns = words.listing(sorted(held), most=3).replace(" and ", " or ")
    return f"; {_rate(lost)} of {_rate(written.hot)} HOT updates/s {known} {columns}, and are HOT no more"


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:,.1f}"


def statements(candidate: IndexCandidate, name: str, table: Table, profile: Profile) -> tuple[str, ...]:
    """Return the statements that create the index without blocking writes.

    An expression has no statistics before the table is analyzed again, and the planner guesses until then.
    """
    missing = [e for e in extensions(candidate) if not has_extension(profile, e)]
    before = tuple(f"CREATE EXTENSION IF NOT EXISTS {quoted(e)};" for e in missing)
    after = (f"ANALYZE {table.relation.sql};",) if any(k.expression for k in candidate.keys) else ()
    if table.kind is not RelationKind.PARTITIONED_TABLE:
        return (*before, candidate.create_sql(name), *after)
    return (*before, *_by_partition(candidate, name, table, profile), *after)


def undo_statements(candidate: IndexCandidate, name: str, table: Table) -> tuple[str, ...]:
    """Return the statements that take the index away; a partitioned one cannot be dropped CONCURRENTLY."""
    return (candidate.drop_sql(name, concurrently=table.kind is not RelationKind.PARTITIONED_TABLE),)


def _by_partition(candidate: IndexCandidate, name: str, table: Table, profile: Profile) -> tuple[str, ...]:
    """Return an index of the parent alone, one per partition, and how they become one.

    CONCURRENTLY is refused on a partitioned table; the manual's way round is ON ONLY and ATTACH PARTITION.
    """
    children = profile.children(table.relation)
    if _in_one_go(table, profile):
        return (candidate.create_sql(name, concurrently=False),)
    only = candidate.create_sql(name, concurrently=False).replace(
        f" ON {table.relation.sql}", f" ON ONLY {table.relation.sql}", 1
    )
    found = [only]
    for child in children:
        found += _one_partition(candidate, name, child, profile)
    return tuple(found)


def _in_one_go(table: Table, profile: Profile) -> bool:
    """Whether there are so many partitions, or levels of them, that one blocking statement is what can be typed."""
    children = profile.children(table.relation)
    return len(children) > _MANY_PARTITIONS or any(t.kind is RelationKind.PARTITIONED_TABLE for t in children)


def _one_partition(candidate: IndexCandidate, name: str, child: Table, profile: Profile) -> list[str]:
    taken = profile.names_in(child.schema) | {name}
    suffix = name.removeprefix(f"{candidate.table.name}_").removesuffix("_idx")
    local = free_name((child.name, suffix), taken)
    create = candidate.create_sql(local).replace(f" ON {candidate.table.sql}", f" ON {child.relation.sql}", 1)
    parent = RelationName(schema=candidate.table.schema, name=name).sql
    part = RelationName(schema=child.schema, name=local).sql
    return [create, f"ALTER INDEX {parent} ATTACH PARTITION {part};"]


# the lock -------------------------------------------------------------------------------------------------------------


def lock(candidate: IndexCandidate, table: Table, profile: Profile) -> str:
    """Return what creating the index locks and waits for, in one sentence."""
    took = words.duration(build_time(candidate, table, profile, concurrently=False))
    if table.kind is RelationKind.PARTITIONED_TABLE:
        return _lock_of_partitions(table, profile, took)
    return (
        "SHARE UPDATE EXCLUSIVE, which lets reads and writes go on; it waits twice for the transactions that are older"
        f", so end long ones first (without CONCURRENTLY, writes would wait for {took})"
    )


def _lock_of_partitions(table: Table, profile: Profile, took: str) -> str:
    if _in_one_go(table, profile):
        return f"SHARE on every partition of {table.full_name}: writes wait for about {took}"
    return (
        f"SHARE UPDATE EXCLUSIVE on one partition of {table.full_name} after the other, which lets reads and writes go"
        " on; ON ONLY and each ATTACH block for a moment"
    )
