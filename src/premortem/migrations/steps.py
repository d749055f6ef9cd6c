"""Takes migrations apart into the statements that run, each with the transaction and the timeouts it runs under."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from premortem.errors import StatementError
from premortem.migrations.files import Migration
from premortem.model import Query, Site, Unreadable
from premortem.sqltext import Definition, definition, split

_TIMEOUTS = ("lock_timeout", "statement_timeout")
_SET_CONFIG = re.compile(r"set_config\s*\(\s*'(?P<name>lock_timeout|statement_timeout)'\s*,\s*'(?P<value>[^']*)'", re.I)
_SQUAWK_IGNORE = re.compile(
    r"(?:--|/\*)\s*squawk-ignore(?P<file>-file)?(?:\s+(?P<rules>[\w-]+(?:\s*,\s*[\w-]+)*))?", re.I
)
#: Written into the session, and not a step of its own.
CONTROL = frozenset({"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "ROLLBACK TO", "PREPARE TRANSACTION"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One statement of a migration.

    `transaction` is the number of the transaction that it shares with others, None where it commits by itself as far as
    anybody says.  `undone` says that the file rolls it back.  `ignored` are the rules that a squawk-ignore comment
    names, `*` for all.
    """

    migration: Migration
    number: int
    query: Query | Unreadable
    said: Definition
    transaction: int | None = None
    lock_timeout: bool = False
    statement_timeout: bool = False
    undone: bool = False
    ignored: frozenset[str] = frozenset()
    end_line: int = 0

    @property
    def site(self) -> Site:
        """Where it stands."""
        return self.query.site

    @property
    def text(self) -> str:
        """The statement as its author wrote it."""
        return self.query.original

    @property
    def code(self) -> str:
        """The statement without the comments above it."""
        return self.query.text if isinstance(self.query, Query) else self.query.original

    @property
    def is_control(self) -> bool:
        """Whether it only begins, ends or marks a transaction."""
        return self.said.verb in CONTROL

    @property
    def first_line(self) -> int:
        """The line of its first word."""
        return self.query.site.line or 1


def steps(migrations: Sequence[Migration]) -> tuple[Step, ...]:
    """Return every statement of the migrations in order."""
    found: list[Step] = []
    for place, migration in enumerate(migrations):
        found += _File(migration=migration, first=len(found), transaction=place * 10_000).steps()
    return tuple(found)


@dataclass(slots=True)
class _File:
    """Reads one file; what BEGIN and SET say holds for the statements after them."""

    migration: Migration
    first: int
    transaction: int
    lock_timeout: bool = False
    statement_timeout: bool = False
    local: tuple[bool, bool] | None = None
    in_block: bool = False

    def steps(self) -> list[Step]:
        whole_file = self._ignored_in_file()
        read = [self._step(n, q, whole_file) for n, q in enumerate(split(self.migration.text, self.migration.path))]
        return list(_without_undone(read))

    def _step(self, number: int, query: Query | Unreadable, whole_file: frozenset[str]) -> Step:
        said = _definition(query)
        step = Step(
            migration=self.migration,
            number=self.first + number,
            query=query,
            said=said,
            transaction=self.transaction if self.in_block or self.migration.wrapped else None,
            lock_timeout=self.lock_timeout,
            statement_timeout=self.statement_timeout,
            ignored=whole_file | _ignored(query.original),
            end_line=_end_line(query),
        )
        self._after(said, query)
        return step

    def _after(self, said: Definition, query: Query | Unreadable) -> None:
        if said.verb == "BEGIN":
            self.in_block, self.local = True, (self.lock_timeout, self.statement_timeout)
            self.transaction += 0 if self.migration.wrapped else 1
        elif said.verb in ("COMMIT", "ROLLBACK", "PREPARE TRANSACTION"):
            self.in_block = False
            if self.local is not None:
                self.lock_timeout, self.statement_timeout = self.local
            self.local = None
            self.transaction += 1
        elif said.verb in ("SET", "RESET"):
            self._set(said.name, said.value if said.verb == "SET" else None, is_local=said.is_local)
        elif said.verb == "SELECT" and (found := _SET_CONFIG.search(query.original)):
            self._set(found["name"].lower(), found["value"], is_local=False)

    def _set(self, name: str | None, value: str | None, *, is_local: bool) -> None:
        if name not in _TIMEOUTS:
            return
        given = value is not None and re.sub(r"\D", "", value).strip("0") != ""
        setattr(self, name, given)
        if self.local is not None and not is_local:
            lock, statement = self.local
            self.local = (given, statement) if name == "lock_timeout" else (lock, given)

    def _ignored_in_file(self) -> frozenset[str]:
        found = [m for m in _SQUAWK_IGNORE.finditer(self.migration.text) if m["file"]]
        return frozenset(r for m in found for r in _rules(m["rules"]))


def _definition(query: Query | Unreadable) -> Definition:
    if isinstance(query, Unreadable) or query.text.startswith("\\"):
        return Definition(verb="")
    try:
        return definition(query.text)
    except StatementError:
        return Definition(verb="")


def _ignored(text: str) -> frozenset[str]:
    found = [m for m in _SQUAWK_IGNORE.finditer(text) if not m["file"]]
    return frozenset(r for m in found for r in _rules(m["rules"]))


def _rules(said: str | None) -> tuple[str, ...]:
    return tuple(r.strip() for r in said.split(",")) if said else ("*",)


def _end_line(query: Query | Unreadable) -> int:
    body = query.text if isinstance(query, Query) else query.original
    return (query.site.line or 1) + body.count("\n")


def _without_undone(read: Sequence[Step]) -> Iterator[Step]:
    """Mark what stands between a BEGIN and its ROLLBACK."""
    begun: int | None = None
    undone: set[int] = set()
    for place, step in enumerate(read):
        if step.said.verb == "BEGIN":
            begun = place
        elif step.said.verb == "COMMIT":
            begun = None
        elif step.said.verb == "ROLLBACK" and begun is not None:
            undone |= set(range(begun, place))
            begun = None
    for place, step in enumerate(read):
        yield replace(step, undone=True) if place in undone else step
