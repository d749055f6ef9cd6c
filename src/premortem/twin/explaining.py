"""Asks a server for plans: PREPARE, then EXPLAIN EXECUTE with values, or the generic plan."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from premortem import pg, plans
from premortem.errors import StatementError
from premortem.model import GENERIC, Json, ParameterSet, Planned, Profile, Query, literal, quoted
from premortem.twin import policies
from premortem.twin.build import APPLICATION_ROLE
from premortem.twin.refusals import INDETERMINATE, explained, without_null_tests

#: How many queries stay prepared by default: one is asked about many times in a row, then never again.
_PREPARED = 16
#: What EXPLAIN is asked for where nothing is to be executed.
ESTIMATES = "FORMAT JSON, VERBOSE, SETTINGS"
_TYPES = (
    "SELECT pg_catalog.to_json(p.parameter_types::pg_catalog.text[]) FROM pg_catalog.pg_prepared_statements p"
    " WHERE p.name = '{name}'"
)
#: The type of a parameter that a query does not have.
_UNUSED = "integer"
_UNDEFINED_OBJECT, _INVALID_TEXT = "42704", "22P02"
_UNKNOWN_SETTING = re.compile(r'unrecognized configuration parameter "([^"]+)"')


@dataclass(slots=True)
class Explainer:
    """A session in which queries are planned, and the profile of the database that it leads to.

    `role` is whom queries are planned as where row-level security is on, None for the session's own.
    """

    db: pg.Session
    profile: Profile
    role: str | None = APPLICATION_ROLE
    most_prepared: int = _PREPARED
    _prepared: dict[tuple[str, tuple[str, ...] | None, bool], str] = field(default_factory=dict)
    _types: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def parameter_types(self, query: Query) -> tuple[str, ...]:
        """Return the types that PostgreSQL infers for the query's parameters.

        Raises StatementError with the server's own message where the query cannot be prepared.
        """
        return self._types[self._prepare(query)]

    def explain(self, query: Query, parameters: ParameterSet = GENERIC, options: str = ESTIMATES) -> Planned:
        """Return the plan that the server makes for that query with those values; `options` may have it executed.

        Raises StatementError with the server's own message where it cannot be planned.
        """
        setup, sql = self._statements(self._prepare(query), parameters, options)
        explained = self._explained(self._message([self._looking_along(query), setup, sql]))
        return Planned(parameters=parameters, plan=plans.parse_json(explained), json=_plan_object(explained))

    def message(self, query: Query, sets: Sequence[ParameterSet], options: Sequence[str]) -> str:
        """Return the statements that explain a query with each set's options, for one message in one transaction.

        They make what `explain` makes, but for settings that only the application has: these are an error.
        """
        name = self._prepare(query, replanned=True)
        each = [self._statements(name, one, how) for one, how in zip(sets, options, strict=True)]
        planned = [self._looking_along(query)]
        for before, (mode, explain) in zip(("", *(mode for mode, _ in each)), each, strict=False):
            planned += [explain] if mode == before else [mode, explain]
        return self._message(planned)

    def _message(self, statements: Sequence[str]) -> str:
        """Return statements as one message, run as a role that policies apply to where there are any."""
        if self.role is None or not self.profile.has_row_security:
            return "; ".join(statements)
        return "; ".join((f"SET ROLE {quoted(self.role)}", *statements, "RESET ROLE"))

    def _statements(self, name: str, parameters: ParameterSet, options: str) -> tuple[str, str]:
        """Return what sets the kind of plan, and what explains it."""
        mode = "force_generic_plan" if parameters.is_generic else "force_custom_plan"
        types = self._types[name]
        values = (() if parameters.is_generic else parameters.values) or (None,) * len(types)
        arguments = ", ".join("NULL" if v is None else literal(v) for v in values)
        call = f"{name}({arguments})" if arguments else name
        return f"SET plan_cache_mode = {mode}", f"EXPLAIN ({options}) EXECUTE {call}"

    def _explained(self, message: str) -> list[Json]:
        """Run an EXPLAIN; a setting that only the application makes (as in a policy) is made up and tried again."""
        setting: str | None = None
        values: Iterator[str] = iter(())
        while True:
            try:
                return [*json.loads(self.db.replies(message)[0])]
            except StatementError as error:
                missing = _UNKNOWN_SETTING.search(error.message)
                if missing is not None and missing[1] != setting:
                    setting, values = missing[1], policies.values(missing[1], self.profile)
                value = next(values, None)
                if setting is None or value is None or error.sqlstate not in (_UNDEFINED_OBJECT, _INVALID_TEXT):
                    raise
                self.db.execute("SELECT pg_catalog.set_config(%(name)s, %(value)s, false)", name=setting, value=value)

    def _forget_old_statements(self) -> None:
        """Ten thousand prepared statements would fill the server."""
        if len(self._prepared) >= self.most_prepared:
            self.db.execute("DEALLOCATE ALL")
            self._prepared.clear()
            self._types.clear()

    def _looking_along(self, query: Query) -> str:
        """Return what sets the search path: a prepared statement is read anew along the one that there is by then."""
        path = query.search_path or self.profile.search_path
        return f"SET search_path = {', '.join(quoted(s) for s in path) or literal('')}"

    def _prepare(self, query: Query, *, replanned: bool = False) -> str:
        """Return the name of the prepared query; `replanned` is one that has to be planned each time."""
        key = (query.text, query.search_path, replanned)
        if key not in self._prepared:
            self._forget_old_statements()
            name = f"premortem_{len(self._prepared)}"
            types = self._prepare_as(name, query)
            if replanned and not types:  # PostgreSQL keeps the plan of a query that has no parameter
                types = (_UNUSED,)
                self._try(query, f"DEALLOCATE {name}", f"PREPARE {name} ({_UNUSED}) AS {query.text}")
            self._prepared[key] = name
            self._types[name] = types
        return self._prepared[key]

    def _prepare_as(self, name: str, query: Query) -> tuple[str, ...]:
        """Prepare a query and return its parameters' types."""
        told = _TYPES.format(name=name)
        try:
            (types,) = self._try(query, f"PREPARE {name} AS {query.text}", told)
        except StatementError as error:
            known = self._types_elsewhere(query) if error.sqlstate in INDETERMINATE else ()
            if not known:
                raise explained(error, query, self.profile) from error
            (types,) = self._try(query, f"PREPARE {name} ({', '.join(known)}) AS {query.text}", told)
        return tuple(json.loads(types))

    def _types_elsewhere(self, query: Query) -> tuple[str, ...]:
        """Return the parameters' types by their other uses, none where there is no other.

        Production's driver sends a type with `$1 IS NULL OR status = $1`, or puts the value into the text; PREPARE
        alone refuses it, for it looks at the null test first.
        """
        name = "premortem_types"
        text = without_null_tests(query.text)
        try:
            (found,) = self._try(query, f"PREPARE {name} AS {text}", _TYPES.format(name=name), f"DEALLOCATE {name}")
        except StatementError:
            return ()
        types = tuple(json.loads(found))
        return types if len(types) == query.parameter_count else ()

    def _try(self, query: Query, *statements: str) -> tuple[str, ...]:
        """Run statements as one message along the query's search path; what those that have one reply."""
        return self.db.replies(self._message([self._looking_along(query), *statements]))


def _plan_object(explained: list[Json]) -> Json:
    first = explained[0]
    return first.get("Plan") if isinstance(first, dict) else None
