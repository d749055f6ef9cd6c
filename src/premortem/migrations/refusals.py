"""Statements that production's rows refuse: a NOT NULL over NULLs, a unique index over values that repeat.

The twin has no rows, so there they pass.  The statistics tell what the rows hold: a share of NULLs, and how many
different values there are; more rows than values cannot all be different.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from premortem import words
from premortem.migrations import saying
from premortem.migrations.blocking import World
from premortem.migrations.seen import Seen, find
from premortem.model import ColumnStatistics, Evidence, Finding, Index, Proof, Remedy, Severity, Table
from premortem.sqltext import Action

REFUSED = "refused-by-rows"
_KEYS = ("ADD UNIQUE", "ADD PRIMARY KEY")
#: ANALYZE counts a sample's values, and its estimate may lie too low: so much lower than the rows is beyond doubt.
_SURELY = 0.5


def find_refused_by_rows(seens: Sequence[Seen], world: World) -> Iterator[Finding]:
    """Yield a finding for each statement that production's rows will refuse, as far as its statistics tell."""
    for place, seen in enumerate(seens):
        table = find(seen.step.said.relation, world.before)
        if table is None or table.rows < 1:
            continue
        for action in seen.step.said.actions:
            if action.form == "SET NOT NULL":
                yield from _nulls(seen, table, action, seens[:place])
            elif action.form in _KEYS and action.using_index is None:
                yield from _repeats(seen, table, action.columns, seens[:place])
        if seen.step.said.verb == "CREATE UNIQUE INDEX" and _holds_all_rows(seen, table, world):
            yield from _repeats(seen, table, seen.step.said.columns, seens[:place])


def _nulls(seen: Seen, table: Table, action: Action, earlier: Sequence[Seen]) -> Iterator[Finding]:
    known = _statistics(table, action.column or "")
    if known is None or known.null_fraction <= 0 or _is_written(table, earlier):
        return
    rows = known.null_fraction * table.rows
    yield saying.finding(
        REFUSED,
        seen,
        f"{words.plural(round(rows), 'row')} of {table.full_name} ({words.percent(known.null_fraction)}) have no"
        f" {action.column}, so SET NOT NULL fails",
        Evidence.stat("fraction of NULLs", known.null_fraction),
        severity=Severity.ERROR,
        table=table.relation,
        about=f"not null {action.column}",
        remedy=Remedy(says="give these rows a value first, in batches", proof=Proof.ADVICE),
    )


def _repeats(seen: Seen, table: Table, columns: Sequence[str], earlier: Sequence[Seen]) -> Iterator[Finding]:
    known = [_statistics(table, c) for c in columns]
    if not columns or None in known or _is_written(table, earlier):
        return
    held = [s for s in known if s is not None]
    values = math.prod(_distinct(s, table.rows) for s in held)
    rows = table.rows * (1 - max(s.null_fraction for s in held))
    if values >= rows * _SURELY:
        return
    of = words.listing(columns)
    after = "; CONCURRENTLY leaves an invalid index behind" if seen.is_concurrent else ""
    yield saying.finding(
        REFUSED,
        seen,
        f"{table.full_name} has {words.plural(round(rows), 'row')} and no more than"
        f" {words.plural(round(values), 'different value')} of {of}, so a unique index fails{after}",
        Evidence.stat("different values", round(values)),
        Evidence.stat("rows", round(rows), "rows"),
        severity=Severity.ERROR,
        table=table.relation,
        about=f"unique {','.join(columns)}",
        remedy=Remedy(says="mend the rows first, or add the column that makes them different", proof=Proof.ADVICE),
    )


def _statistics(table: Table, column: str) -> ColumnStatistics | None:
    found = table.column(column)
    return found.own_statistics if found is not None else None


def _distinct(known: ColumnStatistics, rows: float) -> float:
    if known.n_distinct == 0:
        return math.inf  # nobody knows
    return known.n_distinct if known.n_distinct > 0 else -known.n_distinct * rows


def _is_written(table: Table, earlier: Sequence[Seen]) -> bool:
    """Whether the change itself writes the table before: its rows are no longer those of the statistics."""
    return any(
        lock.of == table.relation and lock.mode.value == "ROW EXCLUSIVE" for seen in earlier for lock in seen.locks
    )


def _holds_all_rows(seen: Seen, table: Table, world: World) -> bool:
    """Whether a new unique index is one over plain columns and without a condition."""
    made = _made(seen, table, world)
    return made is not None and made.predicate is None and made.columns == tuple(seen.step.said.columns)


def _made(seen: Seen, table: Table, world: World) -> Index | None:
    after = world.after.table(table.relation)
    old = {i.name for i in table.indexes}
    new = [i for i in after.indexes if i.unique and i.name not in old] if after is not None else []
    said = seen.step.said
    named = (i for i in new if i.name == said.name or (said.name is None and i.columns == tuple(said.columns)))
    return next(named, None)
