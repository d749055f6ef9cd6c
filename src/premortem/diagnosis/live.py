"""The plan on the live server itself: EXPLAIN without ANALYZE, read-only, and what else only the server knows now.

A statement of pg_stat_statements has no values.  PostgreSQL 16 plans it as it stands (GENERIC_PLAN); before, it is
prepared and its generic plan forced.  Nothing is executed, but planning runs functions that are marked immutable, which
is why there is a timeout; and only what the parser took for one query is ever sent.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from premortem import pg, plans
from premortem.errors import PremortemError, StatementError
from premortem.model import Gap, Json, Plan, PlanSeen, Query, RelationName, Statement, StatementKind, quoted

QUERIES = pg.named_sql("premortem.diagnosis", "sql/live.sql")
_NAME = "premortem_diagnosis"
_GENERIC = 160_000
_LOCK_TIMEOUT = timedelta(milliseconds=250)
_LONGEST_TEXT = 100_000
_SET = "SELECT pg_catalog.set_config(%(name)s, %(value)s, true)"
#: PostgreSQL has two for a parameter whose type it cannot tell: none is known, or what is known does not fit every use.
_INDETERMINATE = ("42P18", "42P08")


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePlan:
    """A plan of the live server: as values, and as EXPLAIN prints it; `basis` says how it was made."""

    plan: Plan
    text: str
    basis: str

    def seen(self, at: datetime) -> PlanSeen:
        """Return what is kept of it, to notice a change."""
        return PlanSeen(
            shape=hashlib.sha256(plans.shape(self.plan).encode()).hexdigest()[:16],
            at=at,
            text=self.text,
            cost=self.plan.total_cost,
            indexes=tuple(dict.fromkeys(_indexes(self.plan))),
            basis=self.basis,
        )


def _indexes(plan: Plan) -> Iterator[RelationName]:
    for node in plan.walk():
        if node.index is not None:
            yield RelationName(schema=node.relation.schema if node.relation else "", name=node.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Building:
    """An index that is being built now; `done` is the share of the table that was read, where that is known."""

    schema: str
    table_name: str
    index_name: str | None
    phase: str
    pid: int
    done: float | None


@contextlib.contextmanager
def connect(dsn: str, database: str | None = None, *, seconds: float = 2.0) -> Iterator[pg.Session]:
    """Open a session for a diagnosis: read-only, tagged, impatient with locks and with slow answers."""
    timeout = timedelta(seconds=seconds)
    with pg.session(
        dsn,
        purpose="diagnose",
        database=database or None,
        statement_timeout=timeout,
        lock_timeout=_LOCK_TIMEOUT,
        connect_timeout=max(2, round(seconds)),
    ) as session:
        yield session


def search_path(live: pg.Session, role: str) -> str:
    """Return the search_path that a role's sessions have, as SQL text, with the role's name for `$user`."""
    found = str(live.value(QUERIES["search path"], role=role) or "")
    return found.replace('"$user"', quoted(role) if role else "").strip().strip(",").strip() or "public"


def resolved(live: pg.Session, tables: Sequence[RelationName], path: str) -> tuple[RelationName, ...]:
    """Return the relations that a statement's names mean along that search_path; unknown ones are left out."""
    if not tables:
        return ()
    with live.rolled_back():
        live.execute(_SET, name="search_path", value=path)
        return live.rows(QUERIES["resolve"], RelationName, names=[t.sql for t in tables])


def building(live: pg.Session) -> tuple[Building, ...]:
    """Return the indexes that are being built in the session's database."""
    return live.rows(QUERIES["building"], Building)


def explain(live: pg.Session, query: Query, path: str, types: Sequence[str] = ()) -> LivePlan:
    """Return the plan that the server makes of a query without knowing its values.

    `types` are its parameters' types, where the server could not tell them itself.  Raises StatementError where it
    cannot be planned, PrivilegeError where the role may not read its tables, ServerTimeout for locks and slow planning.
    """
    if query.kind is StatementKind.UTILITY or len(query.text) > _LONGEST_TEXT:
        raise StatementError("this is no statement that can be planned")
    if live.server_version >= _GENERIC and not types:
        with _along(live, path):
            return _generic(live, query)
    try:
        with _along(live, path):
            return _prepared(live, query, types)
    finally:
        _forget(live)


@contextlib.contextmanager
def _along(live: pg.Session, path: str) -> Iterator[None]:
    with live.rolled_back():
        live.execute(_SET, name="search_path", value=path)
        yield


def is_indeterminate(error: PremortemError) -> bool:
    """Whether a refusal is for a parameter's type that the server cannot tell."""
    return isinstance(error, StatementError) and error.sqlstate in _INDETERMINATE


def _generic(live: pg.Session, query: Query) -> LivePlan:
    how = "GENERIC_PLAN, " if query.parameter_count else ""
    found = live.value(f"EXPLAIN ({how}FORMAT JSON, VERBOSE, SETTINGS) {query.text}")
    text = "\n".join(map(str, live.values(f"EXPLAIN ({how}COSTS) {query.text}")))
    return LivePlan(plan=_parsed(found), text=text, basis=_basis(query))


def _prepared(live: pg.Session, query: Query, types: Sequence[str]) -> LivePlan:
    live.execute(_SET, name="plan_cache_mode", value="force_generic_plan")
    declared = f" ({', '.join(types)})" if types else ""
    live.execute(f"PREPARE {_NAME}{declared} AS {query.text}")
    count = int(live.value(QUERIES["prepared"], name=_NAME) or 0)
    call = f"EXECUTE {_NAME}({', '.join(['NULL'] * count)})" if count else f"EXECUTE {_NAME}"
    found = live.value(f"EXPLAIN (FORMAT JSON, VERBOSE, SETTINGS) {call}")
    text = "\n".join(map(str, live.values(f"EXPLAIN {call}")))
    return LivePlan(plan=_parsed(found), text=text, basis=_basis(query))


def _forget(live: pg.Session) -> None:
    """Take back what was prepared, for it outlives the transaction, and behind a pooler the connection."""
    with contextlib.suppress(PremortemError):  # a connection that is gone has forgotten already
        if live.value(QUERIES["prepared"], name=_NAME) is not None:
            live.execute(f"DEALLOCATE {_NAME}")


def _parsed(found: list[Json]) -> Plan:
    return plans.parse_json([*found])


def _basis(query: Query) -> str:
    return "on the server itself, generic plan" if query.parameter_count else "on the server itself"


def plan_shape(live: pg.Session, statement: Statement, at: datetime) -> PlanSeen:
    """Return a statement's plan as its server makes it now, to notice when it changes.

    Raises StatementError where it cannot be planned, and what `explain` raises.
    """
    from premortem.diagnosis.reading import readable

    query = readable(statement)
    if isinstance(query, Gap):
        raise StatementError(query.says, hint=query.cure or None)
    return explain(live, query, search_path(live, statement.role)).seen(at)
