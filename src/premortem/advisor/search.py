"""Which candidates are tried together and in which order, and which of the trials is the one to propose.

The planner is asked for each candidate alone, in rounds over the relations; then for the best of several relations
together, since a join may need an index on each side.  Of what helps and harms nobody the cheapest is found, and then
the simplest that is as good.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product, zip_longest

from premortem.advisor.case import Case
from premortem.advisor.constants import Said, is_of_values
from premortem.advisor.covering import covering
from premortem.advisor.existing import replaced
from premortem.advisor.operators import needs_pattern_opclass
from premortem.advisor.proof import Trial, as_good, gain, score
from premortem.advisor.proposing import proposals
from premortem.advisor.risk import Costs
from premortem.advisor.size import whole_size
from premortem.advisor.wants import PINS, Term, Use, Want
from premortem.model import IndexCandidate, IndexKey, Planned, Profile

_STILL_MUCH = 300.0
_WORTH_COVERING = 1500.0
_LOOKED_UP = frozenset({Use.EQUAL, Use.JOIN, Use.SOME, Use.RANGE, Use.PREFIX, Use.TRUE, Use.FALSE})


def trials(case: Case) -> Iterator[Trial]:
    """Yield the trials of single proposals, then of the best of several relations together."""
    groups = [_own(case, proposals(w, case.bench.profile))[: case.limits.per_relation] for w in case.wants]
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


def _own(case: Case, proposed: Sequence[tuple[IndexCandidate, ...]]) -> list[tuple[IndexCandidate, ...]]:
    """Return what is of the query's own words, and not of the values that it was planned with."""
    said = Said(case.bench.planned)
    return [group for group in proposed if not any(is_of_values(c, said) for c in group)]


def _wider(case: Case, want: Want, trials: Sequence[Trial]) -> Iterator[Trial]:
    """Yield the best trials with the query's columns included, where visiting the table is what still costs."""
    single = [t for t in trials if len(t.candidates) == 1 and t.used and not t.candidates[0].include]
    partial = [t for t in single if t.candidates[0].predicate]
    for best in {id(t): t for t in (_head(case, single), _head(case, partial)) if t is not None}.values():
        made = covering(want, best.candidates[0])
        if made is not None and max(best.costs[i].risk for i in case.real) > 500:
            yield case.bench.try_out((made,))


def _together(case: Case, found: Sequence[Sequence[Trial]]) -> Iterator[Trial]:
    """Yield the best of the relations' trials together: a join may need an index on each side."""
    heads = [_heads(case, want, trials) for want, trials in zip(case.wants, found, strict=True)]
    most = [h for h in heads if h][:3]
    for place, firsts in enumerate(most):
        for seconds in most[place + 1 :]:
            yield from (case.bench.try_out(_union(a, b)) for a, b in product(firsts, seconds) if not case.bench.spent)
    if len(most) == 3:
        yield from (case.bench.try_out(_union(*three)) for three in product(*most) if not case.bench.spent)


