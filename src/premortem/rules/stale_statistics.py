"""Statistics that say little of what is in the table now.

Sees:   a large table that was never analyzed or has changed much since; a partitioned table whose statistics as a whole
        are missing, which autovacuum never makes; CREATE STATISTICS without an ANALYZE after it.
Hurts:  the planner guesses: a join order or an index that was right for an empty table is kept for a full one.
Do:     ANALYZE the table; after bulk loads in the same script, partitioned tables by a job of their own.
Quiet:  small tables, changes that autovacuum will see to, columns whose statistics the profile's role may not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, ExtendedStatistics, Finding, Profile, RelationKind, Severity, Table
from premortem.rules.discards import counted
from premortem.rules.foreign_key_without_index import rows_of
from premortem.rules.rule import Kind, Rule

RULE = Rule(name="stale-statistics", severity=Severity.WARNING, kind=Kind.SCHEMA, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Tables of at least `min_pages`; changes of at least `min_rows` and `min_share` of the rows."""

    min_pages: float = 1_000
    min_rows: float = 10_000
    min_share: float = 0.5


def find_schema(profile: Profile, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every table whose statistics are missing or old."""
    unread = any(g.subject in ("column statistics", "statistics") for g in profile.gaps)
    for table in profile.tables:
        if table.kind is RelationKind.PARTITIONED_TABLE:
            yield from () if unread else _of_parent(table, profile, limits)
        elif table.kind.has_storage:
            yield from _of_table(table, limits)
        yield from (
            _of_extended(table, s) for s in table.statistics if _is_empty(s) and table.pages >= limits.min_pages
        )


def _of_table(table: Table, limits: Limits) -> Iterator[Finding]:
    changed = table.activity.modified_since_analyze
    if table.tuples < 0 and table.pages >= limits.min_pages:
        yield _finding(table, f"{table.full_name} has {table.pages:,} pages and was never analyzed", "never", 0.0)
    elif table.tuples >= 0 and changed >= max(limits.min_rows, limits.min_share * table.rows):
        when = table.activity.last_analyze
        since = f" since {when:%Y-%m-%d}" if when is not None else ""
        says = f"{counted(changed, 'row change')} of {table.full_name}{since} are not in its statistics"
        yield _finding(table, f"{says}, of {counted(table.rows)}", "changed", changed)


def _of_parent(table: Table, profile: Profile, limits: Limits) -> Iterator[Finding]:
    rows = rows_of(table, profile)
    pages = sum(t.pages for t in profile.children(table.relation))
    if pages >= limits.min_pages and rows >= limits.min_rows and not any(c.statistics for c in table.columns):
        says = f"{table.full_name} is partitioned and has no statistics as a whole: autovacuum makes none"
        yield _finding(table, says, "never", rows)


def _is_empty(statistics: ExtendedStatistics) -> bool:
    kinds = {"ndistinct": statistics.ndistinct, "dependencies": statistics.dependencies}
    asked = [kinds[k] for k in statistics.kinds if k in kinds]
    return bool(asked) and all(found is None for found in asked)


def _of_extended(table: Table, statistics: ExtendedStatistics) -> Finding:
    return _finding(
        table, f"the statistics {statistics.name} of {table.full_name} were never filled", statistics.name, 0.0
    )


def _finding(table: Table, says: str, about: str, changed: float) -> Finding:
    return RULE.finding(
        says,
        Evidence.stat("row changes since ANALYZE", round(changed), "rows"),
        table=table.relation,
        about=about,
        advice="analyze it",
        sql=(f"ANALYZE {table.relation.sql};",),
    )
