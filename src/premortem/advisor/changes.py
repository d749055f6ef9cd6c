"""Which columns the updates of a table change, as the workload's statements, triggers and generated columns say.

An index on a column that updates change ends their being HOT.  A SET list says what a statement may change; a BEFORE
trigger changes more, and a generated column changes with what it is made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from premortem import sqltext
from premortem.advisor.machine import Itself
from premortem.errors import StatementError
from premortem.model import Index, IndexCandidate, ObjectKind, Profile, Query, StatementKind, Table, TriggerDefinition

_UPDATE = re.compile(r"\bupdate\b|\bmerge\b", re.IGNORECASE)
_WORD = re.compile(r'"(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$]*')
_BEFORE_UPDATE = re.compile(r"\bBEFORE\b.*\bUPDATE\b.*?\bON\b", re.DOTALL)
_CALLED = re.compile(
    r'EXECUTE (?:FUNCTION|PROCEDURE) (?:[\w"$]+\.)?"?(?P<name>[\w$]+)"?\((?P<arguments>.*)\)', re.DOTALL
)
_ASSIGNED = re.compile(r'\bnew\.("(?:[^"]|"")+"|\w+)\s*:?=', re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetList:
    """The columns that a kind of update sets, and the share of the table's updates that are of it."""

    columns: frozenset[str]
    share: float


@dataclass(frozen=True, slots=True)
class Writer:
    """A statement of the workload that writes rows, and what it does."""

    query: Query
    facts: sqltext.StatementFacts

    @property
    def rows(self) -> float:
        """The rows that a call writes; one where nobody counted."""
        return self.query.rows_per_call if self.query.rows_per_call is not None else 1.0


def writers(table: Table, parts: Sequence[Table], profile: Profile) -> tuple[Writer, ...]:
    """Return the workload's statements that write to a table or, by name, to one of its partitions."""
    by_name = _writers(Itself(profile))
    found = (w for name in dict.fromkeys(t.name for t in (table, *parts)) for w in by_name.get(name, ()))
    those = {id(w): w for w in found if any(_names(t, table, parts) for t in w.facts.writes)}
    return tuple(those.values())


def set_lists(of: Sequence[Writer], table: Table, parts: Sequence[Table], profile: Profile) -> tuple[SetList, ...]:
    """Return what the statements set, and what is set with it, weighted by the rows that they change."""
    weights: dict[frozenset[str], float] = {}
    always = triggered(table, profile) if of else frozenset()
    for writer in of:
        for name, columns in writer.facts.updates:
            if columns and _names(name, table, parts):
                changed = _with_generated(frozenset(columns) | always, table)
                weights[changed] = weights.get(changed, 0.0) + _weight(writer)
    total = sum(weights.values())
    return tuple(SetList(columns=c, share=w / total) for c, w in weights.items())


def columns_of(candidate: IndexCandidate, table: Table) -> frozenset[str]:
    """Return the columns that an index holds, in its keys, beside them, or in its predicate."""
    named = {k.column for k in candidate.keys if k.column} | set(candidate.include)
    texts = [k.expression for k in candidate.keys if k.expression] + [candidate.predicate or ""]
    return frozenset(named | _mentioned(texts, table))


def held_by(index: Index, table: Table) -> frozenset[str]:
    """Return the columns that an existing index holds, in its keys, beside them, or in its predicate."""
    named = {c for c in index.columns if c} | set(index.include)
    texts = [k.expression for k in index.keys if k.expression] + [index.predicate or ""]
    return frozenset(named | _mentioned(texts, table))


def _weight(writer: Writer) -> float:
    calls = writer.query.calls or writer.query.calls_per_second or 0.0
    return max(calls * writer.rows, 1e-9)


def _names(name: sqltext.TableName, table: Table, parts: Sequence[Table]) -> bool:
    return any(name.name == t.name and name.schema in (None, "", t.schema) for t in (table, *parts))


@lru_cache(maxsize=8)
def _writers(profile: Itself[Profile]) -> Mapping[str, tuple[Writer, ...]]:
    found: dict[str, dict[Writer, None]] = {}
    for writer in _writing(profile.value.workload.statements):
        for name in dict.fromkeys(t.name for t in writer.facts.writes):
            found.setdefault(name, {})[writer] = None
    return {name: tuple(those) for name, those in found.items()}


def _writing(statements: Iterable[Query]) -> Iterator[Writer]:
    for query in statements:
        if query.kind is StatementKind.SELECT and not _UPDATE.search(query.text):
            continue
        try:
            facts = sqltext.statement_facts(query.text)
        except StatementError:
            continue  # it is counted among the unreadable ones by those who read the workload
        if facts.writes:
            yield Writer(query, facts)


def triggered(table: Table, profile: Profile) -> frozenset[str]:
    """Return the columns that BEFORE triggers assign, as the text of their function or its arguments tell."""
    fired = (t for t in table.triggers if t.enabled and t.row_level and _BEFORE_UPDATE.search(t.definition))
    return frozenset(c for trigger in fired for c in _assigned(trigger, profile) if table.column(c) is not None)


def _assigned(trigger: TriggerDefinition, profile: Profile) -> Iterator[str]:
    called = _CALLED.search(trigger.definition)
    if called is None:
        return
    if called["name"] == "moddatetime":
        yield from (a.strip(" '\"") for a in called["arguments"].split(","))
    for function in profile.objects:
        if function.kind is ObjectKind.FUNCTION and function.name.partition("(")[0] == called["name"]:
            yield from map(_bare, _ASSIGNED.findall(function.definition))


def _with_generated(columns: frozenset[str], table: Table) -> frozenset[str]:
    made = (c for c in table.columns if c.generated and c.default)
    return columns | {c.name for c in made if _mentioned([c.default or ""], table) & columns}


def _mentioned(texts: Iterable[str], table: Table) -> set[str]:
    return {w for text in texts if text for w in map(_bare, _WORD.findall(text)) if table.column(w) is not None}


def _bare(word: str) -> str:
    return word[1:-1].replace('""', '"') if word.startswith('"') else word
