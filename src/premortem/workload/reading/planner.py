"""Who plans, as the workload's study sees it: a twin with the choice of parameter sets, or `check.Planner`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from premortem.model import ParameterSet, Plan, Planned, Profile, Query


class Planner(Protocol):
    """Three callables: the plan of a query for given values, its parameters' types, and the values to plan it with.

    The first two raise StatementError or ServerTimeout where the server refuses the query.
    """

    @property
    def explain(self) -> Callable[[Query, ParameterSet], Planned]:
        """Plans a query with the values of a parameter set."""
        ...

    @property
    def parameter_types(self) -> Callable[[Query], tuple[str, ...]]:
        """Returns the types that PostgreSQL infers for a query's parameters."""
        ...

    @property
    def choose(self) -> Callable[[Query, Plan, tuple[str, ...], Profile], tuple[ParameterSet, ...]]:
        """Chooses the parameter sets, given the generic plan and the parameters' types."""
        ...
