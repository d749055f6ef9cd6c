"""Why the other candidates are not proposed, in plain words and with the costs that decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from premortem.advisor.proof import Bench, Trial, gain, worsened
from premortem.model import Declined

_MOST = 6


def declined(bench: Bench, trials: Iterable[Trial], chosen: Trial | None, sets: Sequence[int]) -> tuple[Declined, ...]:
    """Return the most telling of the candidates that were tried and left, harmful ones first."""
    rejected = [t for t in trials if chosen is None or t.candidates != chosen.candidates]
    reasons = [(rank, Declined(candidate=t.candidates[0], reason=says)) for t in rejected if len(t.candidates) == 1
               for rank, says in _reason(bench, t, chosen, sets)]  # fmt: skip
    ordered = [found for _, found in sorted(reasons, key=lambda r: r[0])]
    return tuple({d.candidate.definition: d for d in reversed(ordered[:_MOST])}.values())[::-1]


def _reason(bench: Bench, trial: Trial, chosen: Trial | None, sets: Sequence[int]) -> Iterator[tuple[int, str]]:
    if trial.refused is not None:
        yield 1, f"PostgreSQL refuses it: {trial.refused}"
        return
    if not trial.used:
        yield 4, "the planner would not use it for any parameter set"
        return
    for place in sets:
        before, after, name = bench.before[place], trial.costs[place], bench.planned[place].parameters.name
        if worsened(before, after, share=0.05, least=50.0):
            yield 0, f"makes the {name} values worse: {before.risk:,.0f} → {after.risk:,.0f} when nothing stops early"
            return
    yield _comparison(bench, trial, chosen, sets)


def _comparison(bench: Bench, trial: Trial, chosen: Trial | None, sets: Sequence[int]) -> tuple[int, str]:
    if chosen is None:
        place = max(sets, key=lambda i: gain(bench.before[i], trial.costs[i]))
        before, after = bench.before[place].risk, trial.costs[place].risk
        return (
            3,
            f"gains too little: {before:,.0f} → {after:,.0f} for the {bench.planned[place].parameters.name} values",
        )
    place = max(sets, key=lambda i: trial.costs[i].risk / max(1.0, chosen.costs[i].risk))
    mine, theirs = trial.costs[place].risk, chosen.costs[place].risk
    name = bench.planned[place].parameters.name
    if mine > theirs * 1.25:
        return 2, f"still costs {mine:,.0f} for the {name} values, against {theirs:,.0f}"
    return 5, f"is no better ({mine:,.0f} against {theirs:,.0f} for the {name} values) and costs more to keep"
