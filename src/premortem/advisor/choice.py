"""Which index to propose, with its proof, and why not the others.

```
choose
├── worth asking         is any parameter set's plan expensive enough, on a table large enough
├── propose              candidates per relation, in rounds: every relation's first, then every relation's second…
├── try                  each alone; those of an OR together; the best of several relations together
├── settle               the cheapest over all sets, or a simpler one that is as good; then INCLUDE, then what is superfluous
└── explain              size, build time, write cost, declined, or one sentence on why nothing helps
```
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product, zip_longest

from premortem import sqltext
from premortem.advisor import btree, owning
from premortem.advisor.declining import declined
from premortem.advisor.existing import invalid_index, replaced, same_index
from premortem.advisor.naming import names
from premortem.advisor.operators import distance_candidate, needs_pattern_opclass, operator_candidate
from premortem.advisor.proof import Bench, Replan, Trial, as_good, effects, gain, score, worsened
from premortem.advisor.reading import constant_of, wants
from premortem.advisor.selectivity import is_closed
from premortem.advisor.size import index_size
from premortem.advisor.wants import PINS, Term, Use, Want
from premortem.model import (
    Advice,
    Declined,
    Finding,
    IndexCandidate,
    IndexKey,
    Planned,
    Profile,
    Query,
    RelationName,
    Severity,
    Table,
)


_STILL_MUCH = 300.0
_LOOKED_UP = frozenset({Use.EQUAL, Use.JOIN, Use.SOME, Use.RANGE, Use.PREFIX, Use.TRUE, Use.FALSE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When an index is worth proposing; costs are the planner's.

    A plan below `min_cost` is left alone, less so the more often the query is called; `busy` calls per second count
    as the plan being that many times dearer.  `min_gain` is how many times cheaper the worst set has to get; less of an
    expression, of which the planner assumes half a percent of the rows until there are statistics (DEFAULT_EQ_SEL).
    `max_loss` is how much dearer any other set may become.  `slack` is how much better a wider index has to be.
    """

    min_cost: float = 1_000.0
    min_rows: float = 5_000.0
    min_pages: int = 100
    min_weight: float = 0.02
    min_gain: float = 5.0
    min_gain_of_finding: float = 4.0
    min_gain_of_expression: float = 1.7
    max_loss: float = 0.05
    slack: float = 1.25
    explains: int = 240
    per_relation: int = 14
    busy: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The indexes to create, together; what else was considered; and why nothing, where there is nothing."""

    advice: tuple[Advice, ...] = ()
    declined: tuple[Declined, ...] = ()
    says: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A query under judgement."""

    bench: Bench
    wants: tuple[Want, ...]
    sets: tuple[int, ...]
    real: tuple[int, ...]
    limits: Limits
    floor: float
    min_gain: float


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
        return Choice(
            says=f"the plan is cheap as it is: at most {dearest:,.0f}, and indexes are looked for from {case.floor:,.0f}"
        )
    if not case.wants:
        return Choice(says="the tables that it reads are small, and reading one whole is as quick as an index")
    trials = tuple(_trials(case))
    best = _settled(case, trials)
    if best is None:
        return Choice(declined=declined(case.bench, trials, None, case.real), says=_why_not(case, trials))
    return _choice(case, best)


def _case(
    query: Query,
    planned: tuple[Planned, ...],
    findings: Sequence[Finding],
    profile: Profile,
    replan: Replan,
    limits: Limits,
) -> _Case:
    bench = Bench.of(planned, profile, replan, limits.explains)
    sets = tuple(i for i, p in enumerate(planned) if not p.parameters.is_generic) or tuple(range(len(planned)))
    real = tuple(i for i in sets if not _is_unreal(planned[i], profile)) or sets
    found = tuple(w for w in wants(planned, profile) if _is_large(w, limits))
    calls = (query.calls_per_second or 0.0) / limits.busy
    accused = any(f.severity is Severity.ERROR for f in findings)
    return _Case(
        bench=bench, wants=found, sets=sets, real=real, limits=limits,
        floor=limits.min_cost / min(max(calls, 1.0), 20.0), min_gain=limits.min_gain_of_finding if accused else limits.min_gain,
    )  # fmt: skip


def _is_large(want: Want, limits: Limits) -> bool:
    large = want.table.rows >= limits.min_rows and want.table.pages >= limits.min_pages
    return large and want.weight >= limits.min_weight


