"""Which method chooses best: greedy steps against an integer program, on the same knowledge of the same workload.

    python bench/advisor/methods.py PROFILE QUERIES [--budgets 100,250,500,1000]

A search asks its questions first; then each method chooses from the same atoms, so that what differs is the method.
Greedy takes the set of indexes with the most saved time per byte, again and again, and takes back what has become
superfluous; a second one also tries to put each index left out in the place of those chosen (backtracking).  Printed
are the workload's cost by the atoms, as a part of what it is without indexes, and the seconds of choosing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from premortem import catalog, check, sources, twin, workload
from premortem.workload.search.choices import Choices
from premortem.workload.search.knowledge import Knowledge, Visible
from premortem.workload.search.merging import merged
from premortem.workload.search.program import Program, solve
from premortem.workload.search.seeding import seed

_NOTHING: Visible = frozenset()
_MERGED = 150


def known(profile: Path, queries: Sequence[str], seconds: float) -> Choices:
    """Return what a search knows of a workload before it chooses."""
    production = catalog.read(profile)
    gathered = workload.demands(sources.read(queries, stdin=sys.stdin, profile=production), production)
    with twin.open(production) as opened:
        planner = check.Planner(
            explain=opened.explain, parameter_types=opened.parameter_types, replanner=opened.replanner
        )
        outcomes = (workload.study(d, planner, production) for d in gathered.demands)
        studied = [s for s in outcomes if isinstance(s, workload.Studied)]
        knowledge = Knowledge.of(studied, opened.stock([s.demand for s in studied]), 0.05)
        choices = Choices(knowledge, lambda _: 0.0, min_share=0.0, storage=0.0)
        numbers = knowledge.stock(c for s in studied for group in s.groups for c in group)
        choices.weigh()
        ends = time.monotonic() + seconds
        seed(knowledge, numbers, choices.sizes, until=lambda: time.monotonic() > ends)
        worth = choices.worth()
        knowledge.stock(merged([knowledge.candidates[i] for i in sorted(worth, key=lambda i: -worth[i])])[:_MERGED])
        choices.weigh()
    return choices


@dataclass(slots=True)
class Greedy:
    """Chooses step by step by saved time per byte."""

    choices: Choices
    budget: int
    backtracks: bool
    atoms: list[tuple[Visible, dict[Visible, float]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        demands = range(len(self.choices.knowledge.known))
        self.atoms = [(frozenset(i for u in a for i in u), dict(a)) for a in map(self.choices.atoms, demands)]

    def chosen(self) -> Visible:
        """Return the set."""
        found = self._filled(_NOTHING)
        while self.backtracks:
            better = self._exchanged(found)
            if better is None:
                break
            found = better
        return found

    def _filled(self, chosen: Visible) -> Visible:
        moves = {used for _, atoms in self.atoms for used in atoms if used}
        while True:
            now = self.cost(chosen)
            best = max(
                ((self._density(m, chosen, now), sorted(m)) for m in moves if not m <= chosen), default=(0.0, [])
            )
            if best[0] <= 0:
                return chosen
            chosen = self._needed(chosen | frozenset(best[1]))

    def _density(self, move: Visible, chosen: Visible, now: float) -> float:
        after = chosen | move
        if self.size(after) > self.budget:
            return 0.0
        return (now - self.cost(after)) / max(self.size(move - chosen), 1)

    def _needed(self, chosen: Visible) -> Visible:
        for index in sorted(chosen, key=lambda i: -self.choices.sizes[i]):
            if self.cost(chosen - {index}) <= self.cost(chosen) * (1 + 1e-6):
                chosen = chosen - {index}
        return chosen

    def _exchanged(self, chosen: Visible) -> Visible | None:
        """Return a better set with something else in place of one or more, None where there is none."""
        now = self.cost(chosen)
        for move in sorted(
            {used for _, atoms in self.atoms for used in atoms if used and not used <= chosen}, key=sorted
        ):
            kept = set(chosen)
            for index in sorted(chosen - move, key=lambda i: self.cost(chosen - {i})):
                if self.size(frozenset(kept) | move) <= self.budget:
                    break
                kept.discard(index)
            after = frozenset(kept) | move
            if self.size(after) <= self.budget and self.cost(after) < now * (1 - 1e-4):
                return self._filled(self._needed(after))
        return None

    def size(self, chosen: Visible) -> int:
        return sum(self.choices.sizes[i] for i in chosen)

    def cost(self, chosen: Visible) -> float:
        return sum(min(c for used, c in atoms.items() if used <= chosen) for _, atoms in self.atoms)


def timed(choose: Callable[[], Visible]) -> tuple[Visible, float]:
    begun = time.perf_counter()
    found = choose()
    return found, time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", type=Path)
    parser.add_argument("queries", nargs="+")
    parser.add_argument("--budgets", default="100,250,500,1000", help="in MB")
    parser.add_argument("--seconds", type=float, default=120.0, help="for the questions")
    arguments = parser.parse_args()
    choices = known(arguments.profile, arguments.queries, arguments.seconds)
    before = choices.promised(_NOTHING)
    print(
        f"{len(choices.sizes)} candidates, {len(choices.knowledge.known)} queries, {choices.knowledge.asked} questions"
    )
    print("| budget | greedy | s | greedy, backtracking | s | integer program | s |\n|--:|--:|--:|--:|--:|--:|--:|")
    for megabytes in map(int, arguments.budgets.split(",")):
        budget = megabytes * 10**6
        program = choices.program(budget, ())

        def by_program(budget: int = budget, program: Program = program) -> Visible:
            return solve(program, budget=budget, seconds=60.0) or _NOTHING

        methods = (Greedy(choices, budget, False).chosen, Greedy(choices, budget, True).chosen, by_program)
        cells = [f"{choices.promised(s) / before:.4f} | {seconds:.2f}" for s, seconds in map(timed, methods)]
        print(f"| {megabytes} MB | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
