"""How often a table's rows are written, and which columns its updates change: what an index would have to follow.

The rates are those that production counted.  A window of an hour is none yet, and a table whose rows all arrived within
a young window was loaded: that says nothing of a usual day, so statements that insert into it count instead, where
pg_stat_statements knows them.  An UPDATE's SET list says which columns it may change; without a workload every column
is assumed to be changed as often as any other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from premortem import sqltext, words
from premortem.advisor.machine import Itself
from premortem.advisor.reading import leaves
from premortem.errors import StatementError
from premortem.model import Index, IndexCandidate, Profile, Query, StatementKind, Table

SHORTEST_WINDOW = timedelta(hours=1)  # a restore or a first load would pass for the usual
_SETTLED = timedelta(days=7)  # from here on, as many inserts as rows are what the table grew by
_LOADED = 0.9  # of the rows arrived within the window: that was a load
_CHANGED_COLUMNS = 2.0  # an update whose SET list nobody knows changes so many of the columns that it may change
_WIDE = 0.5  # a SET list of more than this share of the columns is an ORM's save
_WIDE_CHANGES = 0.25  # and leaves a given column as it was three times in four; assumed
_SUMMARIES_KEEP_HOT = 16  # since then an index that only summarizes (BRIN) does not stand in the way of HOT
_UPDATE = re.compile(r"\bupdate\b|\bmerge\b", re.IGNORECASE)
_WORD = re.compile(r'"(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$]*')


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The columns that one statement sets, and the share of the table's updates that are its own."""

    columns: frozenset[str]
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """Rows written per second, `updates` with `hot` among them; `held` is the share of the table that is written to.

    `rows` are those of the partitions that are written to, of the table where it has none.
    `settings` are empty where no statement that updates the table is known.  `blocking` are the columns that
    indexes hold: an update that changes one is not HOT.  `source` says where the rates come from.
    """

    inserts: float = 0.0
    updates: float = 0.0
    hot: float = 0.0
    deletes: float = 0.0
    rows: float = 0.0
    held: float = 1.0
    settings: tuple[Setting, ...] = ()
    blocking: frozenset[str] = frozenset()
    columns: int = 1
    source: str = ""
    is_known: bool = True

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
        return self._by_statement(free) if self.settings else self._in_proportion(free)

    def _in_proportion(self, free: frozenset[str]) -> float:
        candidates = max(self.columns - len(self.blocking), 1)
        untouched = math.pow(1.0 - 1.0 / max(candidates, _CHANGED_COLUMNS), len(free) * _CHANGED_COLUMNS)
        return 1.0 - untouched

    def _by_statement(self, free: frozenset[str]) -> float:
        idle = self._idle()
        weights = [s.share * (idle if s.columns & self.blocking else 1.0) for s in self.settings]
        hits = (w * self._changes(s, free) for w, s in zip(weights, self.settings, strict=True))
        total = sum(weights)
        return min(sum(hits) / total, 1.0) if total > 0 else 0.0

    def _idle(self) -> float:
        """Return the share of the updates naming an indexed column in SET that must leave it as it was.

        More updates are HOT than there are that name none: the others wrote the same value again.
        """
        touching = sum(s.share for s in self.settings if s.columns & self.blocking)
        hot = self.hot / self.updates if self.updates else 0.0
        return max(hot - (1.0 - touching), 0.0) / touching if touching > 0 else 0.0

    def _changes(self, setting: Setting, free: frozenset[str]) -> float:
        if not setting.columns & free:
            return 0.0
        is_wide = len(setting.columns) > max(_WIDE * self.columns, 2)
        return _WIDE_CHANGES if is_wide or setting.columns & self.blocking else 1.0


def writes_of(table: Table, profile: Profile) -> Writes:
    """Return how the table is written to; of a partitioned one, all partitions together."""
    return _writes(Itself(table), Itself(profile))


@lru_cache(maxsize=4096)
def _writes(table: Itself[Table], profile: Itself[Profile]) -> Writes:
    return _read(table.value, profile.value, _statements(profile))


def columns_of(candidate: IndexCandidate, table: Table) -> frozenset[str]:
    """Return the columns that an index holds, in its keys, beside them, or in its predicate."""
    named = {k.column for k in candidate.keys if k.column} | set(candidate.include)
    texts = [k.expression for k in candidate.keys if k.expression] + ([candidate.predicate or ""])
    return frozenset(named | _mentioned(texts, table))


def held_by(index: Index, table: Table) -> frozenset[str]:
    """Return the columns that an existing index holds, in its keys, beside them, or in its predicate."""
    named = {c for c in index.columns if c} | set(index.include)
    texts = [k.expression for k in index.keys if k.expression] + [index.predicate or ""]
    return frozenset(named | _mentioned(texts, table))


def blocks_hot(method: str, profile: Profile) -> bool:
    """Whether an update of what such an index holds cannot be HOT."""
    return method != "brin" or profile.server.major < _SUMMARIES_KEEP_HOT


def _mentioned(texts: Iterable[str], table: Table) -> set[str]:
    return {w for text in texts if text for w in map(_bare, _WORD.findall(text)) if table.column(w) is not None}


def _bare(word: str) -> str:
    return word[1:-1].replace('""', '"') if word.startswith('"') else word


# what a profile says, read once ---------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _statements(of: Itself[Profile]) -> tuple[tuple[Query, sqltext.StatementFacts], ...]:
    """Return the workload's statements that write rows."""
    return tuple(_writing(of.value.workload.statements))


