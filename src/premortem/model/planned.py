"""A plan together with the parameter values that it was made for."""

from __future__ import annotations

from dataclasses import dataclass, field

from premortem.model.plan import Json, Plan
from premortem.model.query import ParameterSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One parameter set and the plan that production would make for it; `json` is PostgreSQL's own `Plan` object."""

    parameters: ParameterSet
    plan: Plan
    json: Json = field(repr=False, default=None)
