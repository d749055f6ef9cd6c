"""A table that autovacuum does not keep up with, or may not touch.

Sees:   many dead rows, autovacuum_enabled = off on a table that is written to, or autovacuum off altogether.
Hurts:  dead rows are read with each scan and never given back; statistics age; in the end wraparound stops all writes.
Do:     switch it on; for large busy tables a lower autovacuum_vacuum_scale_factor; end transactions that stay open.
Quiet:  small tables, a share of dead rows that autovacuum is about to collect, tables that nobody writes to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Profile, RelationName, Severity, Table
from premortem.rules.discards import counted
from premortem.rules.rule import Kind, Rule

RULE = Rule(name="vacuum-falls-behind", severity=Severity.WARNING, kind=Kind.SCHEMA, page=__doc__)
_OFF = frozenset({"off", "false", "no", "0"})
_SERVER = RelationName(schema="", name="server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_dead` dead rows that are `min_share` of the live ones; tables of at least `min_rows`."""

    min_dead: float = 100_000
    min_share: float = 0.4
    min_rows: float = 10_000


def find_schema(profile: Profile, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every table that vacuum neglects."""
    if profile.setting("autovacuum") in _OFF:
        yield _off(_SERVER, "autovacuum is off for the whole server", ("ALTER SYSTEM SET autovacuum = on;",))
    for table in (t for t in profile.tables if t.kind.has_storage and t.rows >= limits.min_rows):
        dead = table.activity.dead_tuples
        if _is_off(table) and _is_written(table):
            says = f"autovacuum is switched off for {table.full_name}, which is written to"
            yield _off(table.relation, says, (f"ALTER TABLE {table.relation.sql} RESET (autovacuum_enabled);",))
        elif dead >= max(limits.min_dead, limits.min_share * table.rows):
            yield _dead(table, dead)


def _is_off(table: Table) -> bool:
    options = dict(o.partition("=")[::2] for o in table.options)
    return options.get("autovacuum_enabled", "on").lower() in _OFF


def _is_written(table: Table) -> bool:
    activity = table.activity
    return activity.inserts + activity.updates + activity.deletes > 0 or activity.dead_tuples > 0


def _off(table: RelationName, says: str, sql: tuple[str, ...]) -> Finding:
    return RULE.finding(
        says, Evidence.catalog("autovacuum", "off"), table=table, about="off", advice="switch it on", sql=sql
    )


def _dead(table: Table, dead: float) -> Finding:
    when = table.activity.last_vacuum
    last = f"; the last vacuum was on {when:%Y-%m-%d}" if when is not None else ""
    return RULE.finding(
        f"{counted(dead, 'dead row')} lie in {table.full_name} beside {counted(table.rows)}{last}",
        Evidence.stat("dead rows", round(dead), "rows"),
        table=table.relation,
        about="dead rows",
        advice="look for transactions that stay open, and lower autovacuum_vacuum_scale_factor for this table",
        sql=(f"VACUUM (ANALYZE) {table.relation.sql};",),
    )
