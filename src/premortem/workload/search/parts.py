"""Solves of a program the parts that are new: those that have nothing to do with the others, and have not changed.

Five thousand queries on five hundred tables are five hundred small programs, of which an answer changes one or two.
Only what is limited for all of them together, a budget, makes them one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from premortem.workload.search.knowledge import Visible
from premortem.workload.search.program import Program, solve

_NOTHING: Visible = frozenset()


@dataclass(slots=True)
class Solver:
    """Solves programs, and remembers the parts of those that it solved.

    A part is known by its demands' atoms: the mappings themselves, so whoever makes programs hands in the same mapping
    again where nothing has changed, and never changes one.
    """

    solved: dict[object, tuple[Program, Visible]] = field(default_factory=dict)

    def solve(
        self, program: Program, *, budget: float | None = None, price: float = 0.0, start: Visible, seconds: float
    ) -> Visible | None:
        """Return the best set of indexes, None where time was up before any was found; see `program.solve`."""
        if budget is not None or program.most_upkeep is not None:
            return solve(program, budget=budget, price=price, start=start, seconds=seconds)
        parts = {_key(part, price): part for part in parted(program)}
        new = [part for key, part in parts.items() if key not in self.solved]
        found = solve(_together(new), price=price, start=start, seconds=seconds) if new else _NOTHING
        if found is None:
            return None
        for part in new:  # kept with its solution, so that no other mapping gets the identity of its atoms
            self.solved[_key(part, price)] = (part, found & part.sizes.keys())
        return frozenset(i for key in parts for i in self.solved[key][1])


def _key(part: Program, price: float) -> object:
    return (price, part.per_table, *(id(atoms) for atoms in part.atoms), *part.forbidden)


def _together(parts: Sequence[Program]) -> Program:
    """Return parts as one program: starting the solver takes longer than solving most of them."""
    return replace(
        parts[0],
        atoms=[atoms for part in parts for atoms in part.atoms],
        sizes={i: size for part in parts for i, size in part.sizes.items()},
        forbidden=[together for part in parts for together in part.forbidden],
    )


def parted(program: Program) -> Iterator[Program]:
    """Yield the parts of a program: demands that share no index, not even by a chain of others."""
    group = _Groups()
    for atoms in program.atoms:
        group.join(sorted({i for used in atoms for i in used}))
    for together in program.forbidden:
        group.join([i for i in sorted(together) if i in program.sizes])
    if program.per_table is not None:
        for table in set(program.tables.values()):
            group.join([i for i in sorted(program.sizes) if program.tables[i] == table])
    members: dict[int, list[Mapping[Visible, float]]] = {}
    for atoms in program.atoms:
        first = next((i for used in atoms for i in used), None)
        if first is not None:
            members.setdefault(group.of(first), []).append(atoms)
    indexes: dict[int, list[int]] = {}
    for index in program.sizes:
        indexes.setdefault(group.of(index), []).append(index)
    forbidden: dict[int, list[Visible]] = {}
    for together in program.forbidden:
        if together and all(i in program.sizes for i in together):
            forbidden.setdefault(group.of(min(together)), []).append(together)
    for root, demands in members.items():
        sizes = {i: program.sizes[i] for i in indexes[root]}
        yield replace(program, atoms=demands, sizes=sizes, forbidden=forbidden.get(root, ()))


class _Groups:
    """Which numbers belong together, as disjoint sets."""

    def __init__(self) -> None:
        self._above: dict[int, int] = {}

    def of(self, number: int) -> int:
        """Return the number that stands for a number's group."""
        above = self._above.setdefault(number, number)
        while above != self._above[above]:
            self._above[number] = self._above[above]
            number, above = above, self._above[above]
        return above

    def join(self, numbers: list[int]) -> None:
        """Make one group of the groups of all these."""
        for number in numbers[1:]:
            self._above[self.of(number)] = self.of(numbers[0])