def _is_unreal(planned: Planned, profile: Profile) -> bool:
    """Whether a set asks for a value that a column with few values does not have: nobody will, and any index is quick."""
    if planned.parameters.name == "literal":
        return False
    return any(_asks_in_vain(term, table) for term, table in constant_of(planned.plan, profile))


def _asks_in_vain(term: Term, table: Table) -> bool:
    column = table.column(term.operand.column) if term.operand.column else None
    statistics = column.own_statistics if column else None
    if statistics is None or not is_closed(statistics) or term.value is None:
        return False
    return term.use is Use.EQUAL and term.value not in (statistics.most_common_values or ())


# candidates ------------------------------------------------------------------------------------------------------------


def proposals(want: Want, profile: Profile) -> tuple[tuple[IndexCandidate, ...], ...]:
    """Return what could be tried for one relation, best guesses first; several in one are for the arms of an OR."""
    special = [(c,) for c in _special(want, profile)]
    every = [
        *_arm_sets(want, profile),
        *special,
        *((c,) for c in _with_covering(want, btree.candidates(want, profile))),
    ]
    kept = (
        tuple(c for c in group if same_index(c, want.table) is None) for group in every if not _summarised(want, group)
    )
    return tuple(dict.fromkeys(group for group in kept if group))


def _summarised(want: Want, group: Sequence[IndexCandidate]) -> bool:
    """Whether a BRIN index finds the same rows: on a column in the order of the table it reads little more than a B-tree."""
    names = {i.keys[0].column for i in want.table.indexes if i.method == "brin" and i.valid}
    return all(c.keys[0].column in names and _correlation(want.table, c.keys[0].column) > 0.9 for c in group)


def _correlation(table: Table, name: str | None) -> float:
    column = table.column(name) if name else None
    statistics = column.own_statistics if column else None
    return abs(statistics.correlation or 0.0) if statistics else 0.0


def _special(want: Want, profile: Profile) -> Iterator[IndexCandidate]:
    """Yield the candidates of other access methods than B-tree."""
    for operand in want.distances:
        found = distance_candidate(operand, want.table)
        if found is not None:
            yield found
    for term in want.terms:
        if term.use in (Use.OPERATOR, Use.INFIX):
            made = operator_candidate(term, want.table, profile)
            if made is not None:
                yield made


def _arm_sets(want: Want, profile: Profile) -> Iterator[tuple[IndexCandidate, ...]]:
    """Yield an index for every arm of an OR, alone and after the equalities that stand beside the OR."""
    for arms in want.arms:
        common = tuple(t for t in want.terms if t.use in (Use.EQUAL, Use.JOIN, Use.TRUE, Use.FALSE))
        for shared in (common, ()) if common else ((),):
            found = [_for_arm(want, (*shared, *arm), profile) for arm in arms]
            if all(found):
                yield tuple({c.definition: c for c in found if c is not None}.values())


def _for_arm(want: Want, terms: tuple[Term, ...], profile: Profile) -> IndexCandidate | None:
    narrowed = replace(want, terms=terms, orders=(), arms=(), distances=())
    found = [*_special(narrowed, profile), *btree.candidates(narrowed, profile)]
    return next(iter(found), None)


def _with_covering(want: Want, candidates: Sequence[IndexCandidate]) -> Iterator[IndexCandidate]:
    """Yield the candidates, and where one is there already the same with what the query needs besides included."""
    for candidate in candidates:
        yield candidate
        if same_index(candidate, want.table) is not None:
            wider = covering(want, candidate)
            if wider is not None:
                yield wider


def covering(want: Want, candidate: IndexCandidate) -> IndexCandidate | None:
    """Return the candidate with the query's other columns included, None where they are many, wide or unknown."""
    held = {k.column for k in candidate.keys} | _implied_columns(want, candidate)
    if want.outputs is None or candidate.method != "btree" or any(k.column is None for k in candidate.keys):
        return None
    needed = want.outputs | (want.filtered - held)
    extra = tuple(
        c.name for c in want.table.columns if c.name in needed and c.name not in {k.column for k in candidate.keys}
    )
    width = sum(_width(want.table, name) for name in extra)
    visible = want.table.all_visible / max(1, want.table.pages)
    if not extra or len(extra) > 3 or width > 40 or visible < 0.5:
        return None
    return replace(candidate, include=extra, because=f"{candidate.because}, without visiting the table")


