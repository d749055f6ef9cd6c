"""Findings about who uses what the change creates, drops or renames: production's workload and the change's queries.

Whether a query uses an index is the planner's to say, so every query that names the table is planned on the twin: with
the new index as it stands there, and for a dropped one both ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from premortem import words
from premortem.advisor import as_candidate
from premortem.check import Planner
from premortem.check.judgement import plan_all
from premortem.check.patience import Patience
from premortem.errors import ServerTimeout, StatementError
from premortem.migrations import saying
from premortem.migrations.seen import Seen
from premortem.migrations.traffic import named_by
from premortem.model import (
    Evidence,
    Finding,
    Index,
    Planned,
    Profile,
    Query,
    QueryReport,
    RelationName,
    Remedy,
    Severity,
    Source,
    StatementKind,
    Table,
)
from premortem.plans import worst_cost

#: How many of the workload's statements on one table are planned, the most frequent first.
MOST = 200
#: A plan is worse without an index from the first factor on; from the second, at such a cost (a scan of some 80 MB), it
#: is an error.
_WORSE, _MUCH_WORSE, _EXPENSIVE = 1.5, 3.0, 10_000.0
#: Below this cost (a scan of some 4 MB), and below this size of an index, it is a note.
_CHEAP, _SMALL_PAGES = 500.0, 1_000
_CANDIDATE = "premortem_candidate_0"
_MISSING = frozenset({"42703", "42P01"})
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """Everybody who uses production's tables: `reports` are the change's queries as they were judged, with their plans.

    `workload` are production's statements, ready to be planned.
    """

    reports: tuple[QueryReport, ...] = ()
    workload: tuple[Query, ...] = ()
    planner: Planner
    before: Profile
    after: Profile
    _by_table: dict[RelationName, list[Query]] = field(default_factory=dict)
    _plans: dict[object, tuple[Planned, ...] | None] = field(default_factory=dict)

    def of_table(self, origin: RelationName | None, now: RelationName | None) -> tuple[Query, ...]:
        """Return the queries that name a table: production's by its old name, the change's by its new one."""
        own = [r.query for r in self.reports if r.query is not None and r.query.kind is not StatementKind.UTILITY]
        changed = [q for q in own if now is not None and now in tuple(named_by(q, self.after))]
        texts = {q.text for q in changed}
        theirs = self._workload_of(origin) if origin is not None else ()
        often = sorted((q for q in theirs if q.text not in texts), key=lambda q: -(q.calls or 0.0))
        return (*changed, *often[:MOST])

    def _workload_of(self, origin: RelationName) -> Sequence[Query]:
        if not self._by_table:
            for query in self.workload:
                for relation in named_by(query, self.before):
                    self._by_table.setdefault(relation, []).append(query)
        return self._by_table.get(origin, ())

    def plans(self, query: Query) -> tuple[Planned, ...]:
        """Return a query's plans on the twin, none where it has none any more."""
        key = (query.text, query.search_path)
        if key not in self._plans:
            known = next((r.planned for r in self.reports if _same(r.query, query) and r.planned), ())
            self._plans[key] = known or self._planned(query)
        return self._plans[key] or ()

    def _planned(self, query: Query) -> tuple[Planned, ...]:
        try:
            return plan_all(query, self.planner, self.after, Patience())[0]
        except (StatementError, ServerTimeout):
            return ()

    def without(self, query: Query, index: Index, table: RelationName) -> tuple[Planned, ...]:
        """Return a query's plans with an index that the change has dropped, none where it cannot be put back."""
        sets = [p.parameters for p in self.plans(query)]
        try:
            return self.planner.replanner(query, sets)([as_candidate(index, table)], ())
        except (StatementError, ServerTimeout):
            return ()

    def error(self, query: Query) -> StatementError | None:
        """Return why a query cannot be prepared any more, None where it can."""
        try:
            self.planner.parameter_types(query)
        except StatementError as error:
            return error
        return None


def _same(one: Query | None, other: Query) -> bool:
    return one is not None and one.text == other.text and one.search_path == other.search_path


def find_unused(seens: Sequence[Seen], uses: Uses) -> Iterator[Finding]:
    """Yield the new indexes that no query would use."""
    for seen in seens:
        for name in seen.observed.created:
            table = uses.after.table_of_index(name.schema, name.name)
            index = next((i for i in table.indexes if i.name == name.name), None) if table is not None else None
            if table is None or index is None or _has_another_purpose(index, table):
                continue
            yield from _unused(seen, index, table, uses)


