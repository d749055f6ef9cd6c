"""Findings about locks: what waits, for how long, and how much of it there is.

A lock hurts by what it blocks, how long it is held, and how many statements would have wanted the table meanwhile; a
rule that looks at the SQL alone knows none of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from premortem import words
from premortem.migrations import saying
from premortem.migrations.locks import Mode
from premortem.migrations.observed import Kind
from premortem.migrations.safe_ways import instead, with_timeout
from premortem.migrations.seen import Seen, find
from premortem.migrations.traffic import Traffic, Traffics
from premortem.model import Finding, Profile, RelationKind, RelationName, Severity, Table
from premortem.rules.of_migrations import LockLimits

_MILDER = {Severity.ERROR: Severity.WARNING, Severity.WARNING: Severity.INFO, Severity.INFO: Severity.INFO}
#: From this rate on, a queue behind a waiting lock is worth a warning though the lock is held for a moment only.
_QUEUE_PER_SECOND = 1.0
#: A table of this many pages (80 MB) is taken to be in use where nobody knows its traffic.
_LARGE_PAGES = 10_000
#: Which forms make PostgreSQL do which work, the likelier cause first, and squawk's name for it.
_CAUSES: dict[Kind, dict[str, str]] = {
    Kind.REWRITE: {"ALTER COLUMN TYPE": "changing-column-type", "ADD COLUMN": "adding-field-with-default"},
    Kind.VALIDATE: {
        "ADD FOREIGN KEY": "adding-foreign-key-constraint",
        "ADD COLUMN": "adding-foreign-key-constraint",
    },
    Kind.VERIFY: {
        "SET NOT NULL": "adding-not-nullable-field",
        "ADD NOT NULL": "adding-not-nullable-field",
        "ADD CHECK": "constraint-missing-not-valid",
        "ADD COLUMN": "constraint-missing-not-valid",
    },
    Kind.BUILD: {
        "ALTER COLUMN TYPE": "changing-column-type",
        "ADD UNIQUE": "disallowed-unique-constraint",
        "ADD PRIMARY KEY": "disallowed-unique-constraint",
        "ADD COLUMN": "disallowed-unique-constraint",
    },
}
_VERB_RULES = {
    "CREATE INDEX": "require-concurrent-index-creation",
    "CREATE UNIQUE INDEX": "require-concurrent-index-creation",
    "DROP INDEX": "require-concurrent-index-deletion",
    "REINDEX INDEX": "require-concurrent-reindex",
    "REINDEX TABLE": "require-concurrent-reindex",
    "REINDEX SCHEMA": "require-concurrent-reindex",
    "VACUUM FULL": "prefer-repack",
    "CLUSTER": "prefer-repack",
}
#: Short, but there is a way that does not stop anybody.
_AVOIDABLE = frozenset({"require-concurrent-index-deletion", "require-concurrent-partition-detach"})


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What weighs a lock: production before and after, its traffic, and the thresholds."""

    before: Profile
    after: Profile
    traffic: Traffics
    limits: LockLimits

    @property
    def major(self) -> int:
        """Production's major version."""
        return self.before.server.major


def find_long(seen: Seen, world: World) -> Iterator[Finding]:
    """Yield a finding where a step works on a table that it has locked."""
    table = _main_table(seen, world.before)
    mode = seen.mode_on(table.relation) if table is not None else None
    if table is None or mode is None or not seen.passes or seen.is_concurrent or _fails(seen, table):
        return
    rule, traffic = rule_of(seen), world.traffic.of(table.relation)
    rate = saying.waiting(mode, traffic)
    pile = (
        f"; about {words.number(saying.roughly(rate * seen.seconds))} statements would pile up"
        if rate and rate * seen.seconds >= 1
        else ""
    )
    others = [k.of.short for k in seen.blocking if k.of != table.relation and not _is_part(k.of, table, world.before)]
    also = f", and of {words.listing(others, most=3)}" if others else ""
    yield saying.finding(
        rule,
        seen,
        f"{seen.name} blocks {saying.blocked(mode)} of {_sized(table, seen)}{also} for about"
        f" {saying.lasting(seen.seconds)}: {saying.reason(seen.passes)}{pile}",
        *saying.lock_evidence(table, mode, seen, traffic),
        severity=weigh(seen.seconds, rate, world.limits),
        table=table.relation,
        about=_about(seen),
        remedy=instead(seen, table, world.after, saying.advice(saying.RULES[rule])),
    )


def _fails(seen: Seen, table: Table) -> bool:
    """Whether the first row stops the statement: a new column that no row has a value for."""
    return table.rows > 0 and any(
        a.form == "ADD COLUMN" and a.not_null and not a.has_default for a in seen.step.said.actions
    )


def weigh(seconds: float, rate: float | None, limits: LockLimits) -> Severity:
    """Return how bad it is to block that many statements a second for so long; an unknown rate counts as busy."""
    long = Severity.ERROR if seconds >= limits.error_seconds else Severity.WARNING
    severity = long if seconds >= limits.warn_seconds else Severity.INFO
    return _MILDER[severity] if rate is not None and rate < limits.busy_per_second else severity