def _writing(statements: Iterable[Query]) -> Iterator[tuple[Query, sqltext.StatementFacts]]:
    for query in statements:
        if query.kind is StatementKind.SELECT and not _UPDATE.search(query.text):
            continue
        try:
            facts = sqltext.statement_facts(query.text)
        except StatementError:
            continue
        if facts.writes:
            yield query, facts


# rates ----------------------------------------------------------------------------------------------------------------


def _read(table: Table, profile: Profile, statements: tuple[tuple[Query, sqltext.StatementFacts], ...]) -> Writes:
    parts = leaves(table, profile) or (table,)
    own = tuple((q, f) for q, f in statements if any(_names(t, table, parts) for t in f.writes))
    asked = _asked(own, table, parts)
    rates, source, is_known = _rates(parts, asked, profile)
    written = [p for p in parts if _is_written(p)] or list(parts)
    rows, whole = sum(p.rows for p in written), sum(p.rows for p in parts)
    inserts, updates, hot, deletes = rates
    return Writes(
        inserts=inserts, updates=updates, hot=min(hot, updates), deletes=deletes, rows=rows,
        held=rows / whole if whole > 0 else 1.0, settings=_settings(own, table, parts),
        blocking=frozenset(c for i in table.indexes if blocks_hot(i.method, profile) for c in held_by(i, table)),
        columns=len(table.columns), source=source, is_known=is_known,
    )  # fmt: skip


def _is_written(part: Table) -> bool:
    return part.activity.inserts > 0 or part.activity.updates > 0 or part.activity.deletes > 0


def _names(name: sqltext.TableName, table: Table, parts: tuple[Table, ...]) -> bool:
    return any(name.name == t.name and name.schema in (None, "", t.schema) for t in (table, *parts))


Rates = tuple[float, float, float, float]


def _rates(parts: tuple[Table, ...], asked: Rates | None, profile: Profile) -> tuple[Rates, str, bool]:
    """Return inserts, updates, HOT updates and deletes per second, who counted them, and whether anybody did."""
    window = min((p.activity.window for p in parts if p.activity.window is not None), default=None)
    if window is None or window < SHORTEST_WINDOW:
        why = "nobody counted its writes" if window is None else f"statistics cover {words.duration(window)} only"
        return _by_workload(asked, why, profile)
    counted = _sum(parts, lambda t: t.activity.inserts), _sum(parts, lambda t: t.activity.updates)
    hot, deletes = _sum(parts, lambda t: t.activity.hot_updates), _sum(parts, lambda t: t.activity.deletes)
    source = f"pg_stat_user_tables over {words.duration(window)}"
    if not _was_loaded(counted[0] - deletes, parts, window):
        return (counted[0], counted[1], hot, deletes), source, True
    inserts = asked[0] if asked is not None else 0.0
    source += "; its rows were loaded in that time, so inserts are " + (
        "those of pg_stat_statements" if asked is not None else "taken as none"
    )
    return (inserts, counted[1], hot, deletes), source, True


def _sum(parts: tuple[Table, ...], rate: Callable[[Table], float]) -> float:
    return sum(rate(p) for p in parts)


def _was_loaded(net: float, parts: tuple[Table, ...], window: timedelta) -> bool:
    rows = sum(p.rows for p in parts)
    return window < _SETTLED and rows > 0 and net * window.total_seconds() >= _LOADED * rows


def _by_workload(asked: Rates | None, why: str, profile: Profile) -> tuple[Rates, str, bool]:
    if asked is None:
        return (0.0, 0.0, 0.0, 0.0), f"assumed: {why}, so none are", False
    window = profile.workload.window
    return asked, "pg_stat_statements" + (f" over {words.duration(window)}" if window else "") + f"; {why}", True


def _asked(
    own: tuple[tuple[Query, sqltext.StatementFacts], ...], table: Table, parts: tuple[Table, ...]
) -> Rates | None:
    """Return the rates that the workload's statements make, None where none of them was counted by time."""
    rates = {StatementKind.INSERT: 0.0, StatementKind.UPDATE: 0.0, StatementKind.DELETE: 0.0}
    counted = [(q, f) for q, f in own if q.calls_per_second is not None]
    for query, facts in counted:
        rates[facts.kind if facts.kind in rates else StatementKind.UPDATE] += _rows_per_second(query)
    if not counted:
        return None
    return rates[StatementKind.INSERT], rates[StatementKind.UPDATE], 0.0, rates[StatementKind.DELETE]


def _rows_per_second(query: Query) -> float:
    rows = query.rows_per_call if query.rows_per_call is not None else 1.0
    return (query.calls_per_second or 0.0) * rows


def _rows_changed(query: Query) -> float:
    rows = query.rows_per_call if query.rows_per_call is not None else 1.0
    return max((query.calls or query.calls_per_second or 0.0) * rows, 1e-9)


def _settings(
    own: tuple[tuple[Query, sqltext.StatementFacts], ...], table: Table, parts: tuple[Table, ...]
) -> tuple[Setting, ...]:
    """Return the SET lists of the statements that update the table, weighted by the rows that they change."""
    weights: dict[frozenset[str], float] = {}
    for query, facts in own:
        for name, columns in facts.updates:
            if columns and _names(name, table, parts):
                set_list = frozenset(columns)
                weights[set_list] = weights.get(set_list, 0.0) + _rows_changed(query)
    total = sum(weights.values())
    return tuple(Setting(columns=c, share=w / total) for c, w in weights.items())
