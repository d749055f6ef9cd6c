"""Parameter values from the mirror's own rows: one row gives all of a query's values, so they go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from premortem import pg, sqltext
from premortem.errors import ServerTimeout, StatementError
from premortem.model import Gap, ParameterSet, Planned, Profile, Query, RelationName
from premortem.sqltext import TableName

#: So many sets of a query's own rows are executed besides those from the statistics.
SETS = 2
_SAMPLED_ROWS = 2_000.0
_FETCHED = 20
_PERCENT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A session on the mirror, how many rows its tables have, and the seed of what is drawn."""

    db: pg.Session
    present: Mapping[RelationName, float]
    seed: int = 0

    def sampled(
        self, query: Query, planned: Sequence[Planned], profile: Profile
    ) -> tuple[tuple[ParameterSet, ...], tuple[Gap, ...]]:
        """Return sets of values that rows of the mirror have, drawn as often as the rows are there.

        What no row tells (a LIMIT, a range) is as in the set of ordinary values that the statistics gave.
        """
        if query.parameter_count == 0:
            return (), ()
        rest = _rest(planned, query.parameter_count)
        try:
            largest = self._largest(planned)
            asked = sqltext.row_query(
                query.text, sampled=_name(largest), percent=self._percent(largest), seed=self.seed, most=_FETCHED
            )
            rows = self._rows(query, asked.text, profile) if asked is not None else ()
        except (StatementError, ServerTimeout) as error:
            return (), (_gap(error.message),)
        if asked is None or not rows:
            return (), ()
        found = dict.fromkeys(_filled(rest, asked.parameters, row) for row in rows)
        basis = "a row of the mirror" if len(asked.parameters) == query.parameter_count else _SOME
        names = ("sampled", *(f"sampled-{n}" for n in range(2, SETS + 1)))
        made = zip(names, found, strict=False)
        return tuple(ParameterSet(name=name, values=values, basis=basis) for name, values in made), ()

    def _largest(self, planned: Sequence[Planned]) -> RelationName | None:
        read = {n.relation for p in planned for n in p.plan.walk() if n.relation in self.present}
        return max((r for r in read if r is not None), key=lambda r: self.present[r], default=None)

    def _percent(self, relation: RelationName | None) -> float:
        rows = self.present.get(relation, 0.0) if relation is not None else 0.0
        return min(_PERCENT, _PERCENT * _SAMPLED_ROWS / rows) if rows > 0 else _PERCENT

    def _rows(self, query: Query, text: str, profile: Profile) -> Sequence[tuple[str | None, ...]]:
        path = ", ".join(self.db.quoted(s) for s in query.search_path or profile.search_path) or "''"
        with self.db.rolled_back():
            self.db.execute(f"SET LOCAL search_path = {path}")
            self.db.execute("SET LOCAL statement_timeout = '5s'")
            self.db.value("SELECT pg_catalog.setseed(%(seed)s)", seed=(self.seed % 1_000) / 1_000)
            return self.db.tuples(text)


_SOME = "a row of the mirror, and ordinary values for what no row tells"


def _name(relation: RelationName | None) -> TableName | None:
    return TableName(relation.schema, relation.name) if relation is not None else None


def _rest(planned: Sequence[Planned], count: int) -> tuple[str | None, ...]:
    """Return the values to begin with: the ordinary ones, else the first."""
    sets = [p.parameters for p in planned if not p.parameters.is_generic]
    usual = next((s for s in sets if s.name == "typical"), sets[0] if sets else None)
    return usual.values if usual is not None else (None,) * count


def _filled(rest: Sequence[str | None], parameters: Sequence[int], row: Sequence[str | None]) -> tuple[str | None, ...]:
    found = dict(zip(parameters, row, strict=True))
    return tuple(found.get(number, value) for number, value in enumerate(rest, start=1))


def _gap(why: str) -> Gap:
    return Gap(
        subject="values of the mirror's rows",
        says=f"the statement that looks for them was refused: {why}",
        effect="the query is executed with values from the statistics only, which may not go together",
    )
