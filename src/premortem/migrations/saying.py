"""Makes findings of migrations: their words, evidence and keys."""

from __future__ import annotations

from collections.abc import Sequence

from premortem import words
from premortem.migrations.durations import Pass
from premortem.migrations.locks import Mode
from premortem.migrations.observed import Kind
from premortem.migrations.seen import Seen
from premortem.migrations.traffic import Traffic
from premortem.model import Evidence, Finding, Proof, RelationName, Remedy, Severity, Source, Table
from premortem.rules import MIGRATION_RULES, Rule

RULES: dict[str, Rule] = {rule.name: rule for rule in MIGRATION_RULES}
_BUILT_SHOWN = 3


def finding(
    rule: str,
    seen: Seen,
    says: str,
    *evidence: Evidence,
    severity: Severity | None = None,
    table: RelationName | None = None,
    about: str = "",
    remedy: Remedy | None = None,
) -> Finding:
    """Return a finding of a step; where nothing better is known, the rule's own advice is the remedy."""
    known = RULES[rule]
    return Finding(
        rule=rule,
        severity=severity or known.severity,
        says=says,
        key=f"{rule}:{table.sql if table is not None else seen.step.migration.path}:{about or seen.name}",
        table=table,
        evidence=evidence,
        remedy=remedy or Remedy(says=advice(known), proof=Proof.ADVICE),
        site=seen.step.site,
    )


def advice(rule: Rule) -> str:
    """Return what a rule's page says to do."""
    return _part(rule, "Do")


def harm(rule: Rule) -> str:
    """Return what a rule's page says that it hurts."""
    return _part(rule, "Hurts")


def _part(rule: Rule, heading: str) -> str:
    lines = [line for line in (rule.page or "").splitlines() if line.startswith(f"{heading}:")]
    return lines[0].partition(":")[2].strip().rstrip(".") if lines else ""


def blocked(mode: Mode) -> str:
    """Return what waits for a lock.

    >>> blocked(Mode.SHARE), blocked(Mode.ACCESS_EXCLUSIVE)
    ('writes', 'reads and writes')
    """
    return "reads and writes" if mode.blocks_reads else "writes"


def waiting(mode: Mode, traffic: Traffic) -> float | None:
    """Return how many statements a second wait for a lock, None where nobody knows."""
    return traffic.total if mode.blocks_reads else traffic.writes


def roughly(value: float) -> float:
    """Return an estimate with the two digits that it may claim.

    >>> roughly(129_842), roughly(0.0304)
    (130000.0, 0.03)
    """
    return float(f"{value:.2g}")


def lasting(seconds: float) -> str:
    """Return an estimated time in words, nothing being shorter than a millisecond."""
    return words.duration(max(roughly(seconds), 0.001))


def size_of(table: Table) -> str:
    """Return a table with its size, in parentheses."""
    return f"{table.full_name} ({words.plural(round(table.rows), 'row')}, {words.size(table.size_bytes)})"


def reason(passes: Sequence[Pass]) -> str:
    """Return why a statement takes its time, such as `it writes the table anew and builds 3 indexes`."""
    kinds = {p.work.kind for p in passes}
    built = list(dict.fromkeys(p.work.name for p in passes if p.work.kind is Kind.BUILD and p.work.name))
    parts = []
    if Kind.REWRITE in kinds:
        parts.append("writes the table anew")
    if built:
        parts.append(f"builds {words.listing(built, most=_BUILT_SHOWN)}")
    if Kind.VERIFY in kinds:
        parts.append("reads every row to check it")
    if Kind.VALIDATE in kinds:
        parts.append("looks up every row in the other table")
    return f"it {words.listing(parts)}" if parts else ""


def lock_evidence(table: Table, mode: Mode, seen: Seen, traffic: Traffic) -> tuple[Evidence, ...]:
    """Return what a finding about a lock rests on, each figure with its source."""
    shown = "lock, as the twin took it" if seen.watched else "lock, by PostgreSQL's manual"
    found = [
        Evidence.stat("rows", round(table.rows), "rows"),
        Evidence.catalog("size", table.size_bytes + table.toast_bytes, "bytes"),
        Evidence(name=shown, value=mode.value, source=Source.MEASURED if seen.watched else Source.ASSUMED),
    ]
    if seen.seconds:
        basis = "time that it is held, from measured rates"
        found.append(Evidence(name=basis, value=float(f"{seen.seconds:.3g}"), unit="s", source=Source.COMPUTED))
    rate = waiting(mode, traffic)
    if rate is not None:
        what = "statements that would wait" if traffic.source is Source.WORKLOAD else "scans and changed rows"
        found.append(Evidence(name=what, value=float(f"{rate:.3g}"), unit="per second", source=traffic.source))
    return tuple(found)
