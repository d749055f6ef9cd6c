"""How often a table's rows are written, and which columns its updates change: what an index would have to follow.

The rates are those that production counted.  A window of an hour is none yet, and a table whose rows all arrived within
a young window was loaded: that says nothing of a usual day, so statements that insert into it count instead, where
pg_stat_statements knows them.  An UPDATE's SET list says which columns it may change; without a workload every column
is assumed to be changed as often as any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from premortem import words
from premortem.advisor.changes import SetList, Writer, held_by, set_lists, triggered, writers
from premortem.advisor.columns import distinct
from premortem.advisor.machine import Itself, machine_of
from premortem.model import ColumnStatistics, Profile, StatementKind, Table

SHORTEST_WINDOW = timedelta(hours=1)  # a restore or a first load would pass for the usual
_SETTLED = timedelta(days=7)  # from here on, as many inserts as rows are what the table grew by
_LOADED = 0.9  # of the rows arrived within the window: that was a load
_CHANGED_COLUMNS = 2.0  # an update whose SET list nobody knows changes so many of the columns that it may change
_FITS = 0.8  # of the updates that may be HOT find room on their page, where nothing tells; assumed
_STEADY = 0.99  # correlation from which a column is taken to be in the order of the rows
_MANY = 1000.0  # distinct values; below, an order says little
_WIDE = 0.5  # a SET list of more than this share of the columns is an ORM's save
_WIDE_CHANGES = 0.25  # and leaves a given column as it was three times in four; assumed
_SUMMARIES_KEEP_HOT = 16  # since then an index that only summarizes (BRIN) does not stand in the way of HOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """Rows written per second, `updates` with `hot` among them; `held` is the share of the table that is written to.

    `dead` is how many dead rows bring VACUUM.  `set_lists` are empty where no statement that updates the table is
    known.  `blocking` are the columns that indexes hold: an update that changes one is not HOT.  `steady` are those
    that nobody changes: their values are in the order of the rows; `always` those that a trigger sets each time.
    `source` says where the rates come from, `missing` why there are none, "" where there are.
    """

    inserts: float = 0.0
    updates: float = 0.0
    hot: float = 0.0
    deletes: float = 0.0
    dead: float = 50.0
    held: float = 1.0
    set_lists: tuple[SetList, ...] = ()
    blocking: frozenset[str] = frozenset()
    steady: frozenset[str] = frozenset()
    always: frozenset[str] = frozenset()
    columns: int = 1
    source: str = ""
    missing: str = ""

    @property
    def cold(self) -> float:
        """The updates per second that are not HOT: each writes an entry into every index."""
        return max(self.updates - self.hot, 0.0)

    def changing(self, columns: frozenset[str]) -> float:
        """Return the share of the HOT updates that change one of the columns, and could not be HOT with them indexed.

        A HOT update changes no column that an index holds already, whatever its SET list says.
        """
        free = columns - self.blocking
        if not free or not self.hot:
            return 0.0
        if free & self.always:
            return 1.0
        return self._by_statement(free) if self.set_lists else self._in_proportion(free - self.steady)

    def freed(self, columns: frozenset[str], others: frozenset[str]) -> float:
        """Return the updates per second that would be HOT if an index on the columns went; `others` hold the rest.

        Only SET lists can tell: an update that changes no column but those.
        """
        changed = [(s, s.share * (1.0 - self._idle())) for s in self.set_lists if s.columns & self.blocking]
        alone = sum(share for s, share in changed if s.columns & columns and not s.columns & others)
        unhindered = 1.0 - sum(share for _, share in changed)
        fits = min(self.hot / (self.updates * unhindered), 1.0) if unhindered > 0.01 and self.updates else _FITS
        return min(self.updates * alone * fits, self.cold)

    def _in_proportion(self, free: frozenset[str]) -> float:
        candidates = max(self.columns - len(self.blocking | self.steady), 1)
        untouched = math.pow(1.0 - 1.0 / max(candidates, _CHANGED_COLUMNS), len(free) * _CHANGED_COLUMNS)
        return 1.0 - untouched

    def _by_statement(self, free: frozenset[str]) -> float:
        idle = self._idle()
        weights = [s.share * (idle if s.columns & self.blocking else 1.0) for s in self.set_lists]
        hits = (w * self._changes(s, free) for w, s in zip(weights, self.set_lists, strict=True))
        total = sum(weights)
        return min(sum(hits) / total, 1.0) if total > 0 else 0.0

    def _idle(self) -> float:
        """Return the share of the updates naming an indexed column in SET that must leave it as it was.

        More updates are HOT than there are that name none: the others wrote the same value again.
        """
        touching = sum(s.share for s in self.set_lists if s.columns & self.blocking)
        hot = self.hot / self.updates if self.updates else 0.0
        return max(hot - (1.0 - touching), 0.0) / touching if touching > 0 else 0.0

    def _changes(self, setting: SetList, free: frozenset[str]) -> float:
        if not setting.columns & free:
            return 0.0
        is_wide = len(setting.columns) > max(_WIDE * self.columns, 2)
        return _WIDE_CHANGES if is_wide or setting.columns & self.blocking else 1.0


def writes_of(table: Table, profile: Profile) -> Writes:
    """Return how the table is written to; of a partitioned one, all partitions together."""
    return _writes(Itself(table), Itself(profile))


@lru_cache(maxsize=4096)
def _writes(table: Itself[Table], profile: Itself[Profile]) -> Writes:
    return _read(table.value, profile.value)


def blocks_hot(method: str, profile: Profile) -> bool:
    """Whether an update of what such an index holds cannot be HOT."""
    return method != "brin" or profile.server.major < _SUMMARIES_KEEP_HOT


# rates ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rates:
    """Rows per second, who counted them, and why nobody did."""

    inserts: float = 0.0
    updates: float = 0.0
    hot: float = 0.0
    deletes: float = 0.0
    source: str = ""
    missing: str = ""


def _read(table: Table, profile: Profile) -> Writes:
    parts = profile.leaves(table.relation) or (table,)
    own, related = writers(table, parts, profile), (*parts, *_ancestors(table, profile))
    rates = _rates(parts, _asked(own, profile))
    written = [p for p in parts if _is_written(p)] or list(parts)
    rows, whole = _sum(written, lambda t: t.rows), _sum(parts, lambda t: t.rows)
    blocking = (held_by(i, table) for i in table.indexes if blocks_hot(i.method, profile))
    return Writes(
        inserts=rates.inserts, updates=rates.updates, hot=min(rates.hot, rates.updates), deletes=rates.deletes,
        dead=_dead(written, profile), held=rows / whole if whole > 0 else 1.0,
        set_lists=set_lists(writers(table, related, profile), table, related, profile),
        blocking=frozenset(c for those in blocking for c in those),
        steady=_steady(table, whole) if rates.hot > 0 else frozenset(),
        always=triggered(table, profile) if rates.hot > 0 else frozenset(), columns=len(table.columns),
        source=rates.source, missing=rates.missing,
    )  # fmt: skip


def _ancestors(table: Table, profile: Profile) -> Iterator[Table]:
    """Yield what a partition is a part of: statements name that, and set its columns too."""
    for parent in table.parents:
        found = profile.table(parent)
        if found is not None:
            yield found
            yield from _ancestors(found, profile)


def _dead(written: Sequence[Table], profile: Profile) -> float:
    """Return how many dead rows bring a VACUUM of all that is written to, by the settings and the tables' options."""
    machine = machine_of(profile)
    return sum(machine.dead_rows(t.rows, t.options) for t in written)