def _has_another_purpose(index: Index, table: Table) -> bool:
    """Whether an index is there for another reason than reading: a constraint, replication, a foreign key's trigger."""
    if index.unique or index.exclusion or index.constraint or index.replica_identity or index.parent is not None:
        return True
    keys = [set(k.columns) for k in table.foreign_keys]
    return any(set(index.columns[: len(k)]) == k or index.columns[:1] == tuple(k)[:1] for k in keys if k)


def _unused(seen: Seen, index: Index, table: Table, uses: Uses) -> Iterator[Finding]:
    origin = _origin(seen, table, uses.before)
    queries = uses.of_table(origin, table.relation)
    planned = [(q, plans) for q in queries if (plans := uses.plans(q))]
    parts = (index, *_parts(index, table, uses.after))
    names, pages = {i.name for i in parts}, sum(i.pages for i in parts)
    if not planned or any(_uses(p, names) for _, plans in planned for p in plans):
        return
    workload = sum(q.calls is not None for q, _ in planned)
    whose = f" ({words.number(workload)} of production's workload)" if workload else " of the change"
    size = f" ({words.size(pages * 8192)}, estimated)" if pages else ""
    yield saying.finding(
        "unused-new-index",
        seen,
        f"no plan of the {words.plural(len(planned), 'query', 'queries')} that name {table.full_name}{whose} uses"
        f" {index.name}{size}",
        Evidence(name="queries planned with it", value=len(planned), source=Source.PLAN),
        severity=Severity.WARNING if origin is not None and workload and pages >= _SMALL_PAGES else Severity.INFO,
        table=table.relation,
        about=index.name,
    )


def _origin(seen: Seen, table: Table, before: Profile) -> RelationName | None:
    if before.table(table.relation) is not None:
        return table.relation
    return next((k.of for k in seen.locks), None)


def _parts(index: Index, table: Table, profile: Profile) -> Iterator[Index]:
    """Yield an index's parts on partitions, which plans show in its place."""
    name = RelationName(schema=table.schema, name=index.name)
    for part in profile.tables:
        if part.parents:
            yield from (i for i in part.indexes if i.parent == name)


def _uses(planned: Planned, names: set[str]) -> bool:
    return any(node.index in names for node in planned.plan.walk() if node.index is not None)


def find_dropped_indexes(seens: Sequence[Seen], uses: Uses) -> Iterator[Finding]:
    """Yield the dropped indexes without which queries get worse."""
    for seen in seens:
        gone = set(seen.observed.dropped)
        for name in seen.observed.dropped:
            table = uses.before.table_of_index(name.schema, name.name)
            if table is None or table.relation in gone:
                continue
            index = next(i for i in table.indexes if i.name == name.name)
            now = _now(table, seen, uses.after)
            if now is not None and index.valid and index.parent is None:
                yield from _dropped(seen, index, table, now, uses)


def _now(table: Table, seen: Seen, after: Profile) -> RelationName | None:
    """Return what a table is called after the change, None where it is gone (or renamed, which is rare here)."""
    return table.relation if after.table(table.relation) is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worse:
    """A query that gets worse, with the costs of the parameter set that suffers most."""

    query: Query
    with_it: float
    without: float

    @property
    def factor(self) -> float:
        return self.without / max(self.with_it, 0.01)


def _dropped(seen: Seen, index: Index, table: Table, now: RelationName, uses: Uses) -> Iterator[Finding]:
    queries = uses.of_table(table.relation, now)
    worse = [w for q in queries if (w := _worse(q, index, now, uses)) is not None]
    worse.sort(key=lambda w: -(w.without - w.with_it) * max(w.query.calls_per_second or 1.0, 0.01))
    if not worse:
        return
    worst = worse[0]
    shown = "; ".join(_shown(w) for w in worse[:_SHOWN])
    more = f"; and {len(worse) - _SHOWN} more" if len(worse) > _SHOWN else ""
    yield saying.finding(
        "dropped-index-in-use",
        seen,
        f"{words.plural(len(worse), 'query gets', 'queries get')} more expensive without {index.name} on"
        f" {saying.size_of(table)}: {shown}{more}",
        *(
            Evidence.plan(f"cost without it: {words.shortened(words.one_line(w.query.text), 60)}", w.without)
            for w in worse[:5]
        ),
        severity=_graded(worse),
        table=table.relation,
        about=index.name,
        remedy=Remedy(
            says="keep the index, or create the one that replaces it before this one is dropped",
            before_cost=worst.without,
            after_cost=worst.with_it,
        ),
    )


