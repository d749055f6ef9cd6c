"""Digests of everything that a query's plan depends on: while they are the same, so is the plan.

A digest has parts, so that what changed can be named.  It is taken from the query's own text and from every relation
and function whose name occurs in it, in the views and functions so named, and so on: words that happen to be the name
of a table only make the digest wider, never wrong.

    premortem    the version that judged
    rules        the rules, their thresholds and severities
    query        its text as it is planned, and its comments
    server       version, settings, extensions, types, operators
    schema       the relations as they are defined, indexes and constraints included
    statistics   their sizes, and what ANALYZE found
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from premortem.model import ObjectKind, Profile, Query, ServerFacts, Table

_WORD = re.compile(r'"(?:[^"]|"")+"|[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*')
_ESCAPED_NAME = re.compile(r'\bU&"', re.IGNORECASE)
_WRITES = re.compile(r"\b(?:update|delete|merge)\b", re.IGNORECASE)
_FUNCTIONS = frozenset({ObjectKind.FUNCTION, ObjectKind.AGGREGATE})
#: Settings that a plan does not depend on are left out, so that a new log setting plans nothing again (PostgreSQL 18
#: manual, 19.7 "Query Planning", 19.4 "Resource Consumption", and what changes how a text is read).
_PLANNING = re.compile(
    r"enable_|.*_cost\Z|.*(?:work_mem|mem_multiplier)\Z|effective_|.*collapse_limit\Z|geqo|jit|.*parallel|"
    r"constraint_exclusion|cursor_tuple_fraction|plan_cache_mode|recursive_worktable_factor|search_path|row_security|"
    r"timezone|datestyle|intervalstyle|default_text_search_config|array_nulls|transform_null_equals|"
    r"standard_conforming_strings|hypopg|plan_hint|pg_hint_plan"
)
_CHECKS_ONLY = frozenset({"no action", "restrict"})
#: Where a setting comes from that nobody made: the built-in default, or the session that pulled the profile.
_NOBODY = frozenset({"default", "client", "session", "environment variable"})
_LENGTH = 10
STATISTICS, SCHEMA, SERVER, RULES = "statistics", "schema", "server", "rules"


@dataclass(frozen=True, kw_only=True)
class World:
    """What plans depend on besides the query: the profile that they are made with, and who judges them.

    `rules` is any text that changes with the rules and their settings, `planner` the version of the server that plans.
    """

    profile: Profile
    version: str
    rules: str = ""
    planner: str = ""
    _digests: dict[str, tuple[bytes, bytes]] = field(default_factory=dict, init=False, repr=False)
    _reached: dict[tuple[str, bool], frozenset[str]] = field(default_factory=dict, init=False, repr=False)
    _beside: dict[str, frozenset[str]] = field(default_factory=dict, init=False, repr=False)

    def facts(self, query: Query) -> str:
        """Return the digest of all that the query's plan and verdict depend on."""
        named = self._named(query.text)
        writes = bool(_WRITES.search(query.text))
        schema, statistics = self._of_relations(sorted(named), writes=writes)
        asked = (query.text, query.search_path, [(a.rule, a.reason, a.until) for a in query.allows])
        parts = (self._rules, _short(asked), self._server, schema, statistics)
        names = (RULES, "query", SERVER, SCHEMA, STATISTICS)
        return " ".join([self.version, *(f"{name}:{part}" for name, part in zip(names, parts, strict=True))])

    @cached_property
    def _rules(self) -> str:
        return _short(self.rules)

    @cached_property
    def _server(self) -> str:
        profile = self.profile
        kinds = [o for o in profile.objects if o.kind not in _FUNCTIONS and o.kind is not ObjectKind.SEQUENCE]
        called = sorted({f for o in kinds for n in self._named(o.definition) for f in self._functions.get(n, ())})
        return _short(
            (
                _machine(profile.server), self.planner, profile.values, profile.search_path, profile.tablespaces,
                sorted((s.name, s.value) for s in profile.settings if _PLANNING.match(s.name.lower())),
                [s for s in profile.role_settings if _PLANNING.match(s.name)],
                sorted((e.name, e.version, e.schema) for e in profile.extensions),
                sorted((o.kind, o.schema, o.name, o.definition) for o in kinds), called,
            )
        )  # fmt: skip

    @cached_property
    def _relations(self) -> dict[str, list[Table]]:
        found: dict[str, list[Table]] = {}
        for table in self.profile.tables:
            found.setdefault(table.name.lower(), []).append(table)
        return found

    @cached_property
    def _functions(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for one in self.profile.objects:
            if one.kind in _FUNCTIONS:
                found.setdefault(one.name.lower(), []).append(f"{one.schema}.{one.definition}")
        return found

    @cached_property
    def _children(self) -> dict[str, set[str]]:
        """Partitions and other children, by the name of their parent."""
        found: dict[str, set[str]] = {}
        for table in self.profile.tables:
            for parent in table.parents:
                found.setdefault(parent.name.lower(), set()).add(table.name.lower())
        return found

    @cached_property
    def _referencing(self) -> dict[str, set[tuple[str, bool]]]:
        """The tables whose foreign keys point at one, each with whether it is changed when that one is."""
        found: dict[str, set[tuple[str, bool]]] = {}
        for table in self.profile.tables:
            for key in table.foreign_keys:
                if key.references is not None:
                    follows = not {key.on_delete, key.on_update} <= _CHECKS_ONLY
                    found.setdefault(key.references.name.lower(), set()).add((table.name.lower(), follows))
        return found

    def _named(self, text: str | None) -> frozenset[str]:
        """Return the relations and functions whose name occurs in a text, in lower case."""
        if text and _ESCAPED_NAME.search(text):
            return frozenset((*self._relations, *self._functions))
        words = {w.strip('"').replace('""', '"').lower() for w in _WORD.findall(text or "")}
        return frozenset(w for w in words if w in self._relations or w in self._functions)

    def _near(self, name: str) -> frozenset[str]:
        """Return what a plan that meets that name may meet besides."""
        if name not in self._beside:
            tables = self._relations.get(name, ())
            texts = [t.definition for t in tables] + [x for t in tables for p in t.policies for x in (p.using, p.check)]
            texts += self._functions.get(name, ())
            found = {p.name.lower() for t in tables for p in t.parents} | self._children.get(name, set())
            self._beside[name] = frozenset(found).union(*(self._named(t) for t in texts))
        return self._beside[name]

    def _reach(self, start: str, *, writes: bool) -> frozenset[str]:
        """Return that name and all that can be reached from it; a write reaches what foreign keys check or change."""
        if (start, writes) not in self._reached:
            found, waiting = {(start, writes)}, [(start, writes)]
            while waiting:
                name, written = waiting.pop()
                new = {(near, False) for near in self._near(name)} | (
                    self._referencing.get(name, set()) if written else set()
                )
                waiting += new - found
                found |= new
            self._reached[start, writes] = frozenset(name for name, _ in found)
        return self._reached[start, writes]

    def reads(self, query: Query) -> tuple[Table, ...]:
        """Return the relations that the query may read, foreign keys' checks and views' tables included."""
        writes = bool(_WRITES.search(query.text))
        names = {r for n in self._named(query.text) for r in self._reach(n, writes=writes)}
        return tuple(t for n in sorted(names) for t in self._relations.get(n, ()))

    def _of_relations(self, names: Iterable[str], *, writes: bool) -> tuple[str, str]:
        digests = [self._digest(name, writes=writes) for name in names]
        schema, statistics = (_sha(b"".join(d[part] for d in digests)).hex()[:_LENGTH] for part in (0, 1))
        return schema, statistics

    def _digest(self, start: str, *, writes: bool) -> tuple[bytes, bytes]:
        """Return the digests, of definitions and of statistics, of all that is reached from a name."""
        key = f"{start} +w" if writes else f"{start} +"
        if key not in self._digests:
            parts = [self._own(name) for name in sorted(self._reach(start, writes=writes))]
            self._digests[key] = _sha(b"".join(p[0] for p in parts)), _sha(b"".join(p[1] for p in parts))
        return self._digests[key]

    def _own(self, name: str) -> tuple[bytes, bytes]:
        if name not in self._digests:
            tables = sorted(self._relations.get(name, ()), key=lambda t: t.schema)
            schema = [*map(definition, tables), *sorted(self._functions.get(name, ()))]
            self._digests[name] = _sha(repr(schema)), _sha(repr([*map(measures, tables)]))
        return self._digests[name]


def _machine(server: ServerFacts) -> object:
    """Return what of a server plans depend on; a replica's are its primary's."""
    place = (server.encoding, server.collate, server.ctype, server.locale_provider, server.locale)
    return server.version, server.block_size, place


def settings(profile: Profile) -> tuple[tuple[str, str], ...]:
    """Return production's settings that a plan depends on and that somebody set, in the order of their names."""
    chosen = (s for s in profile.settings if s.source not in _NOBODY and _PLANNING.match(s.name.lower()))
    return tuple(sorted((s.name, s.value) for s in chosen))


def changed(before: str, after: str) -> frozenset[str]:
    """Return the names of the parts in which two digests differ; `premortem` stands for the version.

    >>> sorted(changed("0.1 rules:a schema:b", "0.1 rules:a schema:c"))
    ['schema']
    """
    was, now = (dict(_parts(digest)) for digest in (before, after))
    return frozenset(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))