def rule_of(seen: Seen) -> str:
    """Return the rule that speaks of what a step does: squawk's name where squawk has one."""
    said = seen.step.said
    if said.verb in _VERB_RULES:
        return _VERB_RULES[said.verb]
    if "DETACH PARTITION" in said.forms:
        return "require-concurrent-partition-detach"
    if any(c.form == "ADD PRIMARY KEY" for a in said.actions for c in a.with_constraints):
        return "adding-serial-primary-key-field"
    kinds = {p.work.kind for p in seen.passes}
    causes = next((causes for kind, causes in _CAUSES.items() if kind in kinds), {})
    return next((rule for form, rule in causes.items() if form in said.forms), "long-lock")


def _about(seen: Seen) -> str:
    """Return what a finding is about that stays when the file changes: the form and what it names."""
    said = seen.step.said
    named = [f"{a.form} {a.column or a.name or ''}".strip() for a in said.actions]
    return ", ".join(named) or f"{said.verb} {said.name or (said.relation.name if said.relation else '')}".strip()


def _main_table(seen: Seen, before: Profile) -> Table | None:
    """Return the table that a finding names: the one that the statement names, else the one that takes longest."""
    named = find(seen.step.said.relation, before)
    if named is not None and seen.mode_on(named.relation) is not None:
        return named
    longest = sorted(seen.passes, key=lambda p: p.seconds, reverse=True)
    tables = [p.table for p in longest if seen.mode_on(p.table.relation) is not None]
    locked = [t for k in seen.blocking if (t := before.table(k.of)) is not None]
    return next(iter(tables), next(iter(locked), None))


def _is_part(relation: RelationName, table: Table, before: Profile) -> bool:
    part = before.table(relation)
    return part is not None and table.relation in part.parents


def _sized(table: Table, seen: Seen) -> str:
    if table.kind is not RelationKind.PARTITIONED_TABLE:
        return saying.size_of(table)
    parts = {p.table.relation: p.table for p in seen.passes}
    rows, size = sum(t.rows for t in parts.values()), sum(t.size_bytes for t in parts.values())
    count = words.plural(len(parts), "partition")
    return f"{table.full_name} ({words.plural(round(rows), 'row')} in {count}, {words.size(size)})"


def find_unbounded(seens: Sequence[Seen], world: World) -> Iterator[Finding]:
    """Yield, once for each file and transaction, that a strong lock is asked for without a lock_timeout."""
    if (world.before.setting("lock_timeout", "0") or "0") not in ("0", "0ms"):
        return
    told: set[tuple[str, int | None]] = set()
    for seen in seens:
        place = (seen.step.migration.path, seen.step.transaction)
        if place in told or not seen.is_run or seen.is_concurrent or seen.step.lock_timeout:
            continue
        worst = max(
            ((_queue(k.mode, world.traffic.of(k.of)), k) for k in seen.blocking), default=None, key=lambda w: w[0]
        )
        if worst is None:
            continue
        told.add(place)
        yield _unbounded(seen, worst[1].of, worst[1].mode, world)


def _queue(mode: Mode, traffic: Traffic) -> float:
    rate = saying.waiting(mode, traffic)
    return -1.0 if rate is None else rate


def _unbounded(seen: Seen, relation: RelationName, mode: Mode, world: World) -> Finding:
    table, traffic = world.before.table(relation), world.traffic.of(relation)
    assert table is not None  # locks are on tables of production
    rate = saying.waiting(mode, traffic)
    behind = (
        f", such as a statement on it that takes {words.duration(traffic.slowest)} on average"
        if traffic.slowest
        else ""
    )
    waits = f"{words.number(rate)} statements a second" if rate else f"all {saying.blocked(mode)}"
    return saying.finding(
        "require-lock-timeout",
        seen,
        f"{seen.name} takes {mode.value} on {saying.size_of(table)} without a lock_timeout: while it waits for the"
        f" longest transaction{behind}, {waits} wait behind it",
        *saying.lock_evidence(table, mode, seen, traffic),
        severity=_queue_severity(table, rate),
        table=relation,
        about="lock_timeout",
        remedy=with_timeout(saying.advice(saying.RULES["require-lock-timeout"])),
    )


def _queue_severity(table: Table, rate: float | None) -> Severity:
    busy = table.pages >= _LARGE_PAGES if rate is None else rate >= _QUEUE_PER_SECOND
    return Severity.WARNING if busy else Severity.INFO


def find_avoidable(seen: Seen, world: World) -> Iterator[Finding]:
    """Yield what takes a strong lock for a moment though CONCURRENTLY would take none."""
    rule = rule_of(seen)
    table = _main_table(seen, world.before)
    if rule not in _AVOIDABLE or seen.passes or seen.is_concurrent or table is None:
        return
    mode, traffic = seen.mode_on(table.relation), world.traffic.of(table.relation)
    if mode is None:
        return
    yield saying.finding(
        rule,
        seen,
        f"{seen.name} takes {mode.value} on {saying.size_of(table)}: it waits for the longest transaction on it, and"
        f" {saying.blocked(mode)} wait behind it",
        *saying.lock_evidence(table, mode, seen, traffic),
        severity=_queue_severity(table, saying.waiting(mode, traffic)),
        table=table.relation,
        about=_about(seen),
        remedy=instead(seen, table, world.after, saying.advice(saying.RULES[rule])),
    )