def _graded(worse: Sequence[_Worse]) -> Severity:
    """Return how bad it is: by the query that suffers most, and whether that costs anything to speak of."""
    if any(w.factor >= _MUCH_WORSE and w.without >= _EXPENSIVE for w in worse):
        return Severity.ERROR
    return Severity.WARNING if any(w.without >= _CHEAP for w in worse) else Severity.INFO


def _worse(query: Query, index: Index, table: RelationName, uses: Uses) -> _Worse | None:
    today = uses.plans(query)
    had = uses.without(query, index, table) if today else ()
    if not had or not any(_uses(p, {_CANDIDATE}) for p in had):
        return None
    costs = [(worst_cost(h.plan, uses.after), worst_cost(t.plan, uses.after)) for h, t in zip(had, today, strict=False)]
    with_it, without = max(costs, key=lambda c: c[1] - c[0])
    found = _Worse(query=query, with_it=with_it, without=without)
    return found if found.factor >= _WORSE else None


def _shown(worse: _Worse) -> str:
    text = words.shortened(words.one_line(worse.query.text), 80)
    place = f"{worse.query.site} " if worse.query.calls is None else ""
    costs = f"{words.number(worse.with_it)} → {words.number(worse.without)}"
    return f"{place}{text}, cost {costs} ({words.change(worse.with_it, worse.without)})"


def find_dropped_names(seens: Sequence[Seen], uses: Uses) -> Iterator[tuple[int, Finding]]:
    """Yield, with the number of the step, what is dropped or renamed though queries name it."""
    for seen in seens:
        gone = tuple(_gone(seen, uses.before)) if seen.is_run and seen.observed.skipped is None else ()
        for table, column in gone:
            broken = list(_broken(table, column, uses))
            if broken:
                yield seen.step.number, _breaks(seen, table, column, broken, uses)


def _gone(seen: Seen, before: Profile) -> Iterator[tuple[Table, str | None]]:
    """Yield the tables and columns of production whose names a step takes away."""
    said = seen.step.said
    locked = [t for k in seen.locks if (t := before.table(k.of)) is not None]
    if said.verb == "DROP TABLE":
        yield from ((t, None) for r in seen.observed.dropped if (t := before.table(r)) is not None)
        return
    named = [t for t in locked if said.relation is not None and t.name == said.relation.name] or locked
    for action in said.actions if named else ():
        if action.form in ("DROP COLUMN", "RENAME COLUMN") and named[0].column(action.column or "") is not None:
            yield named[0], action.column
        elif action.form in ("RENAME TO", "SET SCHEMA") and said.verb == "ALTER TABLE":
            yield named[0], None


def _broken(table: Table, column: str | None, uses: Uses) -> Iterator[Query]:
    """Yield the queries that fail for the want of the name."""
    name = column or table.name
    pattern = re.compile(rf"\b{re.escape(name)}\b")
    for query in uses.of_table(table.relation, None):
        if pattern.search(query.text) and _fails_for(uses.error(query), name):
            yield query
    for report in uses.reports:
        if report.query is not None and report.error is not None and f'"{name}"' in _quoted(report.error, name):
            yield report.query


def _fails_for(error: StatementError | None, name: str) -> bool:
    return error is not None and error.sqlstate in _MISSING and name in error.message


def _quoted(message: str, name: str) -> str:
    """Return a server's message with the name in double quotes, which `column t.c does not exist` leaves out."""
    missing = re.compile(rf'(?:column|relation) (?:[\w.]+\.)?"?{re.escape(name)}"? does not exist')
    return f'"{name}"' if missing.search(message) else ""


def _breaks(seen: Seen, table: Table, column: str | None, broken: Sequence[Query], uses: Uses) -> Finding:
    subject = f"{table.full_name}.{column}" if column else table.full_name
    queries = {q.text: q for q in broken}
    ours = [q for q in queries.values() if q.calls is None]
    rate = sum(q.calls_per_second or 0.0 for q in queries.values())
    often = f", {words.number(rate)} times a second" if rate else ""
    example = next(iter(sorted(queries.values(), key=lambda q: -(q.calls or 0.0))))
    verb = "renames" if any(f.startswith(("RENAME", "SET SCHEMA")) for f in seen.step.said.forms) else "drops"
    whose = "of the change" if len(ours) == len(queries) else f"of production's workload{often}"
    what = "statement names" if len(queries) == 1 else "statements name"
    return saying.finding(
        "dropped-but-used",
        seen,
        f"it {verb} {subject}, which {words.number(len(queries))} {what} ({whose}):"
        f" {words.shortened(words.one_line(example.text), 100)}",
        Evidence(name="statements that fail", value=len(queries), source=Source.WORKLOAD),
        table=table.relation,
        about=subject,
    )