def _steady(table: Table, rows: float) -> frozenset[str]:
    return frozenset(c.name for c in table.columns if c.identity or _in_order(c.own_statistics, rows))


def _in_order(found: ColumnStatistics | None, rows: float) -> bool:
    order = found is not None and abs(found.correlation or 0.0) >= _STEADY
    return order and found is not None and distinct(found, rows) >= _MANY


def _is_written(part: Table) -> bool:
    return part.activity.inserts > 0 or part.activity.updates > 0 or part.activity.deletes > 0


def _sum(parts: Iterable[Table], value: Callable[[Table], float]) -> float:
    return sum(value(p) for p in parts)


def _rates(parts: Sequence[Table], asked: _Rates | None) -> _Rates:
    """Return the rates that the server counted; those of statements where it has not counted for long enough."""
    window = min((p.activity.window for p in parts if p.activity.window is not None), default=None)
    if window is None:
        return asked or _Rates(missing="how often it is written is unknown", source="unknown, taken as no writes")
    if window < SHORTEST_WINDOW:
        minutes = words.plural(max(1, round(window.total_seconds() / 60)), "min", "min")
        says = f"production has counted writes for {minutes}, too short a time for a rate"
        return asked or _Rates(missing=says, source=f"counted for {minutes} only, taken as no writes")
    return _counted(parts, window, asked)


def _counted(parts: Sequence[Table], window: timedelta, asked: _Rates | None) -> _Rates:
    inserts, deletes = _sum(parts, lambda t: t.activity.inserts), _sum(parts, lambda t: t.activity.deletes)
    updates, hot = _sum(parts, lambda t: t.activity.updates), _sum(parts, lambda t: t.activity.hot_updates)
    source, missing = f"pg_stat_user_tables over {words.duration(window)}", ""
    if _was_loaded(inserts, deletes, parts, window):
        inserts = asked.inserts if asked is not None else 0.0
        source += ", in which its rows were loaded: inserts are " + (asked.source if asked else "taken as none")
        missing = f"its rows were loaded in the {words.duration(window)} that production has counted, which is no rate"
    return _Rates(inserts, updates, hot, deletes, source, missing)


def _was_loaded(inserts: float, deletes: float, parts: Sequence[Table], window: timedelta) -> bool:
    """Whether what is there came within a young window, and little else did: a queue's rows come and go."""
    rows, seconds = _sum(parts, lambda t: t.rows), window.total_seconds()
    return window < _SETTLED and (inserts - deletes) * seconds >= _LOADED * rows > 0 and inserts * seconds <= 2 * rows


def _asked(own: Sequence[Writer], profile: Profile) -> _Rates | None:
    """Return the rates that the workload's statements make, None where none of them was counted by time."""
    rates = {StatementKind.INSERT: 0.0, StatementKind.UPDATE: 0.0, StatementKind.DELETE: 0.0}
    counted = [w for w in own if w.query.calls_per_second is not None]
    for writer in counted:
        kind = writer.facts.kind if writer.facts.kind in rates else StatementKind.UPDATE
        rates[kind] += (writer.query.calls_per_second or 0.0) * writer.rows
    if not counted:
        return None
    window = profile.workload.window
    source = "pg_stat_statements" + (f" over {words.duration(window)}" if window else "")
    return _Rates(rates[StatementKind.INSERT], rates[StatementKind.UPDATE], 0.0, rates[StatementKind.DELETE], source)