def _implied_columns(want: Want, candidate: IndexCandidate) -> set[str | None]:
    """Return the columns of conditions that the index's predicate answers, so that rows need not be looked at for them."""
    if candidate.predicate is None:
        return set()
    return {t.operand.column for t in want.terms if t.text and t.text in candidate.predicate}


def _width(table: Table, name: str) -> float:
    column = table.column(name)
    statistics = column.own_statistics if column else None
    return float(statistics.average_width) if statistics else 16.0


# search ----------------------------------------------------------------------------------------------------------------


def _trials(case: _Case) -> Iterator[Trial]:
    """Yield the trials of single proposals, then of the best of several relations together."""
    groups = [proposals(w, case.bench.profile)[: case.limits.per_relation] for w in case.wants]
    found: list[list[Trial]] = [[] for _ in groups]
    for turn in zip_longest(*groups):
        for place, group in enumerate(turn):
            if group is not None and not case.bench.spent:
                trial = case.bench.try_out(group)
                found[place].append(trial)
                yield trial
    for place, trials in enumerate(found):
        found[place] = [*trials, *_wider(case, case.wants[place], trials)]
    yield from (t for trials in found for t in trials)
    yield from _together(case, found)


def _wider(case: _Case, want: Want, trials: Sequence[Trial]) -> Iterator[Trial]:
    """Yield the best trials with the query's columns included, where visiting the table is what still costs."""
    single = [t for t in trials if len(t.candidates) == 1 and t.used and not t.candidates[0].include]
    partial = [t for t in single if t.candidates[0].predicate]
    for best in {id(t): t for t in (_head(case, single), _head(case, partial)) if t is not None}.values():
        made = covering(want, best.candidates[0])
        if made is not None and max(best.costs[i].risk for i in case.real) > 500:
            yield case.bench.try_out((made,))


def _together(case: _Case, found: Sequence[Sequence[Trial]]) -> Iterator[Trial]:
    """Yield the best of the relations' trials together: a join may need an index on each side."""
    heads = [_heads(case, want, trials) for want, trials in zip(case.wants, found, strict=True)]
    most = [h for h in heads if h][:3]
    for place, firsts in enumerate(most):
        for seconds in most[place + 1 :]:
            yield from (case.bench.try_out(_union(a, b)) for a, b in product(firsts, seconds) if not case.bench.spent)
    if len(most) == 3:
        yield from (case.bench.try_out(_union(*three)) for three in product(*most) if not case.bench.spent)


