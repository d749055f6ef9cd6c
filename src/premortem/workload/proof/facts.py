"""What an execution says of an estimate: whether a query got slower, and whether the planner promised too much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from premortem import words
from premortem.model import Answer, Comparison, Run
from premortem.workload.proof.measuring import Noise, Outcome, outcome, ratio, saved, times
from premortem.workload.studied import Studied

#: Indexes by what CREATE INDEX says of them: numbers differ from one search to the next.
Definitions = frozenset[str]

#: A promise counts from a tenth of the cost on, and is broken when less than half of it is kept.
_WORTH, _KEPT = 0.1, 0.5
#: A promise of so little time is not worth an argument.
_LEAST_MS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What execution says of a demand whose plans use some indexes.

    All tuples have an item for each of its sets of values: the comparison, None where the set could not be executed (as
    the generic plan, which has no values); what became of it; what the planner thought is left of the cost; what is
    left of it by execution, None where unknown: of time or blocks, whichever is less, and of time alone where it is
    slower, or better than planned.  `sampled` are comparisons with
    values of the mirror's own rows: they may show that it got slower, and stand in where there are no other values.
    `is_lie` says that the planner promised too much, `is_better` that it promised too little; either way the plans are
    not to be costed by the planner.  `refusal` is the mirror's, where it refused the query.
    """

    demand: int
    used: Definitions
    comparisons: tuple[Comparison | None, ...]
    outcomes: tuple[Outcome, ...]
    estimated: tuple[float, ...]
    left: tuple[float | None, ...]
    sampled: tuple[Comparison, ...] = ()
    worst_sample: float | None = None
    is_lie: bool = False
    is_better: bool = False
    refusal: str = ""

    @property
    def is_slower(self) -> bool:
        """Whether a set got slower."""
        return Outcome.SLOWER in self.outcomes or self.worst_sample is not None

    @property
    def is_whole(self) -> bool:
        """Whether every set of values was executed and came to an end on one side at least."""
        return all(c is not None for c in self.comparisons) and Outcome.UNKNOWN not in self.outcomes

    @property
    def is_executed(self) -> bool:
        """Whether it is whole, but for sets without values where the mirror's own stand in."""
        without = [o for c, o in zip(self.comparisons, self.outcomes, strict=True) if c is not None]
        return not self.refusal and Outcome.UNKNOWN not in without and bool(without or self.sampled)


Facts = dict[tuple[int, Definitions], Fact]


def fact(
    demand: int,
    used: Definitions,
    studied: Studied,
    answer: Answer,
    comparisons: Sequence[Comparison | None],
    noise: Noise,
    *,
    whole: bool,
    sampled: Sequence[Comparison] = (),
    refusal: str = "",
) -> Fact:
    """Return what the comparisons say of the planner's answer; those that were sampled may have made it slower, too.

    `whole` says that the mirror's tables are as large as production's: a smaller one breaks no promise.
    """
    outcomes = tuple(Outcome.UNKNOWN if c is None else outcome(c, noise) for c in comparisons)
    estimated = _estimated(studied.before, answer)
    spared = tuple(None if c is None else saved(c) for c in comparisons)
    times_left = tuple(None if c is None else ratio(c) for c in comparisons)
    losses = [ratio(c) or 1.0 for c in sampled if outcome(c, noise) is Outcome.SLOWER]
    slower = Outcome.SLOWER in outcomes or bool(losses)
    weighed = partial(_Weighed.of, studied.demand.shares, estimated, comparisons)
    broken = whole and weighed(spared).is_broken
    better = whole and not slower and weighed(times_left).is_surpassed
    return Fact(
        demand=demand, used=used, comparisons=tuple(comparisons), outcomes=outcomes, estimated=estimated,
        left=tuple(
            t if better or o is Outcome.SLOWER else s for s, t, o in zip(spared, times_left, outcomes, strict=True)
        ),
        sampled=tuple(sampled), worst_sample=max(losses, default=None), refusal=refusal,
        is_lie=slower or broken, is_better=better,
    )  # fmt: skip


def _estimated(before: Answer, after: Answer) -> tuple[float, ...]:
    pairs = zip(before.shown, after.shown, strict=True)
    return tuple(new / max(old, 0.01) for old, new in pairs)


@dataclass(frozen=True, slots=True)
class _Weighed:
    """What the planner promised to spare of an average call, what was spared, and milliseconds of a call today."""

    promise: float
    kept: float
    call_ms: float

    @classmethod
    def of(
        cls,
        shares: Sequence[float],
        estimated: Sequence[float],
        comparisons: Sequence[Comparison | None],
        left: Sequence[float | None],
    ) -> _Weighed:
        """Return the sums over the sets that were executed and came to an end before."""
        rows = [
            (share * _before_ms(c), e, m)
            for share, e, m, c in zip(shares, estimated, left, comparisons, strict=True)
            if c is not None and m is not None and c.before.finished
        ]
        total = sum(weight for weight, _, _ in rows)
        whole = total or 1.0
        return cls(
            sum(weight * (1 - e) for weight, e, _ in rows) / whole,
            sum(weight * (1 - m) for weight, _, m in rows) / whole,
            total,
        )

    @property
    def is_broken(self) -> bool:
        """Whether less than half of a promise that counts was kept."""
        return self.promise >= _WORTH and self.kept < _KEPT * self.promise and -self._surplus_ms > _LEAST_MS

    @property
    def is_surpassed(self) -> bool:
        """Whether a part of the time was spared that nobody had promised."""
        return self.kept - self.promise >= _WORTH and self._surplus_ms > _LEAST_MS

    @property
    def _surplus_ms(self) -> float:
        return (self.kept - self.promise) * self.call_ms