def _parts(digest: str) -> Iterator[tuple[str, str]]:
    for part in digest.split(" "):
        name, colon, value = part.partition(":")
        yield (name, value) if colon else ("premortem", part)


def definition(table: Table) -> object:
    """Return how a relation is defined, without what production's use of it changes."""
    return (
        table.schema, table.name, table.kind, [replace(c, statistics=()) for c in table.columns], table.constraints,
        [_index_definition(table, i) for i in range(len(table.indexes))],
        [(s.schema, s.name, s.definition, s.statistics_target) for s in table.statistics], table.policies,
        table.triggers, table.row_security, table.force_row_security, table.persistence, table.access_method,
        table.tablespace, table.options, table.parents, table.partition_bound, table.partition_key, table.definition,
        table.foreign_server,
    )  # fmt: skip


def _index_definition(table: Table, number: int) -> object:
    index = table.indexes[number]
    return (
        index.name, index.definition, index.valid, index.ready, index.immediate, index.constraint, index.tablespace,
        index.unique, index.parent,
    )  # fmt: skip


def measures(table: Table) -> object:
    """Return the sizes and statistics of a relation."""
    indexes = [
        (i.pages, i.relation_pages, i.tuples, i.level, i.metapage, [c.statistics for c in i.expression_columns])
        for i in table.indexes
    ]
    sizes = (table.pages, table.relation_pages, table.tuples, table.all_visible)
    return sizes, [c.statistics for c in table.columns], indexes, table.statistics


def _sha(text: str | bytes) -> bytes:
    return hashlib.sha256(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")).digest()


def _short(value: object) -> str:
    return hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]
