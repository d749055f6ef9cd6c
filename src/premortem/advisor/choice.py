"""Which index to propose, with its proof, and why not the others.

```
choose
├── worth asking         is any parameter set's plan expensive enough, on a table large enough
├── search.trials        candidates of every relation (`proposing`), alone and together, each with its plans
├── search.settled       the cheapest over all sets, or a simpler one that is as good, without what is superfluous
└── explain              size, build time, write cost, declined, or one sentence on why nothing helps
```
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from premortem import sqltext
from premortem.advisor import owning
from premortem.advisor.building import build_time
from premortem.advisor.case import Case, Limits
from premortem.advisor.declining import declined
from premortem.advisor.existing import finds_the_same, invalid_index, replaced
from premortem.advisor.naming import names
from premortem.advisor.proof import Bench, Replan, Trial, effects, gain, score
from premortem.advisor.reading import terms_of, wants
from premortem.advisor.search import settled, trials
from premortem.advisor.selectivity import is_closed
from premortem.advisor.size import whole_size
from premortem.advisor.wants import Term, Use, Want
from premortem.model import (
    Advice,
    Declined,
    Finding,
    IndexCandidate,
    Planned,
    Profile,
    Query,
    RelationName,
    Severity,
    Table,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The indexes to create, together; what else was considered; and why nothing, where there is nothing."""

    advice: tuple[Advice, ...] = ()
    declined: tuple[Declined, ...] = ()
    says: str | None = None


def choose(
    query: Query,
    planned: tuple[Planned, ...],
    findings: Sequence[Finding],
    profile: Profile,
    replan: Replan,
    limits: Limits | None = None,
) -> Choice:
    """Return the indexes that make the query safe for every parameter set, or why no index does."""
    case = _case(query, planned, findings, profile, replan, limits or Limits())
    dearest = max((case.bench.before[i].risk for i in case.real), default=0.0)
    if dearest < case.floor:
        return Choice(says=f"the plan costs {dearest:,.0f} at most, and indexes are looked for from {case.floor:,.0f}")
    if not case.wants:
        return Choice(says="the tables that it reads are small, and reading one whole is as quick as an index")
    tried = tuple(trials(case))
    best = settled(case, tried)
    if best is None:
        return Choice(declined=declined(case.bench, tried, None, case.real), says=_why_not(case, tried))
    return _choice(case, best)


def _case(
    query: Query,
    planned: tuple[Planned, ...],
    findings: Sequence[Finding],
    profile: Profile,
    replan: Replan,
    limits: Limits,
) -> Case:
    bench = Bench.of(planned, profile, replan, limits.explains)
    sets = tuple(i for i, p in enumerate(planned) if not p.parameters.is_generic) or tuple(range(len(planned)))
    real = tuple(i for i in sets if not _is_unreal(planned[i], profile)) or sets
    found = tuple(w for w in wants(planned, profile) if _is_large(w, limits))
    calls = (query.calls_per_second or 0.0) / limits.busy
    accused = any(f.severity is Severity.ERROR for f in findings)
    return Case(
        bench=bench, guesses=_guesses(planned, real, profile), wants=found, sets=sets, real=real, limits=limits,
        floor=limits.min_cost / min(max(calls, 1.0), 20.0),
        min_gain=limits.min_gain_of_finding if accused else limits.min_gain,
    )  # fmt: skip


def _guesses(planned: tuple[Planned, ...], sets: Sequence[int], profile: Profile) -> tuple[int, ...]:
    """Return the sets that take a LIKE parameter for an infix pattern where others take it for a prefix."""
    patterns = {i: terms_of(planned[i].plan, profile, Use.PREFIX, Use.INFIX, arms=True) for i in sets}
    prefixed = {(t.operand, table.relation) for found in patterns.values() for t, table in found if t.use is Use.PREFIX}
    return tuple(
        i for i, found in patterns.items()
        if any(t.use is Use.INFIX and (t.operand, table.relation) in prefixed for t, table in found)
    )  # fmt: skip


def _is_large(want: Want, limits: Limits) -> bool:
    large = want.table.rows >= limits.min_rows and want.table.pages >= limits.min_pages
    return large and want.weight >= limits.min_weight


def _is_unreal(planned: Planned, profile: Profile) -> bool:
    """Whether a set asks for a value that a column with few values lacks: nobody will, and any index is quick."""
    if planned.parameters.name == "literal":
        return False
    return any(_asks_in_vain(term, table) for term, table in terms_of(planned.plan, profile, Use.EQUAL))


