"""The best set of indexes for what is known, as an integer program for HiGHS.

    minimise    sum of each demand's cost by the atom it gets, plus what each chosen index costs to keep
    such that   every demand gets one atom; an atom needs its indexes; sizes, counts and upkeep stay within the limits

Only the indexes are integers: with those fixed, each demand simply takes its cheapest atom.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from premortem.errors import UsageError
from premortem.workload.search.knowledge import Visible

if TYPE_CHECKING:
    import highspy


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What there is to choose from.

    `atoms[d]` are demand d's sets with their costs, the empty set among them.  `charges` are what an index costs
    besides its bytes, `sizes` in bytes.  `forbidden` are sets that must not be there together.
    """

    atoms: Sequence[Mapping[Visible, float]]
    sizes: Mapping[int, float]
    charges: Mapping[int, float]
    tables: Mapping[int, object]
    forbidden: Sequence[Visible] = ()
    per_table: int | None = None
    upkeep: Mapping[int, float] | None = None
    most_upkeep: float | None = None


def solve(
    program: Program,
    *,
    budget: float | None = None,
    price: float = 0.0,
    start: Visible | None = None,
    seconds: float,
    gap: float = 0.003,
) -> Visible | None:
    """Return the best set of indexes, None where time was up before any was found.

    It has at most `budget` bytes, and every byte costs the `price`.  A `start` is a set to begin with.
    """
    model, indexes = _written(program, budget, price)
    solver = _solver(seconds, gap)
    solver.passModel(_linear_program(model))
    if start is not None:
        solver.setSolution(_completed(model, indexes, start))
    solver.run()
    found = solver.getSolution()
    if not found.value_valid:
        return None
    values = list(found.col_value)  # copies all of them whenever it is looked at
    return frozenset(i for i, place in indexes.items() if values[place] > 0.5)


def relaxed(program: Program, *, price: float, seconds: float) -> Mapping[int, float] | None:
    """Return how much of each index the best set would have if an index could be had in part, None without time.

    Where that is all or nothing of each, it is the best set; a tenth of the time of `solve`.
    """
    model, indexes = _written(program, None, price)
    model.integer = [False] * len(model.costs)
    solver = _solver(seconds, 0.0)
    solver.setOptionValue("presolve", "off")
    solver.passModel(_linear_program(model))
    solver.run()
    found = solver.getSolution()
    if not found.value_valid:
        return None
    values = list(found.col_value)
    return {i: values[place] for i, place in indexes.items()}


def _written(program: Program, budget: float | None, price: float) -> tuple[_Model, dict[int, int]]:
    """Return a program written down, and the places of its indexes."""
    model = _Model()
    indexes = {
        i: model.variable(program.charges[i] + price * size, integer=True) for i, size in sorted(program.sizes.items())
    }
    for atoms in program.atoms:
        _demand(model, atoms, indexes)
    _limits(model, program, indexes, budget)
    return model, indexes


def require_solver() -> None:
    """Raise UsageError where HiGHS is not installed: better before an hour of questions than after."""
    _library()


def _library() -> ModuleType:
    try:
        return importlib.import_module("highspy")
    except ImportError as error:
        raise UsageError("HiGHS is not installed", hint="pip install 'premortem[advise]'") from error


def _solver(seconds: float, gap: float) -> highspy.Highs:
    solver: highspy.Highs = _library().Highs()
    options = {"output_flag": False, "time_limit": max(0.1, seconds), "mip_rel_gap": gap, "threads": 1}
    for name, value in options.items():
        solver.setOptionValue(name, value)
    return solver


class _Model:
    """A linear program as it is written down, row by row."""

    def __init__(self) -> None:
        self.costs: list[float] = []
        self.integer: list[bool] = []
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.starts: list[int] = [0]
        self.places: list[int] = []
        self.values: list[float] = []
        self.atoms: list[dict[Visible, int]] = []

    def variable(self, cost: float, *, integer: bool = False) -> int:
        """Add a variable between 0 and 1 and return its place."""
        self.costs.append(cost)
        self.integer.append(integer)
        return len(self.costs) - 1

    def row(self, terms: Mapping[int, float], *, least: float = -1e30, most: float = 1e30) -> None:
        """Add a constraint."""
        self.lower.append(least)
        self.upper.append(most)
        self.places.extend(terms)
        self.values.extend(terms.values())
        self.starts.append(len(self.places))


def _linear_program(model: _Model) -> highspy.HighsLp:
    import numpy as np

    library = _library()
    kinds = (library.HighsVarType.kContinuous, library.HighsVarType.kInteger)
    found: highspy.HighsLp = library.HighsLp()
    found.num_col_, found.num_row_ = len(model.costs), len(model.lower)
    found.col_cost_ = np.array(model.costs)
    found.col_lower_, found.col_upper_ = np.zeros(len(model.costs)), np.ones(len(model.costs))
    found.row_lower_, found.row_upper_ = np.array(model.lower), np.array(model.upper)
    found.integrality_ = [kinds[integer] for integer in model.integer]
    found.a_matrix_.format_ = library.MatrixFormat.kRowwise
    found.a_matrix_.start_ = np.array(model.starts)
    found.a_matrix_.index_, found.a_matrix_.value_ = np.array(model.places), np.array(model.values)
    return found


def _demand(model: _Model, atoms: Mapping[Visible, float], indexes: Mapping[int, int]) -> None:
    usable = {used: cost for used, cost in atoms.items() if all(i in indexes for i in used)}
    places = {used: model.variable(cost) for used, cost in usable.items()}
    model.atoms.append(places)
    model.row(dict.fromkeys(places.values(), 1.0), least=1.0, most=1.0)
    for index in {i for used in usable for i in used}:
        needing = {places[used]: 1.0 for used in usable if index in used}
        model.row({**needing, indexes[index]: -1.0}, most=0.0)


def _completed(model: _Model, indexes: Mapping[int, int], start: Visible) -> highspy.HighsSolution:
    """Return a set of indexes as a solution: each demand gets its cheapest atom."""
    values = [0.0] * len(model.costs)
    for index in start & indexes.keys():
        values[indexes[index]] = 1.0
    for places in model.atoms:
        best = min((used for used in places if used <= start), key=lambda used: model.costs[places[used]])
        values[places[best]] = 1.0
    found: highspy.HighsSolution = _library().HighsSolution()
    found.col_value = values
    return found


def _limits(model: _Model, program: Program, indexes: Mapping[int, int], budget: float | None) -> None:
    if budget is not None:
        scale = 1e-6  # megabytes: the solver's tolerances are absolute
        model.row({p: program.sizes[i] * scale for i, p in indexes.items()}, most=budget * scale)
    if program.most_upkeep is not None and program.upkeep is not None:
        model.row({p: program.upkeep[i] for i, p in indexes.items()}, most=program.most_upkeep)
    for together in program.forbidden:
        if all(i in indexes for i in together):
            model.row({indexes[i]: 1.0 for i in together}, most=len(together) - 1.0)
    if program.per_table is not None:
        for table in set(program.tables.values()):
            model.row({p: 1.0 for i, p in indexes.items() if program.tables[i] == table}, most=float(program.per_table))
