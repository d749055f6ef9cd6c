"""A query that a loop runs once for each row of another one's result (N+1).

Sees:   one call site that read one or a few rows by key many times in one test, request or transaction, with other
        values and with nothing written in between.
Hurts:  each run is fast, and a page of 200 rows makes 200 of them: the time grows with the rows that are shown, a round
        trip to the server each. No single query looks bad.
Do:     ask once for all of them: a join, or a second query with `= ANY($1)`; frameworks have a word for it.
Quiet:  few repeats; the same values again, but for runs that follow each other closely with at least three different
        values, or at once from one known call site; set-up and tear-down of tests; writes; rows that are locked one by
        one; many rows at once; what many requests of one session ran, where nothing tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem import sqltext
from premortem.model import Evidence, Finding, Query, Repeats, Severity, Source, StatementKind
from premortem.rules.amounts import relation_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject
from premortem.sqltext import ComparisonKind

RULE = Rule(name="query-repeated-per-row", severity=Severity.WARNING, page=__doc__)
_KEYS = frozenset({ComparisonKind.EQUALITY, ComparisonKind.ANY_EQUALITY, ComparisonKind.ROW})
_OTHERS = ", each time with other values"
#: What loads related rows together, by a word of the tags that comments carry.
_HINTS = (
    ("django", "select_related() for one row each, prefetch_related() for many"),
    ("sqlalchemy", "joinedload() for one row each, selectinload() for many"),
    ("rails", "includes() or preload()"),
    ("active_record", "includes() or preload()"),
    ("prisma", "include the relation, or ask with `in` for all keys"),
    ("sequelize", "include the model"),
    ("knex", "whereIn() with all keys, or a join"),
    ("hibernate", "JOIN FETCH, or @BatchSize"),
    ("laravel", "with() on the query"),
    ("ecto", "preload"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_repeats` in one unit of work, of at most `max_rows` rows each."""

    min_repeats: float = 10
    max_rows: float = 100


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for a query that was captured once for each row of something."""
    repeats = subject.query.repeats
    if repeats is None or repeats.within == "session" or repeats.count < limits.min_repeats:
        return
    root = subject.plan.root
    if root.rows > limits.max_rows or not _reads_by_key(subject):
        return
    yield RULE.finding(
        f"ran {repeats.count:,} times in {_unit(repeats)}{_values(repeats)}",
        Evidence(name=f"runs in one {repeats.within}", value=repeats.count, source=Source.MEASURED),
        Evidence.plan("rows each", round(root.rows), "rows"),
        *_called_at(repeats),
        table=relation_of(root),
        about="repeats",
        node=root,
        parameters=subject.parameters,
        advice=f"ask once for all of them: {_hint(subject.query)}",
    )


def _reads_by_key(subject: Subject) -> bool:
    """Whether a query reads rows by the value of a column, and locks none of them."""
    query = subject.query
    if query.kind is not StatementKind.SELECT or sqltext.statement_facts(query.text).locks:
        return False
    texts = (t for n in subject.plan.scans() for t in (n.index_condition, n.recheck_condition, n.filter) if t)
    found = (c for text in texts for c in sqltext.comparisons(sqltext.condition(text)))
    return any(c.kind in _KEYS and not c.negated and c.right is not None and not c.right.columns for c in found)


def _unit(repeats: Repeats) -> str:
    return repeats.unit if repeats.within == "test" and repeats.unit else f"one {repeats.within}"


def _values(repeats: Repeats) -> str:
    """Return how the runs differ.

    >>> _values(Repeats(count=36, within="test", values=12)), _values(Repeats(count=9, within="test", values=9))
    (', with 12 different values', ', each time with other values')
    """
    if repeats.values is None:
        return ""
    if repeats.values == 1:
        return ", with the same values"
    return f", with {repeats.values:,} different values" if repeats.values < repeats.count else _OTHERS


def _called_at(repeats: Repeats) -> Iterator[Evidence]:
    if repeats.site is not None:
        yield Evidence(name="called at", value=str(repeats.site), source=Source.MEASURED)


def _hint(query: Query) -> str:
    words = " ".join(f"{key} {value}" for key, value in query.tags if key != "test").lower()
    return next((hint for name, hint in _HINTS if name in words), "a join, or = ANY($1) with all keys")