def _heads(case: _Case, want: Want, trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """Return the trials that may be half of an answer: the best, and the best to find rows by filter and by join."""
    fixed = {t.operand.words for t in want.terms if t.use in (Use.EQUAL, Use.SOME, Use.TRUE, Use.FALSE)}
    joined = {t.operand.words for t in want.terms if t.use is Use.JOIN}
    picked = (_head(case, trials), *(_head(case, _led_by(trials, words)) for words in (fixed, joined)))
    return tuple({t.candidates: t for t in picked if t is not None}.values())


def _led_by(trials: Sequence[Trial], words: set[str]) -> list[Trial]:
    return [t for t in trials if (t.candidates[0].keys[0].column or t.candidates[0].keys[0].expression) in words]


def _union(*trials: Trial) -> tuple[IndexCandidate, ...]:
    return tuple({c.definition: c for t in trials for c in t.candidates}.values())


def _head(case: _Case, trials: Sequence[Trial]) -> Trial | None:
    accepted = [t for t in trials if t.refused is None]
    best = min(accepted, key=lambda t: score(t.costs, case.real), default=None)
    if best is None:
        return None
    equal = [t for t in accepted if as_good(t, best, case.sets, slack=case.limits.slack)]
    return min(equal or [best], key=lambda t: _complexity(case, t))


def is_safe(case: _Case, trial: Trial) -> bool:
    """Whether no parameter set gets worse."""
    least = max(50.0, 0.01 * max(case.bench.before[i].risk for i in case.sets))
    pairs = ((case.bench.before[i], trial.costs[i]) for i in case.sets)
    return not any(worsened(b, a, share=case.limits.max_loss, least=least) for b, a in pairs)


def _helps(case: _Case, trial: Trial) -> bool:
    pairs = [(case.bench.before[i], trial.costs[i]) for i in case.real]
    blind = any(k.expression for c in trial.candidates for k in c.keys)
    enough = min(case.min_gain, case.limits.min_gain_of_expression) if blind else case.min_gain
    return any(b.risk >= case.floor and gain(b, a) >= enough for b, a in pairs)


def _settled(case: _Case, trials: Sequence[Trial]) -> Trial | None:
    """Return the trial to propose: the cheapest, or the simplest of those that are as good."""
    usable = [t for t in trials if t.refused is None and t.used and is_safe(case, t) and _helps(case, t)]
    if not usable:
        return None
    best = min(usable, key=lambda t: score(t.costs, case.real))
    return _covered(case, _pruned(case, _simplest(case, usable, best)))


def _simplest(case: _Case, usable: Sequence[Trial], best: Trial) -> Trial:
    """Return the simplest trial that is as good as the best one.

    Where that still reads much, one that answers more of the query's conditions is preferred: what a filter has to throw
    away is only as little as the chosen values make it.
    """
    reads_much = max(best.costs[i].doubt for i in case.real) > _STILL_MUCH
    served = {id(t): _served(case, t) for t in usable}
    slack = {id(t): 2.0 if reads_much and served[id(t)] > served[id(best)] else case.limits.slack for t in usable}
    equal = [t for t in usable if as_good(t, best, case.sets, slack=slack[id(t)])] or [best]
    fullest = max(served[id(t)] for t in equal) if reads_much else 0
    return min((t for t in equal if served[id(t)] >= fullest), key=lambda t: _complexity(case, t))


def _served(case: _Case, trial: Trial) -> int:
    """Return how many of the query's equalities and ranges the trial's indexes hold."""
    return sum(_held(candidate, want, case.bench.profile) for want in case.wants for candidate in trial.candidates
               if candidate.table == want.relation)  # fmt: skip


def _held(candidate: IndexCandidate, want: Want, profile: Profile) -> int:
    columns = {k.column or k.expression: k for k in candidate.keys}
    terms = [t for t in want.terms if t.use in _LOOKED_UP]
    found = {
        t.operand for t in terms if t.operand.words in columns and _fits(t, columns[t.operand.words], want, profile)
    }
    return len(found | {t.operand for t in terms if candidate.predicate and t.text and t.text in candidate.predicate})


def _fits(term: Term, key: IndexKey, want: Want, profile: Profile) -> bool:
    """Whether a key serves the condition: a pattern may need an operator class of its own."""
    plain = term.use is not Use.PREFIX or not needs_pattern_opclass(term.operand, want.table, profile)
    return plain or key.opclass is not None


def _complexity(case: _Case, trial: Trial) -> tuple[float, float]:
    keys = sum(_effort(c, case) for c in trial.candidates)
    sorts = 1.2 if any(_sorts_for_limit(p) for p in trial.planned) else 0.0
    return keys + sorts, sum(index_size(c, _table(case, c)).bytes for c in trial.candidates)


def _sorts_for_limit(planned: Planned) -> bool:
    """Whether rows are sorted to return the first few: that grows with the rows, where an index's order would not."""
    nodes = planned.plan.walk()
    return any("Sort" in n.kind and any(a.kind == "Limit" for a in planned.plan.ancestors(n.path)) for n in nodes)


def _effort(candidate: IndexCandidate, case: _Case) -> float:
    """Return what an index asks of those who keep it, in keys; one that replaces another asks for little more."""
    want = next(w for w in case.wants if w.relation == candidate.table)
    special = 0.0 if candidate.method == "btree" else 1.0
    expressions = sum(0.5 for k in candidate.keys if k.expression)
    partial = 0.3 if candidate.predicate else 0.0
    spared = 1.2 if replaced(candidate, want.table) else 0.0
    gamble = 0.7 if _leads_with_no_equality(candidate, want) else 0.0
    columns = len(candidate.keys) + 0.5 * len(candidate.include)
    return 0.5 + columns + special + expressions + partial + gamble - spared


def _leads_with_no_equality(candidate: IndexCandidate, want: Want) -> bool:
    """Whether the query fixes a value that the index does not start with: it reads a range of everybody's rows."""
    fixed = {t.operand.words for t in want.terms if t.use in PINS}
    first = candidate.keys[0]
    return bool(fixed) and (first.column or first.expression) not in fixed and candidate.predicate is None


def _pruned(case: _Case, trial: Trial) -> Trial:
    """Return the trial without the indexes that it does as well without."""
    for candidate in trial.candidates:
        rest = tuple(c for c in trial.candidates if c is not candidate)
        if not rest:
            break
        less = case.bench.try_out(rest)
        if less.refused is None and is_safe(case, less) and as_good(less, trial, case.sets, slack=2.0):
            return _pruned(case, less)
    return trial


def _covered(case: _Case, trial: Trial) -> Trial:
    """Return the trial with columns included, where visiting the table is what still costs."""
    for candidate in trial.candidates:
        want = next((w for w in case.wants if w.relation == candidate.table), None)
        wider = covering(want, candidate) if want is not None else None
        if wider is None or max(trial.costs[i].risk for i in case.real) < 500:
            continue
        others = tuple(wider if c is candidate else c for c in trial.candidates)
        tried = case.bench.try_out(others)
        pairs = [(trial.costs[i], tried.costs[i]) for i in case.real] if tried.refused is None else []
        if any(b.risk > 500 and gain(b, a) >= 4 for b, a in pairs):
            return tried
    return trial


# the answer --------------------------------------------------------------------------------------------------------------


def _table(case: _Case, candidate: IndexCandidate) -> Table:
    return next(w.table for w in case.wants if w.relation == candidate.table)


def _choice(case: _Case, best: Trial) -> Choice:
    found = names(best.candidates, case.bench.profile)
    others = declined(case.bench, tuple(case.bench.trials.values()), best, case.real)
    advice = tuple(_advice(case, best, c, name) for c, name in zip(best.candidates, found, strict=True))
    first, *rest = advice
    return Choice(advice=(replace(first, declined=others), *rest), declined=others)


def _advice(case: _Case, trial: Trial, candidate: IndexCandidate, name: str) -> Advice:
    profile, table = case.bench.profile, _table(case, candidate)
    size = index_size(candidate, table)
    gone = [i.name for i in replaced(candidate, table)]
    invalid = invalid_index(candidate, table)
    if invalid is not None:
        gone.append(invalid.name)
    return Advice(
        candidate=candidate, name=name, effects=effects(case.bench, trial), size_bytes=size.bytes,
        build_seconds=owning.build_seconds(candidate, table, size), write_cost=owning.write_cost(candidate, table, profile),
        replaces=tuple(RelationName(schema=table.schema, name=n).sql for n in gone), notes=_notes(case, trial, candidate),
        statements=owning.statements(candidate, name, table, profile),
        undo_statements=owning.undo_statements(candidate, name, table),
    )  # fmt: skip


def _notes(case: _Case, trial: Trial, candidate: IndexCandidate) -> tuple[str, ...]:
    return tuple(_each_note(case, trial, candidate))


def _each_note(case: _Case, trial: Trial, candidate: IndexCandidate) -> Iterator[str]:
    invalid = invalid_index(candidate, _table(case, candidate))
    if invalid is not None:
        yield f"{invalid.name} is the same index, left invalid by a failed build; REINDEX INDEX CONCURRENTLY would mend it too"
    generic = [i for i, p in enumerate(case.bench.planned) if p.parameters.is_generic]
    for place in generic:
        if case.sets != tuple(generic) and gain(case.bench.before[place], trial.costs[place]) < 2:
            yield "a generic plan, which a prepared statement may get after five runs, does not use it: see plan_cache_mode"


def _why_not(case: _Case, trials: Sequence[Trial]) -> str:
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


def _unservable(case: _Case) -> str:
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


def _too_little(case: _Case, accepted: Sequence[Trial]) -> str:
    if any(not is_safe(case, t) and _helps(case, t) for t in accepted):
        return "no index helps without harm: the best one makes another parameter set slower"
    best = min(accepted, key=lambda t: score(t.costs, case.real))
    times = max(gain(case.bench.before[i], best.costs[i]) for i in case.real)
    if times < 1.2:
        return "no index helps: it wants so much of the table that reading all of it is quicker"
    return f"no index helps enough: the best one makes it {times:.1f} times cheaper"
