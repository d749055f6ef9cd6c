"""What it costs to have an index: how long it builds, what writing it adds, how it is created and undone."""

from __future__ import annotations

from datetime import timedelta

from premortem import words
from premortem.advisor.columns import base_type
from premortem.advisor.naming import free_name
from premortem.advisor.operators import extensions, has_extension, operand_type
from premortem.advisor.reading import leaves
from premortem.advisor.size import IndexSize, index_size
from premortem.advisor.wants import Operand
from premortem.model import IndexCandidate, IndexKey, Profile, RelationKind, RelationName, Table, quoted

#: Rows per second of CREATE INDEX on 3 million rows, PostgreSQL 15, measured: fixed-width keys 2.5–4 million, text 1.1,
#: numeric 0.95, a text key with a second one 0.7.
_FIXED_RATE = 2_500_000.0
_TEXT_RATE = 1_000_000.0
_OTHER_RATE = {"gin": 120_000.0, "gist": 200_000.0, "spgist": 300_000.0, "brin": 8_000_000.0, "hash": 1_500_000.0}
_SCAN_BYTES = 400e6  # bytes per second of a heap scan from disk
_CONCURRENTLY = 2.0  # CONCURRENTLY reads the table twice
_MANY_PARTITIONS = 100
_WORTH_SAYING = 0.05
_SHORTEST_WINDOW = timedelta(hours=1)  # a restore or a first load would pass for the usual


def build_seconds(candidate: IndexCandidate, table: Table, size: IndexSize) -> float:
    """Return how long CREATE INDEX CONCURRENTLY would take, as an estimate from measured rates."""
    rate = _OTHER_RATE.get(candidate.method)
    if rate is None:
        text = sum(_is_text(key, table) for key in candidate.keys)
        rate = (_FIXED_RATE if not text else _TEXT_RATE) / (1 + 0.4 * (len(candidate.keys) - 1))
    return table.size_bytes / _SCAN_BYTES * _CONCURRENTLY + size.tuples / rate


def _is_text(key: IndexKey, table: Table) -> bool:
    found = operand_type(Operand(column=key.column, expression=key.expression), table)
    return base_type(found) in ("text", "character varying", "character", "citext", "numeric")


def write_cost(candidate: IndexCandidate, table: Table, profile: Profile) -> str:
    """Return what the index adds to writing, in one sentence with production's own rates."""
    held = [k.column for k in candidate.keys if k.column] + list(candidate.include)
    written = _activity(table, profile)
    window = table.activity.window
    if window is not None and window < _SHORTEST_WINDOW:
        minutes = max(1, round(window.total_seconds() / 60))
        says = f"production has counted writes for {minutes} min, too short a time for a rate"
        return f"every insert into {table.full_name} writes one entry more; {says}"
    named = zip(written[:3], ("inserts", "updates", "deletes"), strict=True)
    rates = [f"{_rate(rate)} {what}/s" for rate, what in named if rate >= _WORTH_SAYING]
    if not rates:
        says = (
            f"{table.full_name} is hardly written to" if table.activity.window else "how often it is written is unknown"
        )
        return f"every insert into {table.full_name} writes one entry more; {says}"
    entries = written[0] + written[1] - written[3]
    hot = f"; of these updates {_rate(written[3])}/s are HOT, and stay so unless they change {' or '.join(held)}" if (
        written[3] >= _WORTH_SAYING and held) else ""  # fmt: skip
    return f"{table.full_name} sees {' and '.join(rates)}: about {_rate(entries)} index entries/s more to write{hot}"


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:,.1f}"


def _activity(table: Table, profile: Profile) -> tuple[float, float, float, float]:
    found = [t.activity for t in (leaves(table, profile) or (table,))]
    return (
        sum(a.inserts for a in found), sum(a.updates for a in found), sum(a.deletes for a in found),
        sum(a.hot_updates for a in found),
    )  # fmt: skip


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
    seconds = build_seconds(candidate, table, index_size(candidate, table))
    took = words.duration(timedelta(seconds=seconds))
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
        " on; ON ONLY and each ATTACH block writes for a moment"
    )
