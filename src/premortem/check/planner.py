"""The world as check sees it: three questions that a twin answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from premortem import parameters
from premortem.model import IndexCandidate, ParameterSet, Plan, Planned, Profile, Query, RelationName

Replan: TypeAlias = Callable[[Sequence[IndexCandidate], Sequence[RelationName]], tuple[Planned, ...]]


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