def _heads(case: Case, want: Want, trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """Return the trials that may be half of an answer: the best, and the best to find rows by filter and by join."""
    fixed = {t.operand.words for t in want.terms if t.use in (Use.EQUAL, Use.SOME, Use.TRUE, Use.FALSE)}
    joined = {t.operand.words for t in want.terms if t.use is Use.JOIN}
    picked = (_head(case, trials), *(_head(case, _led_by(trials, words)) for words in (fixed, joined)))
    return tuple({t.candidates: t for t in picked if t is not None}.values())


def _led_by(trials: Sequence[Trial], words: set[str]) -> list[Trial]:
    return [t for t in trials if (t.candidates[0].keys[0].column or t.candidates[0].keys[0].expression) in words]


def _union(*trials: Trial) -> tuple[IndexCandidate, ...]:
    return tuple({c.definition: c for t in trials for c in t.candidates}.values())


def _head(case: Case, trials: Sequence[Trial]) -> Trial | None:
    accepted = [t for t in trials if t.refused is None]
    best = min(accepted, key=lambda t: score(t.costs, case.real), default=None)
    if best is None:
        return None
    equal = [t for t in accepted if as_good(t, best, case.sets, slack=case.limits.slack)]
    return min(equal or [best], key=lambda t: _complexity(case, t))


def settled(case: Case, trials: Sequence[Trial]) -> Trial | None:
    """Return the trial to propose: the cheapest, or the simplest of those that are as good."""
    usable = [t for t in trials if t.refused is None and t.used and case.is_safe(t) and case.helps(t)]
    if not usable:
        return None
    decisive = _decisive(case, usable)
    best = min(usable, key=lambda t: score(t.costs, decisive))
    return _covered(case, _pruned(case, _simplest(case, usable, best, decisive)))


def _decisive(case: Case, usable: Sequence[Trial]) -> tuple[int, ...]:
    """Return the parameter sets that decide: not those that guess at a pattern's kind, unless an index helps them."""
    helped = {i: max(gain(case.bench.before[i], t.costs[i]) for t in usable) for i in case.real}
    decisive = (i for i, times in helped.items() if i not in case.guesses or times >= case.min_gain)
    return tuple(decisive) or case.real


def _simplest(case: Case, usable: Sequence[Trial], best: Trial, sets: Sequence[int]) -> Trial:
    """Return the simplest trial that is as good as the best one for those parameter sets.

    Where that still reads much, one that answers more of the query's conditions is preferred: what a filter has to
    throw away is only as little as the chosen values make it.
    """
    reads_much = max(best.costs[i].doubt for i in sets) > _STILL_MUCH
    served = {id(t): _served(case, t) for t in usable}
    slack = {id(t): 2.0 if reads_much and served[id(t)] > served[id(best)] else case.limits.slack for t in usable}
    equal = [t for t in usable if as_good(t, best, sets, slack=slack[id(t)])] or [best]
    fullest = max(served[id(t)] for t in equal) if reads_much else 0
    return min((t for t in equal if served[id(t)] >= fullest), key=lambda t: _complexity(case, t))


def _served(case: Case, trial: Trial) -> int:
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


def _complexity(case: Case, trial: Trial) -> tuple[float, float]:
    keys = sum(_effort(c, case) for c in trial.candidates)
    sorts = 1.2 if any(_sorts_for_limit(p) for p in trial.planned) else 0.0
    return keys + sorts, sum(whole_size(c, case.bench.profile).bytes for c in trial.candidates)


def _sorts_for_limit(planned: Planned) -> bool:
    """Whether rows are sorted to return the first few: that grows with the rows, where an index's order would not."""
    nodes = planned.plan.walk()
    return any("Sort" in n.kind and any(a.kind == "Limit" for a in planned.plan.ancestors(n.path)) for n in nodes)


def _effort(candidate: IndexCandidate, case: Case) -> float:
    """Return what an index asks of those who keep it, in keys; one that replaces another asks for little more."""
    want = case.want(candidate)
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


def _pruned(case: Case, trial: Trial) -> Trial:
    """Return the trial without the indexes that it does as well without."""
    for candidate in trial.candidates:
        rest = tuple(c for c in trial.candidates if c is not candidate)
        if not rest:
            break
        less = case.bench.try_out(rest)
        if less.refused is None and case.is_safe(less) and as_good(less, trial, case.sets, slack=2.0):
            return _pruned(case, less)
    return trial


def _covered(case: Case, trial: Trial) -> Trial:
    """Return the trial with columns included, where visiting the table is what still costs."""
    for candidate in trial.candidates:
        wider = covering(case.want(candidate), candidate)
        if wider is None or max(trial.costs[i].risk for i in case.real) < _WORTH_COVERING:
            continue
        others = tuple(wider if c is candidate else c for c in trial.candidates)
        tried = case.bench.try_out(others)
        pairs = [(trial.costs[i], tried.costs[i]) for i in case.real] if tried.refused is None else []
        if pairs and case.is_safe(tried) and any(_pays(case, b, a) for b, a in pairs):
            return tried
    return trial


def _pays(case: Case, narrow: Costs, wide: Costs) -> bool:
    """Whether included columns save enough in one parameter set."""
    return narrow.risk > _WORTH_COVERING and gain(narrow, wide) >= case.min_gain
