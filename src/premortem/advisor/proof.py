"""What a set of indexes does to every parameter set's plan, and whether that is worth having.

Two costs are judged of each plan: the planner's own, and the worst one, when nothing stops early (`plans.worst_cost`).
The first alone proposes an index on the sort column, quick for a common key, the whole table for a rare one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from premortem.advisor.risk import Costs, costs_of
from premortem.errors import StatementError
from premortem.model import Effect, IndexCandidate, Planned, Profile, RelationName

Replan = Callable[[Sequence[IndexCandidate], Sequence[RelationName]], tuple[Planned, ...]]

_NEGLIGIBLE = 60.0  # about fifteen random page reads: differences below it are noise to anybody


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Some indexes, and the plans that there would be with them; `refused` is the server's message instead."""

    candidates: tuple[IndexCandidate, ...]
    hidden: tuple[RelationName, ...] = ()
    planned: tuple[Planned, ...] = ()
    costs: tuple[Costs, ...] = ()
    used: frozenset[str] = frozenset()
    refused: str | None = None


@dataclass(slots=True)
class Bench:
    """Where candidates are tried: the plans of today, the way to ask for others, and what was asked already."""

    planned: tuple[Planned, ...]
    profile: Profile
    replan: Replan
    budget: int
    trials: dict[object, Trial] = field(default_factory=dict)
    before: tuple[Costs, ...] = ()
    known: frozenset[str] = frozenset()

    @classmethod
    def of(cls, planned: tuple[Planned, ...], profile: Profile, replan: Replan, explains: int) -> Bench:
        """Return a bench that may ask for so many plans."""
        bench = cls(planned, profile, replan, max(4, explains // max(1, len(planned))))
        bench.before = tuple(costs_of(p.plan, profile) for p in planned)
        bench.known = profile.index_names
        return bench

    @property
    def spent(self) -> bool:
        """Whether no more plans may be asked for."""
        return len(self.trials) >= self.budget

    def try_out(self, candidates: Sequence[IndexCandidate], hidden: Sequence[RelationName] = ()) -> Trial:
        """Return what the candidates do together, asking for each set once only."""
        key = (frozenset(c.definition for c in candidates), tuple(hidden))
        if key not in self.trials:
            self.trials[key] = self._ask(tuple(candidates), tuple(hidden))
        return self.trials[key]

    def _ask(self, candidates: tuple[IndexCandidate, ...], hidden: tuple[RelationName, ...]) -> Trial:
        try:
            planned = self.replan(candidates, hidden)
        except StatementError as error:
            return Trial(candidates=candidates, hidden=hidden, refused=error.message)
        used = {n.index for p in planned for n in p.plan.walk() if n.index is not None and n.index not in self.known}
        costs = tuple(costs_of(p.plan, self.profile) for p in planned)
        return Trial(candidates=candidates, hidden=hidden, planned=planned, costs=costs, used=frozenset(used))


def gain(before: Costs, after: Costs) -> float:
    """Return how many times cheaper a plan gets, by the cost that is at risk.

    >>> gain(Costs(shown=10, worst=50_000), Costs(shown=8, worst=100))
    500.0
    """
    return max(before.risk, 1.0) / max(after.risk, 1.0)


def worsened(before: Costs, after: Costs, *, share: float, least: float) -> bool:
    """Whether a plan got worse by more than the share and by more than the least."""
    shown = after.shown > before.shown * (1 + share) + least
    return shown or after.risk > before.risk * (1 + share) + least


def score(costs: Sequence[Costs], sets: Sequence[int]) -> float:
    """Return the product of the sets' costs: halving any one of them counts the same."""
    product = 1.0
    for place in sets:
        product *= max(costs[place].doubt, _NEGLIGIBLE)
    return product


def as_good(trial: Trial, best: Trial, sets: Sequence[int], *, slack: float) -> bool:
    """Whether a trial is within the slack of the best for every set."""
    pairs = [(trial.costs[i].doubt, best.costs[i].doubt) for i in sets]
    return all(mine <= theirs * slack + _NEGLIGIBLE for mine, theirs in pairs)


def effects(bench: Bench, trial: Trial) -> tuple[Effect, ...]:
    """Return before and after of every parameter set."""
    rows = zip(bench.planned, trial.planned, bench.before, trial.costs, strict=True)
    return tuple(
        Effect(
            parameters=old.parameters.name, before=old.plan, after=new.plan,
            before_cost=was.shown, after_cost=now.shown,
            before_worst=was.worst, after_worst=now.worst,
        )
        for old, new, was, now in rows
    )  # fmt: skip


def words(costs: Mapping[str, float]) -> str:
    """Return named costs as one phrase."""
    return ", ".join(f"{name} {cost:,.0f}" for name, cost in costs.items())
