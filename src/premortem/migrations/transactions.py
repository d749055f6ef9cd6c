"""Findings about statements that share a transaction, and about those that must not stand in one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from premortem import words
from premortem.migrations import saying
from premortem.migrations.blocking import World, weigh
from premortem.migrations.durations import change_seconds
from premortem.migrations.locks import Lock, Mode
from premortem.migrations.safe_ways import instead
from premortem.migrations.seen import Seen, find
from premortem.model import (
    Evidence,
    Finding,
    Profile,
    Query,
    RelationKind,
    RelationName,
    Remedy,
    Severity,
    Source,
    quoted,
)
from premortem.rules.of_migrations import BackfillLimits

#: Rows that a statement of the migration would change, None where nobody can tell.
Estimate = Callable[[Query], float | None]

#: How each tool is told to run a file outside of a transaction.
_MARKERS = {
    "goose": "-- +goose NO TRANSACTION",
    "sql-migrate": "-- +migrate Up notransaction",
    "dbmate": "-- migrate:up transaction:false",
    "sqlx": "-- no-transaction",
    "Flyway": "executeInTransaction=false in a file of the same name with .conf after it",
    "Liquibase": "runInTransaction:false in the changeset's line",
    "Atlas": "-- atlas:txmode none",
    "tern": "---- tern: disable-tx ----",
    "Diesel": "run_in_transaction = false in metadata.toml",
}
#: Tools without a transaction of their own: a file of one statement has none, one of several runs as one.
_SENDS_WHOLE = frozenset({"Flyway", "Prisma", "golang-migrate"})
_CHANGES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_REFUSED = frozenset(
    {"VACUUM", "VACUUM FULL", "REINDEX DATABASE", "REINDEX SYSTEM", "REINDEX SCHEMA", "CREATEDB", "DROPDB"}
)


def find_misplaced(seens: Sequence[Seen]) -> Iterator[Finding]:
    """Yield what PostgreSQL refuses to run in a transaction, and stands in one."""
    alone = _standing_alone(seens)
    for seen in seens:
        if not _needs_none(seen) or seen.step.transaction is None or seen.step.undone:
            continue
        if seen.step.migration.tool in _SENDS_WHOLE and seen.step.migration.path in alone:
            continue
        yield saying.finding(
            "concurrently-in-transaction",
            seen,
            f"{_named(seen)} cannot run inside a transaction, and {_why_in_one(seen)}: PostgreSQL refuses it",
            remedy=Remedy(says=_way_out(seen)),
            about=_about(seen),
        )


def find_refused(seens: Sequence[Seen], world: World) -> Iterator[Finding]:
    """Yield the indexes of partitioned tables that are made or dropped CONCURRENTLY, which PostgreSQL does not do."""
    for seen in seens:
        said = seen.step.said
        if not said.concurrently or said.verb not in ("CREATE INDEX", "CREATE UNIQUE INDEX", "DROP INDEX"):
            continue
        table = find(said.relation, world.before)
        if said.verb == "DROP INDEX" and said.relation is not None:
            schemas = (said.relation.schema,) if said.relation.schema else world.before.search_path
            owners = (world.before.table_of_index(s, said.relation.name) for s in schemas)
            table = next((t for t in owners if t is not None), None)
        if table is None or table.kind is not RelationKind.PARTITIONED_TABLE or not seen.is_run:
            continue
        rule = saying.RULES["concurrently-on-partitioned-table"]
        yield saying.finding(
            rule.name,
            seen,
            f"{seen.name} CONCURRENTLY does not work on {table.full_name}, which is partitioned: PostgreSQL refuses it",
            table=table.relation,
            about=_about(seen),
            remedy=instead(seen, table, world.after, saying.advice(rule)),
        )


def _needs_none(seen: Seen) -> bool:
    said = seen.step.said
    if said.verb == "REFRESH MATERIALIZED VIEW":
        return False
    return seen.is_concurrent or said.verb in _REFUSED


def _standing_alone(seens: Sequence[Seen]) -> frozenset[str]:
    """Return the files of which every statement runs outside of a transaction: some tools then start none."""
    mixed = {s.step.migration.path for s in seens if not _needs_none(s) and s.step.said.verb not in ("SET", "")}
    return frozenset(s.step.migration.path for s in seens) - mixed


def _named(seen: Seen) -> str:
    name = seen.name
    return f"{name} CONCURRENTLY" if seen.is_concurrent else name


def _why_in_one(seen: Seen) -> str:
    migration = seen.step.migration
    if migration.wrapped:
        return f"{migration.tool or 'its tool'} runs the file in one"
    return "it stands between BEGIN and COMMIT"


def _way_out(seen: Seen) -> str:
    migration = seen.step.migration
    marker = _MARKERS.get(migration.tool or "") if migration.wrapped else None
    if marker is None:
        return "put it into a file of its own, outside of BEGIN and COMMIT"
    return f"put it into a file of its own, with {marker}"


def _about(seen: Seen) -> str:
    said = seen.step.said
    return f"{said.verb} {said.name or (said.relation.name if said.relation else '')}".strip()


def find_held_together(seens: Sequence[Seen], world: World, estimate: Estimate) -> Iterator[Finding]:
    """Yield, for each transaction, the lock that later statements keep for long, and several locks at a time."""
    for together in _by_transaction(seens).values():
        held = _kept_for_long(together, world, estimate)
        if held is not None:
            yield held
        elif (several := _several(together, world)) is not None:
            yield several


def _by_transaction(seens: Sequence[Seen]) -> Mapping[tuple[str, int], list[Seen]]:
    found: defaultdict[tuple[str, int], list[Seen]] = defaultdict(list)
    for seen in seens:
        if seen.step.transaction is not None and seen.is_run:
            found[seen.step.migration.path, seen.step.transaction].append(seen)
    return found


def _seconds(seen: Seen, estimate: Estimate) -> float:
    query = seen.step.query
    rows = estimate(query) if isinstance(query, Query) and seen.step.said.verb in _CHANGES else None
    return seen.seconds + (change_seconds(rows) if rows else 0.0)


def _kept_for_long(together: Sequence[Seen], world: World, estimate: Estimate) -> Finding | None:
    """Return the worst of: a lock taken by one statement, held while a later one works on something else."""
    found: list[tuple[float, Seen, Lock, Seen]] = []
    for place, first in enumerate(together):
        later = [(s, _seconds(s, estimate)) for s in together[place + 1 :] if not _needs_none(s)]
        for lock in first.blocking:
            more = [(s, t) for s, t in later if _is_weaker(s.mode_on(lock.of), lock.mode)]
            if more:
                longest = max(more, key=lambda m: m[1])[0]
                found.append((sum(t for _, t in more), first, lock, longest))
    if not found:
        return None
    seconds, first, lock, longest = max(found, key=lambda f: f[0])
    if seconds < world.limits.warn_seconds:
        return None
    return _held(seconds, first, lock, longest, world)


def _is_weaker(mode: Mode | None, held: Mode) -> bool:
    """Whether a statement would by itself not block what the lock that is held blocks."""
    return mode is None or (held.blocks_reads and not mode.blocks_reads)


def _held(seconds: float, first: Seen, lock: Lock, longest: Seen, world: World) -> Finding:
    table, traffic = world.before.table(lock.of), world.traffic.of(lock.of)
    assert table is not None  # locks are on tables of production
    rate = saying.waiting(lock.mode, traffic)
    return saying.finding(
        "locks-held-together",
        longest,
        f"{lock.mode.value} on {saying.size_of(table)}, taken in line {first.step.first_line}, is held for about"
        f" {saying.lasting(seconds)} more, because {longest.name} runs in the same transaction:"
        f" {saying.blocked(lock.mode)} wait until it commits",
        *saying.lock_evidence(table, lock.mode, first, traffic),
        severity=weigh(seconds, rate, world.limits),
        table=lock.of,
        about=longest.name,
    )


def _several(together: Sequence[Seen], world: World) -> Finding | None:
    """Return that a transaction locks several busy tables, which another one may lock in another order."""
    locked: dict[RelationName, Seen] = {}
    for seen in together:
        for lock in seen.blocking:
            if lock.mode.blocks_reads:
                locked.setdefault(lock.of, seen)
    busy = [r for r in locked if (world.traffic.of(r).total or 0.0) >= 1.0 and not _has_parent(r, locked, world.before)]
    if len(busy) < 2 or len({locked[r].step.number for r in busy}) < 2:
        return None
    last = locked[busy[-1]]
    return saying.finding(
        "locks-held-together",
        last,
        f"one transaction takes ACCESS EXCLUSIVE on {words.listing([r.short for r in busy], most=4)}, all of them"
        " busy: whoever uses them in another order deadlocks with it",
        Evidence(name="busy tables locked at a time", value=len(busy), source=Source.WORKLOAD),
        severity=Severity.WARNING,
        table=busy[-1],
        about="several",
    )


def _has_parent(relation: RelationName, locked: Mapping[RelationName, Seen], before: Profile) -> bool:
    table = before.table(relation)
    return table is not None and any(p in locked for p in table.parents)


def find_backfills(
    seens: Sequence[Seen], world: World, estimate: Estimate, limits: BackfillLimits
) -> Iterator[Finding]:
    """Yield the statements that change very many rows of production in one transaction."""
    for seen in seens:
        query, said = seen.step.query, seen.step.said
        table = find(said.relation, world.before)
        if said.verb not in _CHANGES or table is None or not isinstance(query, Query) or not seen.is_run:
            continue
        rows = estimate(query)
        if rows is None or rows < limits.warn_rows:
            continue
        verb = {"INSERT": "writes", "DELETE": "deletes"}.get(said.verb, "changes")
        yield saying.finding(
            "backfill-in-migration",
            seen,
            f"{said.verb} {verb} about {words.plural(round(rows), 'row')} of {saying.size_of(table)} in one"
            f" transaction: about {saying.lasting(change_seconds(rows))} at least, with as many row locks",
            Evidence.plan("rows changed", round(rows), "rows"),
            Evidence.stat("rows of the table", round(table.rows), "rows"),
            severity=Severity.ERROR if rows >= limits.error_rows else Severity.WARNING,
            table=table.relation,
            about=said.verb,
        )


def find_ruins(seens: Sequence[Seen], before: Profile) -> Iterator[Finding]:
    """Yield CREATE INDEX CONCURRENTLY that a failed build of before would spoil."""
    dropped: set[str] = set()
    for seen in seens:
        said = seen.step.said
        if said.verb == "DROP INDEX":
            dropped |= {n.name for n in (said.relation, *said.others) if n is not None}
        if said.verb not in ("CREATE INDEX", "CREATE UNIQUE INDEX") or not said.name or said.name in dropped:
            continue
        table = find(said.relation, before)
        ruin = table is not None and any(i.name == said.name and not i.valid for i in table.indexes)
        if table is None or seen.step.undone or not (ruin or (said.concurrently and said.if_not_exists)):
            continue
        what = "takes it for the index" if said.if_not_exists else "fails"
        says = f"production has an invalid index {said.name} of a build that failed, and this statement {what}"
        if not ruin:
            says = f"if the build of {said.name} fails, it leaves an invalid one, and the next run takes that for it"
        name = f"{quoted(table.schema)}.{quoted(said.name)}"
        yield saying.finding(
            "invalid-index-left-behind",
            seen,
            says,
            severity=Severity.ERROR if ruin else Severity.INFO,
            table=table.relation,
            about=said.name,
            remedy=Remedy(
                sql=(f"DROP INDEX CONCURRENTLY IF EXISTS {name};",),
                says=saying.advice(saying.RULES["invalid-index-left-behind"]),
            ),
        )


def find_new_enum_values(seens: Sequence[Seen]) -> Iterator[Finding]:
    """Yield the use of an enum's new value in the transaction that adds it, which PostgreSQL refuses."""
    for together in _by_transaction(seens).values():
        if any(s.step.said.verb == "CREATE ENUM" for s in together):
            continue
        added: dict[str, int] = {}
        for seen in together:
            used = next((v for v in added if re.search(rf"'{re.escape(v)}'", seen.step.code)), None)
            if used is not None:
                yield saying.finding(
                    "enum-value-used-at-once",
                    seen,
                    f"it uses the enum value '{used}', which line {added[used]} adds in the same transaction:"
                    " PostgreSQL refuses it (unsafe use of new value)",
                    about=used,
                )
            actions = [a for a in seen.step.said.actions if a.form == "ADD VALUE" and a.name]
            added |= {a.name: seen.step.first_line for a in actions if a.name}
