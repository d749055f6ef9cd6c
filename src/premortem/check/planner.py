"""The world as check sees it: three questions that a twin answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from premortem import parameters
from premortem.advisor import Replan
from premortem.model import ParameterSet, Plan, Planned, Profile, Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """What plans queries, as callables.

    `choose` picks the parameter sets, `explain` plans a query for one of them, `parameter_types` says what PostgreSQL
    takes its placeholders for, and `replanner` returns the callable that plans it again with other indexes.  All but
    the first raise StatementError.
    """

    explain: Callable[[Query, ParameterSet], Planned]
    parameter_types: Callable[[Query], tuple[str, ...]]
    replanner: Callable[[Query, Sequence[ParameterSet]], Replan]
    choose: Callable[[Query, Plan, tuple[str, ...], Profile], tuple[ParameterSet, ...]] = parameters.choose