def _asks_in_vain(term: Term, table: Table) -> bool:
    column = table.column(term.operand.column) if term.operand.column else None
    statistics = column.own_statistics if column else None
    if statistics is None or not is_closed(statistics) or term.value is None:
        return False
    return term.use is Use.EQUAL and term.value not in (statistics.most_common_values or ())


def _choice(case: Case, best: Trial) -> Choice:
    found = names(best.candidates, case.bench.profile)
    others = declined(case.bench, tuple(case.bench.trials.values()), best, case.real)
    advice = tuple(_advice(case, best, c, name) for c, name in zip(best.candidates, found, strict=True))
    first, *rest = advice
    return Choice(advice=(replace(first, declined=others), *rest), declined=others)


def _advice(case: Case, trial: Trial, candidate: IndexCandidate, name: str) -> Advice:
    profile, table = case.bench.profile, case.table(candidate)
    size = whole_size(candidate, profile)
    gone = [i.name for i in replaced(candidate, table)]
    invalid = invalid_index(candidate, table)
    if invalid is not None and invalid.name not in gone:
        gone.append(invalid.name)
    return Advice(
        candidate=candidate, name=name, effects=effects(case.bench, trial), size_bytes=size.bytes,
        build_seconds=build_time(candidate, table, profile).total_seconds(),
        write_cost=owning.write_cost(candidate, table, profile),
        replaces=tuple(RelationName(schema=table.schema, name=n).sql for n in gone),
        notes=_notes(case, trial, candidate),
        covers_only=finds_the_same(candidate, table),
        statements=owning.statements(candidate, name, table, profile),
        undo_statements=owning.undo_statements(candidate, name, table),
    )  # fmt: skip


def _notes(case: Case, trial: Trial, candidate: IndexCandidate) -> tuple[str, ...]:
    return tuple(_each_note(case, trial, candidate))


def _each_note(case: Case, trial: Trial, candidate: IndexCandidate) -> Iterator[str]:
    invalid = invalid_index(candidate, case.table(candidate))
    if invalid is not None:
        yield f"{invalid.name} is the same index, left invalid by a failed build; REINDEX CONCURRENTLY mends it too"
    generic = [i for i, p in enumerate(case.bench.planned) if p.parameters.is_generic]
    for place in generic:
        if case.sets != tuple(generic) and gain(case.bench.before[place], trial.costs[place]) < 2:
            yield "the generic plan, which a prepared statement may get, gains nothing from it: see plan_cache_mode"


def _why_not(case: Case, trials: Sequence[Trial]) -> str:
    changing = [k.expression for t in trials if t.refused and "IMMUTABLE" in t.refused
                for c in t.candidates for k in c.keys if k.expression]  # fmt: skip
    if changing:
        return f"no index helps as the query is written: {_rewrite(changing[0])}"
    accepted = [t for t in trials if t.refused is None]
    if not accepted:
        return _unservable(case)
    return _too_little(case, accepted)


def _rewrite(expression: str) -> str:
    """Return what to write in place of an expression that cannot be indexed."""
    if expression.startswith("to_tsvector("):
        return f"{expression} depends on a setting; name the configuration in it, as in to_tsvector('english', …)"
    return (
        f"{expression} depends on settings such as the time zone, so it cannot be indexed; "
        "compare the bare column with a range instead"
    )


def _unservable(case: Case) -> str:
    texts = (text for p in case.bench.planned for n in p.plan.walk() for text in (n.filter, n.join_filter) if text)
    for text in texts:
        for comparison in sqltext.comparisons(sqltext.condition(text)):
            if comparison.kind is sqltext.ComparisonKind.MEMBER:
                column = comparison.left.expression
                return (
                    f"no index helps as the query is written: no index serves value = ANY ({column}); "
                    f"{column} @> ARRAY[value] is served by a GIN index on {column}"
                )
    return "no index helps: none of its conditions is one that an index could look up"


def _too_little(case: Case, accepted: Sequence[Trial]) -> str:
    if any(not case.is_safe(t) and case.helps(t) for t in accepted):
        return "no index helps without harm: the best one makes another parameter set slower"
    best = min(accepted, key=lambda t: score(t.costs, case.real))
    times = max(gain(case.bench.before[i], best.costs[i]) for i in case.real)
    if times >= case.min_gain:
        return "no index helps enough: one finds the rows already, and including more columns in it saves too little"
    if times < 1.2:
        return "no index helps: it wants so much of the table that reading all of it is quicker"
    return f"no index helps enough: the best one makes it {times:.1f} times cheaper"
