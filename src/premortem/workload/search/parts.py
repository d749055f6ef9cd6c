"""Solves of a program the parts that are new: those that have nothing to do with the others, and have not changed.

Five thousand queries on five hundred tables are five hundred small programs, of which an answer changes one or two.
Only what is limited for all of them together, a budget, makes them one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from premortem.workload.search.knowledge import Visible
from premortem.workload.search.program import Program, relaxed, solve

_NOTHING: Visible = frozenset()
_ALL_OR_NOTHING = 1e-6


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
        if len(new) > 1:
            new = self._relaxed(new, price, seconds)
        found = solve(_together(new), price=price, start=start, seconds=seconds) if new else _NOTHING
        if found is None:
            return None
        for part in new:
            self._keep(part, price, found)
        return frozenset(i for key in parts for i in self.solved[key][1])

    def _relaxed(self, parts: Sequence[Program], price: float, seconds: float) -> list[Program]:
        """Solve the parts in which no index is had in part where it could be, and return the others: a few."""
        values = relaxed(_together(parts), price=price, seconds=seconds)
        if values is None:
            return list(parts)
        some = {i for i, value in values.items() if _ALL_OR_NOTHING < value < 1 - _ALL_OR_NOTHING}
        found = frozenset(i for i, value in values.items() if value > 0.5)
        for part in parts:
            if not some & part.sizes.keys():
                self._keep(part, price, found)
        return [part for part in parts if some & part.sizes.keys()]

    def _keep(self, part: Program, price: float, found: Visible) -> None:
        """Remember a part's solution, and the part with it, so that no other mapping gets its atoms' identity."""
        self.solved[_key(part, price)] = (part, found & part.sizes.keys())


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
