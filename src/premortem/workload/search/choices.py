"""What a set of indexes can be made of: each candidate's size and price, and what each demand could do with which.

An index has a *charge*, in milliseconds a day: what writing it costs, and what it has to save to be worth having.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import permutations

from premortem.advisor import whole_size
from premortem.model import IndexCandidate, Profile, RelationName
from premortem.workload.search.knowledge import Knowledge, Known, Visible
from premortem.workload.search.merging import covers, serves
from premortem.workload.search.program import Program

#: An atom that is believed to cost as much as another one, give or take: a longer index reads a little more.
CLOSE = 0.005
_NOISE = 0.002
_PAGE = 8192
_PROMISING = 8
_STAND_INS = 4


@dataclass(slots=True)
class Choices:
    """The candidates with their sizes in bytes, upkeep and charges in milliseconds a day, and stand-ins.

    `joined` are candidates that were made for several demands, and that no demand asked for by itself.  `superfluous`
    are pairs of which one does all that the other does.
    """

    knowledge: Knowledge
    upkeep_of: Callable[[IndexCandidate], float]
    min_share: float
    storage: float
    sizes: dict[int, int] = field(default_factory=dict)
    upkeep: dict[int, float] = field(default_factory=dict)
    charges: dict[int, float] = field(default_factory=dict)
    wider: dict[int, tuple[int, ...]] = field(default_factory=dict)
    joined: set[int] = field(default_factory=set)
    superfluous: set[Visible] = field(default_factory=set)
    _atoms: dict[int, tuple[int, Mapping[Visible, float]]] = field(default_factory=dict)

    def weigh(self) -> None:
        """Work out what is not known yet of candidates that are new, and what depends on the answers so far."""
        profile = self.knowledge.world.profile
        for number in sorted(self.knowledge.usable - self.sizes.keys()):
            candidate = self.knowledge.candidates[number]
            self.sizes[number] = whole_size(candidate, profile).bytes
            self.upkeep[number] = self.upkeep_of(candidate)
        self._atoms.clear()
        self._charge()
        self._relate()

    def _charge(self) -> None:
        """Set what each index has to earn: its upkeep, a share of its table's time, and the price of its bytes."""
        profile = self.knowledge.world.profile
        times = self._times()
        tables = {table for known in self.knowledge.known for table in known.studied.keys}
        whole = max(sum(_bytes(t, profile) for t in tables), _PAGE)
        price = self.storage * sum(map(_counted, self.knowledge.known)) / whole
        for number, size in self.sizes.items():
            least = self.min_share * times.get(self.knowledge.candidates[number].table, 0.0)
            self.charges[number] = self.upkeep[number] + least + price * size

    def _times(self) -> dict[RelationName, float]:
        """Return the time a day of each table's queries."""
        spent: dict[RelationName, float] = {}
        for known in self.knowledge.known:
            for table in known.studied.keys:
                spent[table] = spent.get(table, 0.0) + _counted(known)
        return spent

    def _relate(self) -> None:
        """Find which candidates could stand in for which: the smallest of those that serve whoever asked for one."""
        self._find_superfluous()
        candidates, worth = self.knowledge.candidates, self.worth()
        led: dict[object, list[int]] = {}
        for number in sorted(n for n in self.sizes if n in worth or n in self.joined):
            led.setdefault((candidates[number].table, candidates[number].keys[0]), []).append(number)
        for short in self.sizes:
            one = candidates[short]
            firsts = dict.fromkeys(one.keys[: max(1, one.interchangeable)])
            others = (n for key in firsts for n in led.get((one.table, key), ()) if n != short)
            longer = sorted((n for n in others if serves(candidates[n], one)), key=lambda n: self.sizes[n])
            self.wider[short] = tuple(longer[:_STAND_INS])

    def _find_superfluous(self) -> None:
        """Find the pairs of which nobody should have both: the one begins with all that the other is."""
        led: dict[object, list[int]] = {}
        for number in sorted(self.sizes):
            one = self.knowledge.candidates[number]
            led.setdefault((one.table, one.keys[0]), []).append(number)
        pairs = (pair for numbers in led.values() for pair in permutations(numbers, 2))
        some = self.knowledge.candidates
        self.superfluous = {frozenset((n, m)) for n, m in pairs if covers(some[n], some[m])}

    def worth(self) -> dict[int, float]:
        """Return the candidates that plans use, with what the demands that use them save at most."""
        found: dict[int, float] = {}
        for known in self.knowledge.known:
            for index, milliseconds in _savings(known).items():
                found[index] = found.get(index, 0.0) + milliseconds
        return {i: saved for i, saved in found.items() if saved > 0}

    def atoms(self, demand: int) -> Mapping[Visible, float]:
        """Return what a demand's plans may use and cost, without what a part of it does as well.

        It is the same mapping as long as nothing new is known.
        """
        known = self.knowledge.known[demand]
        before, atoms = self._atoms.get(demand, (-1, {}))
        if before != len(known.answers):
            atoms = _undominated(self._possible(known))
            self._atoms[demand] = len(known.answers), atoms
        return atoms

    def _possible(self, known: Known) -> dict[Visible, float]:
        """Return the sets that plans were seen to use, and guesses of what could stand in for what."""
        seen = {used: cost for used, cost in known.atoms.items() if used not in known.harmful or not used}
        found = dict(seen)
        promising = sorted((cost, sorted(used)) for used, cost in seen.items() if used and cost < known.before)
        for cost, used in promising[:_PROMISING]:
            for index, other in ((i, o) for i in used for o in self.wider.get(i, ())):
                guess = frozenset(used) - {index} | {other}
                if other in known.relevant and guess not in found and known.find(guess) is None:
                    found[guess] = cost * (1 + CLOSE)
        return found

    def promised(self, visible: Visible) -> float:
        """Return what a set of indexes should cost a day in reads, by what is known and guessed."""
        demands = range(len(self.knowledge.known))
        return sum(min(c for used, c in self.atoms(d).items() if used <= visible) for d in demands)

    def program(self, budget: int | None, forbidden: Iterable[Visible]) -> Program:
        """Return the choice as a program, without what does not fit and what cannot help."""
        atoms = [self._fitting(d, budget) for d in range(len(self.knowledge.known))]
        useful = {i for choices in atoms for used in choices for i in used}
        return Program(
            atoms=[choices for choices in atoms if len(choices) > 1],
            sizes={i: self.sizes[i] for i in sorted(useful)},
            charges=self.charges,
            tables={i: self.knowledge.candidates[i].table for i in useful},
            forbidden=sorted((f for f in {*forbidden, *self.superfluous} if f <= useful), key=sorted),
            upkeep=self.upkeep,
        )

    def _fitting(self, demand: int, budget: int | None) -> Mapping[Visible, float]:
        atoms = self.atoms(demand)
        if budget is None:
            return atoms
        return {used: cost for used, cost in atoms.items() if sum(self.sizes[i] for i in used) <= budget}


def _counted(known: Known) -> float:
    """Return a demand's time a day as it counts for what an index has to earn.

    It is the geometric mean of today's and of what the best indexes leave: else a query that takes hours for want of
    an index would make everything that helps the others look too small to mention.
    """
    return math.sqrt(known.before * min(known.atoms.values()))


def _bytes(relation: RelationName, profile: Profile) -> int:
    """Return a table's size with that of its partitions."""
    table = profile.table(relation)
    own = table.size_bytes if table is not None else 0
    return own + sum(_bytes(child.relation, profile) for child in profile.children(relation))


def _savings(known: Known) -> dict[int, float]:
    saved: dict[int, float] = {}
    for used, cost in known.atoms.items():
        for index in used:
            saved[index] = max(saved.get(index, 0.0), known.before - cost)
    return saved


def _undominated(atoms: Mapping[Visible, float]) -> dict[Visible, float]:
    """Return the sets of which no part costs the demand as little."""
    found: dict[Visible, float] = {}
    for used, cost in sorted(atoms.items(), key=lambda a: (len(a[0]), a[1], sorted(a[0]))):
        if not any(less < used and price <= cost * (1 + _NOISE) for less, price in found.items()):
            found[used] = cost
    return found