def _before_ms(comparison: Comparison) -> float:
    return times(comparison.before, comparison.after or comparison.before)[0]


def corrected(answer: Answer, before: Answer, found: Fact) -> Answer:
    """Return the answer with costs as execution found them; sets that were not executed fare as the worst that was.

    Where values of the mirror's own rows got slower, all do: nobody knows whose calls these are.

    >>> told = Answer(shown=(1.0, 2.0), risk=(1.0, 2.0))
    >>> found = Fact(demand=0, used=frozenset("a"), comparisons=(None, None), outcomes=(Outcome.SLOWER,
    ...              Outcome.UNKNOWN), estimated=(0.1, 0.2), left=(3.0, None), is_lie=True)
    >>> corrected(told, Answer(shown=(10.0, 10.0), risk=(20.0, 10.0)), found).shown
    (30.0, 30.0)
    """
    known = [left for left in found.left if left is not None]
    worst = max([*known, *([found.worst_sample] if found.worst_sample is not None else [])], default=1.0)
    factors = [worst if left is None or found.worst_sample is not None else left for left in found.left]
    return Answer(
        shown=tuple(old * f for old, f in zip(before.shown, factors, strict=True)),
        risk=tuple(old * f for old, f in zip(before.risk, factors, strict=True)),
        used=answer.used, kept=answer.kept,
    )  # fmt: skip


def excess(found: Fact) -> float:
    """Return how many times more was left than the planner thought, in the set that it was least wrong about."""
    return max(1.0, min(_of_estimate(found), default=1.0))


def surplus(found: Fact) -> float:
    """Return what part of the estimate was left, in the set that the planner was least wrong about."""
    return min(1.0, max(_of_estimate(found), default=1.0))


def _of_estimate(found: Fact) -> Iterator[float]:
    """Yield what was left by what the planner thought, for each set of which that is known."""
    return (left / max(e, 0.01) for left, e in zip(found.left, found.estimated, strict=True) if left is not None)


def scaled(answer: Answer, factor: float) -> Answer:
    """Return the answer with all costs multiplied.

    >>> scaled(Answer(shown=(1.0,), risk=(2.0,)), 3.0)
    Answer(shown=(3.0,), risk=(6.0,), used=frozenset(), kept=frozenset())
    """
    shown, risk = (tuple(cost * factor for cost in costs) for costs in (answer.shown, answer.risk))
    return replace(answer, shown=shown, risk=risk)


def doubted(answer: Answer, before: Answer, factor: float) -> Answer:
    """Return the answer with all costs multiplied, none for that above today's: who promised nothing broke nothing.

    >>> doubted(Answer(shown=(30.0, 90.0), risk=(30.0, 120.0)), Answer(shown=(100.0, 100.0), risk=(100.0, 100.0)), 2.0)
    Answer(shown=(60.0, 100.0), risk=(60.0, 120.0), used=frozenset(), kept=frozenset())
    """
    shown, risk = (
        tuple(max(cost, min(cost * factor, today)) for cost, today in zip(costs, todays, strict=True))
        for costs, todays in ((answer.shown, before.shown), (answer.risk, before.risk))
    )
    return replace(answer, shown=shown, risk=risk)


def sentence(found: Fact, studied: Studied) -> str:
    """Return what the planner thought and what came of it, told by the set that fares worst."""
    executed = [(c, e) for c, e in zip(found.comparisons, found.estimated, strict=True) if c]
    usual = max(found.estimated)
    told = executed if Outcome.SLOWER in found.outcomes or not found.sampled else [(c, usual) for c in found.sampled]
    comparison, estimate = max(told or executed, key=lambda t: ratio(t[0]) or 0.0)
    values = "" if comparison.parameters.name == "literal" else f" with the {comparison.parameters.name} values"
    query = studied.demand.query.site
    came = "it got slower" if found.is_slower else "it takes"
    share = words.percent(estimate)
    indexes = words.listing(sorted(found.used))
    return (
        f"with {indexes}, {query}{values} was to cost {share} of what it does; executed, {came}: {compared(comparison)}"
    )


def compared(comparison: Comparison) -> str:
    """Return both sides' figures: time and blocks."""
    after = comparison.after
    if after is None:
        return f"{_figures(comparison.before)} as before, for the mirror's planner does not use it"
    if comparison.before.finished and after.finished:
        old, new = times(comparison.before, after)
        return f"{_side(old, comparison.before)} → {_side(new, after)}"
    return f"{_figures(comparison.before)} → {_figures(after)}"


def _figures(run: Run) -> str:
    return _side(run.ms, run) if run.finished else f"not finished within {words.duration(run.ms / 1000)}"


def _side(milliseconds: float, run: Run) -> str:
    return f"{words.duration(milliseconds / 1000)}, {words.plural(run.blocks, 'block')}"
