"""A query under judgement: its plans, what it asks of which tables, and when an index is worth proposing."""

from __future__ import annotations

from dataclasses import dataclass

from premortem.advisor.existing import has_keys
from premortem.advisor.proof import Bench, Trial, gain, worsened
from premortem.advisor.wants import Use, Want
from premortem.model import IndexCandidate, IndexKey, Profile, Table

#: An index that finds the rows is there already: including columns in it has to be worth it.
_WIDENING_FLOOR = 3.0
_WIDENING_GAIN = 2.0  # for each column


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When an index is worth proposing; costs are the planner's.

    A plan below `min_cost` is left alone, less so the more often the query is called; `busy` calls per second count
    as the plan being that many times dearer.  `min_gain` is how many times cheaper the worst set has to get; less of an
    expression, or of a column without statistics, of which the planner assumes half a percent of the rows until there
    are some (DEFAULT_EQ_SEL).
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
class Case:
    """A query under judgement.

    `sets` are the places of the parameter sets, without the generic plan where there are others; `real` are those that
    ask for values that exist; `guesses` among them take a pattern for an infix one where others take it for a prefix.
    `floor` is the cost from which a plan matters, `min_gain` what an index has to achieve.
    """

    bench: Bench
    wants: tuple[Want, ...]
    sets: tuple[int, ...]
    real: tuple[int, ...]
    guesses: tuple[int, ...]
    limits: Limits
    floor: float
    min_gain: float

    def table(self, candidate: IndexCandidate) -> Table:
        """Return the table that a candidate is on, a partitioned one with its partitions' sizes."""
        return self.want(candidate).table

    def want(self, candidate: IndexCandidate) -> Want:
        """Return what the query asks of the candidate's table."""
        return next(w for w in self.wants if w.relation == candidate.table)

    def is_safe(self, trial: Trial) -> bool:
        """Whether no parameter set gets worse."""
        least = max(50.0, 0.01 * max(self.bench.before[i].risk for i in self.sets))
        pairs = ((self.bench.before[i], trial.costs[i]) for i in self.sets)
        return not any(worsened(b, a, share=self.limits.max_loss, least=least) for b, a in pairs)

    def helps(self, trial: Trial) -> bool:
        """Whether a parameter set that matters gets so much cheaper that an index is worth keeping."""
        pairs = [(self.bench.before[i], trial.costs[i]) for i in self.real]
        floor, enough = self._demand(trial)
        return any(b.risk >= floor and gain(b, a) >= enough for b, a in pairs)

    def _demand(self, trial: Trial) -> tuple[float, float]:
        """Return the cost that a plan must have and the gain that it must see: more where only columns are added."""
        if all(c.include and has_keys(self.table(c), c) for c in trial.candidates):
            added = max(len(c.include) for c in trial.candidates)
            return self.floor * _WIDENING_FLOOR, self.min_gain * _WIDENING_GAIN * added
        blind = any(is_blind(k, self.want(c), self.bench.profile) for c in trial.candidates for k in c.keys)
        return self.floor, min(self.min_gain, self.limits.min_gain_of_expression) if blind else self.min_gain


#: What the planner takes to keep a two-hundredth of the rows where it has no statistics.
_GUESSED = frozenset({Use.EQUAL, Use.JOIN, Use.SOME})


def is_blind(key: IndexKey, want: Want, profile: Profile) -> bool:
    """Whether the rows that a key finds are the planner's assumption: an expression's, or a new column's."""
    if key.expression:
        return True
    columns = (t.column(key.column or "") for t in (want.table, *profile.leaves(want.table.relation)))
    if any(c.statistics for c in columns if c is not None):
        return False
    terms = (*want.terms, *(t for arms in want.arms for arm in arms for t in arm))
    return any(t.operand.column == key.column and t.use in _GUESSED for t in terms)
