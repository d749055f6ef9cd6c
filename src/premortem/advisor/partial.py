"""What a partial index's condition leaves of the table, and of the values of its keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from premortem.advisor.columns import KeyStatistics, key_statistics
from premortem.advisor.groups import Groups, combined, groups
from premortem.advisor.remembering import remembered
from premortem.advisor.wants import Term, Use
from premortem.model import IndexKey, Table


@dataclass(frozen=True, slots=True)
class Kept:
    """The share of the rows that satisfy a condition, and what it asks of single columns or expressions."""

    share: float = 1.0
    terms: dict[str, tuple[Term, float]] = field(default_factory=dict)
    known: dict[frozenset[str], Groups] = field(default_factory=dict)

    def key(self, key: IndexKey, table: Table) -> KeyStatistics:
        """Return what is known of a key among the rows that are kept."""
        stats = key_statistics(key, table)
        if not self.terms:
            return stats
        asked = self.terms.get(_words(key))
        return _of_kept(stats, *asked) if asked is not None else stats

    def groups(self, keys: Sequence[IndexKey], table: Table) -> Groups:
        """Return how the kept rows fall on the keys."""
        if not any(_words(k) in self.terms for k in keys):
            return groups(keys, table)
        words = frozenset(map(_words, keys))
        if words not in self.known:
            left = {_words(k): self.key(k, table) for k in keys}
            self.known[words] = combined(left, table, table.rows * self.share)
        return self.known[words]


_WHOLE = Kept()


def kept_by(predicate: str | None, table: Table) -> Kept:
    """Return what a condition leaves, all where there is none."""
    if predicate is None:
        return _WHOLE
    return remembered(table, "_kept", predicate, lambda: _read(predicate, table))


def _read(predicate: str, table: Table) -> Kept:
    from premortem import sqltext  # the parser is heavy, and most indexes have no condition
    from premortem.advisor.conditions import terms
    from premortem.advisor.selectivity import share_of, share_of_predicate

    found = {t.operand.words: (t, share_of(t, table)) for t in terms(sqltext.condition(predicate), None, table)}
    return Kept(share_of_predicate(predicate, table), found)


def _words(key: IndexKey) -> str:
    return key.column or key.expression or ""


def _of_kept(stats: KeyStatistics, term: Term, share: float) -> KeyStatistics:
    """Return what is left of a key's values."""
    if term.use is Use.NULL:
        return replace(stats, null_share=1.0, common=())
    if term.use in (Use.EQUAL, Use.TRUE, Use.FALSE, Use.JOIN):
        return replace(stats.left(1.0), distinct=1.0, common=(1.0,), statistics=None)
    if term.use is Use.NOT_NULL:
        return stats.left(1.0)
    if term.use is Use.SOME:
        return _some(stats, term)
    return stats.left(share / max(1.0 - stats.null_share, 1e-9))


def _some(stats: KeyStatistics, term: Term) -> KeyStatistics:
    values = tuple(v.rstrip(" ") for v in (stats.statistics and stats.statistics.most_common_values) or ())
    found = [f for v, f in zip(values, stats.common, strict=False) if v in term.values]
    if not found:
        return replace(stats.left(1.0), distinct=float(max(1, len(term.values))), common=(), statistics=None)
    common = tuple(f / sum(found) for f in found)
    return replace(stats.left(1.0), distinct=float(len(found)), common=common, statistics=None)
