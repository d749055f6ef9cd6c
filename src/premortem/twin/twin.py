"""The running twin: plans queries as production would, and with indexes that production does not have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from premortem import pg
from premortem.advisor import Replan
from premortem.migrations import Observed
from premortem.model import GENERIC, Demand, Gap, IndexCandidate, ParameterSet, Planned, Profile, Query, RelationName
from premortem.twin.explaining import Explainer
from premortem.twin.stock import Stock
from premortem.twin.whatif import WhatIf


@dataclass(slots=True)
class Twin:
    """A running twin.  `profile` is what it stands for, production with the change's migrations.

    `observed` is what each statement of the migrations did to it.
    """

    server: pg.Server
    profile: Profile
    is_exact: bool
    observed: tuple[Observed, ...]
    _explainer: Explainer
    _what_if: WhatIf
    _stock: Stock | None = None

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What production has and the twin could not reproduce."""
        return self.profile.gaps

    @property
    def server_version(self) -> str:
        """The version of the server that plans, such as `18.6`."""
        return self.server.installation.version

    def parameter_types(self, query: Query) -> tuple[str, ...]:
        """Return the types that PostgreSQL infers for the query's parameters.

        Raises StatementError with the server's own message where the query cannot be prepared.
        """
        return self._explainer.parameter_types(query)

    def explain(self, query: Query, parameters: ParameterSet = GENERIC) -> Planned:
        """Return the plan that production would make for that query with those values.

        Raises StatementError with the server's own message where it cannot be planned.
        """
        if self._stock is not None:
            self._stock.rest()
        return self._explainer.explain(query, parameters)

    def stock(self, demands: Sequence[Demand] = ()) -> Stock:
        """Return what a search for a workload's indexes asks: candidates stay in the twin, demands go by number.

        A new one takes the place of the one before.
        """
        first = 0
        if self._stock is not None:
            self._stock.rest()
            first = self._stock.last
        self._stock = Stock(
            db=self._what_if.db, server=self.server, profile=self.profile, explainer=self._explainer,
            demands=list(demands), first=first,
        )  # fmt: skip
        return self._stock

    def replanner(self, query: Query, sets: Sequence[ParameterSet]) -> Replan:
        """Return a function that plans the query, for all its sets, with other indexes than production has."""

        def replan(candidates: Sequence[IndexCandidate], without: Sequence[RelationName] = ()) -> tuple[Planned, ...]:
            if self._stock is not None:
                self._stock.rest()
            with self._what_if.indexes(candidates, without):
                return tuple(self.explain(query, s) for s in sets)

        return replan
