"""A shop on a real server, and a way to plan its queries with other indexes: built for real, and rolled back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from premortem import advisor, catalog, pg, plans
from premortem.errors import PremortemError
from premortem.model import IndexCandidate, ParameterSet, Planned, Profile, Query, RelationName, Site, Values, literal

SHOP = (Path(__file__).parent / "shop.sql").read_text(encoding="utf-8")
_loaded: dict[int, Profile] = {}


@dataclass(frozen=True, slots=True)
class Shop:
    """A server with the shop's rows, and what its catalog says."""

    server: pg.Server
    profile: Profile

    def choose(self, sql: str, **sets: Sequence[str]) -> advisor.Choice:
        """Return the advisor's choice for a query, proved on the shop's own rows."""
        query = Query(text=sql, original=sql, fingerprint="", site=Site(source="test"), parameter_count=sql.count("$"))
        names = [ParameterSet(name=n, values=tuple(v)) for n, v in sets.items()] or [ParameterSet(name="literal")]
        if sets:
            names.append(ParameterSet(name="generic"))
        replan = self._replanner(sql, names)
        return advisor.choose(query, replan((), ()), (), self.profile, replan, advisor.Limits(min_cost=300))

    def looked(self, sql: str, **sets: Sequence[str]) -> advisor.Look:
        """Return what one look at a query's plans suggests."""
        names = [ParameterSet(name=n, values=tuple(v)) for n, v in sets.items()]
        names = [*names, ParameterSet(name="generic")] if sets else [ParameterSet(name="literal")]
        return advisor.looked(self._replanner(sql, names)((), ()), self.profile)

    def refusal(self, candidate: IndexCandidate) -> str | None:
        """Return why PostgreSQL does not create an index, None where it does."""
        with pg.writer(self.server, purpose="test", database="shop") as db, db.rolled_back():
            try:
                db.execute(candidate.create_sql("candidate", concurrently=False))
            except PremortemError as error:
                return error.message
        return None

    def _replanner(self, sql: str, sets: Sequence[ParameterSet]) -> advisor.Replan:
        def replan(candidates: Sequence[IndexCandidate], hidden: Sequence[RelationName]) -> tuple[Planned, ...]:
            with pg.writer(self.server, purpose="test", database="shop") as db, db.rolled_back():
                for number, candidate in enumerate(candidates):
                    db.execute(candidate.create_sql(f"candidate_{number}", concurrently=False))
                for name in hidden:
                    db.execute(
                        f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = {literal(name.sql)}::regclass"
                    )
                db.execute(f"PREPARE q AS {sql}")
                planned = tuple(_explained(db, one) for one in sets)
                db.execute("DEALLOCATE q")
                return planned

        return replan


def _explained(db: pg.Session, parameters: ParameterSet) -> Planned:
    count = int(str(db.value("SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'q'")))
    generic = parameters.is_generic
    db.execute(f"SET plan_cache_mode = {'force_generic_plan' if generic else 'force_custom_plan'}")
    values = ["NULL"] * count if generic else [literal(v) if v is not None else "NULL" for v in parameters.values]
    call = f"q({', '.join(values)})" if values else "q"
    return Planned(
        parameters=parameters, plan=plans.parse_json(db.value(f"EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE {call}"))
    )


@pytest.fixture
def shop(server: pg.Server) -> Shop:
    """The shop on each major."""
    if server.pid not in _loaded:
        with pg.writer(server, purpose="test") as db:
            db.execute("CREATE DATABASE shop")
        with pg.writer(server, purpose="test", database="shop") as db:
            db.execute(SHOP)
            db.execute("CHECKPOINT")
            db.execute("VACUUM ANALYZE")
        with pg.session(server, purpose="test", database="shop") as db:
            _loaded[server.pid] = catalog.pull(db, values=Values.ALL)
    return Shop(server, _loaded[server.pid])


Choose = Callable[..., advisor.Choice]
