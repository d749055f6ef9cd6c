"""Runs the change's migrations on a twin while its tables are empty, and watches what each statement does.

Every statement runs in a transaction of its own, so that its locks can be read before it commits.  What production
already has is skipped and said; so is what cannot mean anything without rows, or must not be done from here.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from premortem import pg
from premortem.errors import ConnectionRefused, ServerError, StatementError
from premortem.migrations.files import Migration
from premortem.migrations.locks import Lock, Mode
from premortem.migrations.observed import Kind, Observed, Work
from premortem.migrations.steps import Step, steps
from premortem.model import Gap, RelationName, literal, quoted

queries = pg.named_sql("premortem.migrations", "sql/applying.sql")

_CONCURRENTLY = re.compile(
    r"(?P<before>\b(?:INDEX|TABLE|SCHEMA|VIEW|PARTITION\s+(?:\"[^\"]+\"|[\w$.]+)+))\s+CONCURRENTLY\b"
    r"|\(\s*CONCURRENTLY\s*(?:true|on|1)?\s*\)",
    re.I,
)
_LOCAL = re.compile(r"^\s*SET\s+LOCAL\b", re.I)
_ROLE = re.compile(r'role "(?P<name>.+)" does not exist')
_MESSAGES = (
    (Kind.REWRITE, re.compile(r'^rewriting table "(?P<table>.+)"$')),
    (Kind.VERIFY, re.compile(r'^verifying table "(?P<table>.+)"$')),
    (Kind.BUILD, re.compile(r'^building index "(?P<name>.+)" on table "(?P<table>.+?)"')),
    (Kind.VALIDATE, re.compile(r'^validating foreign key constraint "(?P<name>.+)"$')),
)
#: Errors that say that production has it already: duplicate table, column, object, function, schema, primary key.
_ALREADY = frozenset({"42P07", "42701", "42710", "42723", "42P06", "42P16"})
#: Statements that change or read rows, or run code that may: without rows their failing says nothing.
_OF_ROWS = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "SELECT", "DO", "CALL"})
_NO_ROWS = ("23", "P0", "22", "40", "21")
#: Statements that concern the server and not the schema, or that reach out of it.
_ELSEWHERE = frozenset(
    {
        "CREATEDB", "DROPDB", "ALTER DATABASE", "ALTER DATABASE SET", "ALTER SYSTEM", "CREATE TABLE SPACE",
        "DROP TABLE SPACE", "CREATE SUBSCRIPTION", "ALTER SUBSCRIPTION", "DROP SUBSCRIPTION", "VACUUM", "VACUUM FULL",
        "ANALYZE", "CHECK POINT", "DISCARD", "COPY FROM", "COPY TO", "REINDEX DATABASE", "REINDEX SYSTEM", "LOAD",
        "CREATE EVENT TRIG",
    }
)  # fmt: skip
#: Settings that would keep the twin from answering, or from being watched; a role would keep it from being changed.
_NOT_SET = frozenset(
    {
        "lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout", "role",
        "session_authorization", "client_min_messages", "client_encoding", "event_triggers",
    }
)  # fmt: skip
_MOST_ROLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What the migrations did, statement by statement, and what of them could not be run."""

    observed: tuple[Observed, ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relation:
    oid: int
    schema: str | None
    name: str | None
    kind: str | None
    file: int
    table_oid: int

    @property
    def relation(self) -> RelationName:
        return RelationName(schema=self.schema or "", name=self.name or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Locked(_Relation):
    mode: str


def apply(
    db: pg.Session, migrations: Sequence[Migration], search_path: Sequence[str], *, time_zone: str = ""
) -> Applied:
    """Run every statement of the migrations, along production's search path and in its time zone.

    The zone decides: where it is UTC, a timestamp becomes a timestamptz without a rewrite.
    Raises StatementError, naming file and line, where a statement fails for another reason than that production has it
    already, or that a twin has no rows.
    """
    if not migrations:
        return Applied()
    runner = _Runner(db=db, search_path=tuple(search_path), time_zone=time_zone)
    runner.known = {r.oid: r for r in db.rows(queries["relations"], _Relation)}
    observed: list[Observed] = []
    before: Migration | None = None
    for step in steps(migrations):
        if step.migration is not before:
            runner.begin_file()
            before = step.migration
        observed.append(runner.run(step))
    return Applied(observed=tuple(observed), gaps=runner.gaps())


@dataclass(slots=True)
class _Runner:
    db: pg.Session
    search_path: tuple[str, ...]
    time_zone: str = ""
    known: dict[int, _Relation] = field(default_factory=dict)
    new: set[int] = field(default_factory=set)
    skipped: dict[str, list[str]] = field(default_factory=dict)
    already: dict[str, int] = field(default_factory=dict)
    roles: list[str] = field(default_factory=list)

    def begin_file(self) -> None:
        """Forget what the file before has set."""
        path = ", ".join(quoted(s) for s in self.search_path) or literal("")
        self.db.execute(f"SET search_path = {path}")
        with contextlib.suppress(StatementError):  # a zone that this machine lacks is not UTC, and neither is its own
            self.db.execute(f"SET TimeZone = {literal(self.time_zone)}" if self.time_zone else "RESET TimeZone")

    def run(self, step: Step) -> Observed:
        """Run one statement, watched, or say why it was not."""
        why = _not_run(step)
        if why is not None:
            return Observed(number=step.number, skipped=why)
        for _ in range(_MOST_ROLES):
            try:
                return self._watched(step)
            except ConnectionRefused:
                raise
            except (StatementError, ServerError) as error:
                if not self._made_role(error):
                    return self._refused(step, error)
        raise StatementError(f"{step.site}: the migration names more roles than can be made up")

    def _watched(self, step: Step) -> Observed:
        with self.db.noticed() as said, self.db.transaction():
            self.db.execute("SET LOCAL client_min_messages = debug1")
            self.db.execute(_runnable(step))
            self.db.execute("SET LOCAL client_min_messages = notice")
            locked = self.db.rows(queries["locked"], _Locked)
        return self._observation(step, locked, said)

    def _observation(self, step: Step, locked: Sequence[_Locked], said: Sequence[str]) -> Observed:
        now = {r.oid: r for r in locked if r.name is not None}
        dropped = {self.known[r.oid].relation: r.oid for r in locked if r.name is None and r.oid in self.known}
        self._take_over(dropped, now)
        created = [r for oid, r in now.items() if oid not in self.known]
        rewritten = [r for oid, r in now.items() if oid in self.known and r.file != self.known[oid].file]
        locks = _strongest(lock for r in locked if (lock := self._lock(r)) is not None)
        work = self._work(said, now, rewritten, step)
        observed = Observed(
            number=step.number,
            locks=locks,
            work=work,
            created=tuple(r.relation for r in created),
            dropped=tuple(r for r, oid in dropped.items() if oid not in self.new),
        )
        self._remember(now, created)
        return observed

    def _take_over(self, dropped: dict[RelationName, int], now: Mapping[int, _Relation]) -> None:
        """Know an index that a statement makes again under its name, as a change of type does, for the old one."""
        for oid, relation in now.items():
            before = dropped.pop(relation.relation, None) if oid not in self.known else None
            if before is not None:
                self.known[oid] = self.known[before]
                self.new |= {oid} if before in self.new else set()

    def _lock(self, locked: _Locked) -> Lock | None:
        before = self.known.get(locked.oid)
        shown = before or (locked if locked.name is not None else None)
        if shown is None or (shown.kind or "") not in "rpmfivSI":
            return None
        table = self.known.get(shown.table_oid) if shown.table_oid else None
        return Lock(
            relation=shown.relation,
            mode=Mode.parse(locked.mode),
            table=table.relation if table is not None else None,
            is_new=before is None or locked.oid in self.new or (shown.table_oid in self.new),
        )

    def _work(
        self, said: Sequence[str], now: Mapping[int, _Relation], rewritten: Sequence[_Relation], step: Step
    ) -> tuple[Work, ...]:
        if step.said.verb == "TRUNCATE":  # new files and new indexes, of no rows
            return ()
        found = [w for message in said for w in self._told(message, now, step)]
        silent = [r for r in rewritten if r.kind in ("r", "m")]
        copied = [Work(kind=Kind.REWRITE, table=self._origin(r.oid, r)) for r in silent if r.oid not in self.new]
        return tuple(dict.fromkeys((*found, *copied)))

    def _told(self, message: str, now: Mapping[int, _Relation], step: Step) -> list[Work]:
        for kind, pattern in _MESSAGES:
            match = pattern.match(message)
            if match is None:
                continue
            named = match.groupdict()
            tables = [r for r in now.values() if r.name == named.get("table") and r.kind in ("r", "m", "p", "f")]
            if kind is Kind.VALIDATE:
                tables = _declaring(now, step)
            old = [r for r in tables if r.oid in self.known and r.oid not in self.new]
            return [Work(kind=kind, table=self._origin(r.oid, r), name=named.get("name")) for r in old]
        return []

    def _origin(self, oid: int, now: _Relation) -> RelationName:
        return self.known.get(oid, now).relation

    def _remember(self, now: Mapping[int, _Relation], created: Sequence[_Relation]) -> None:
        """Note new files; a relation that was there before keeps the name that production knows it by."""
        for oid, seen in now.items():
            before = self.known.get(oid)
            shown = before or seen
            self.known[oid] = _Relation(
                oid=oid, schema=shown.schema, name=shown.name, kind=seen.kind, file=seen.file, table_oid=seen.table_oid
            )
        self.new |= {r.oid for r in created}

    def _made_role(self, error: StatementError | ServerError) -> bool:
        """Make up a role that production has; GRANT and OWNER TO need no more of it than its name."""
        missing = _ROLE.search(error.message)
        if missing is None or missing["name"] in self.roles or len(self.roles) >= _MOST_ROLES:
            return False
        self.roles.append(missing["name"])
        self.db.execute(f"CREATE ROLE {quoted(missing['name'])} NOLOGIN")
        return True

    def _refused(self, step: Step, error: StatementError | ServerError) -> Observed:
        state = error.sqlstate or ""
        if state in _ALREADY:
            self.already[step.migration.path] = self.already.get(step.migration.path, 0) + 1
            return Observed(number=step.number, skipped="production already has it")
        why = _harmless(step, state, error.message)
        if why is not None:
            self.skipped.setdefault(step.migration.path, []).append(f"line {step.first_line} ({why})")
            return Observed(number=step.number, skipped=why)
        raise StatementError(
            f"{step.site}: the migration fails on production's schema: {error.message}",
            hint="give only the migrations that production does not have yet",
            sqlstate=error.sqlstate,
        ) from error

    def gaps(self) -> tuple[Gap, ...]:
        """Return what was not run, a gap for each file."""
        had = [
            Gap(
                subject=f"migration {path}",
                says=f"{count} of its statements create what production already has; they were skipped.",
            )
            for path, count in self.already.items()
        ]
        left = [
            Gap(
                subject=f"migration {path}",
                says=f"The twin could not run {'; '.join(whys[:3])}"
                + (f" and {len(whys) - 3} more." if len(whys) > 3 else "."),
                effect="What these statements do is not judged.",
            )
            for path, whys in self.skipped.items()
        ]
        return (*had, *left)


def _declaring(now: Mapping[int, _Relation], step: Step) -> list[_Relation]:
    """Return the table whose foreign key is validated: the message names the constraint only."""
    tables = [r for r in now.values() if r.kind in ("r", "p")]
    named = [r for r in tables if step.said.relation is not None and r.name == step.said.relation.name]
    return (named or tables)[:1]


def _not_run(step: Step) -> str | None:
    if step.is_control or (not step.said.verb and step.code.startswith("\\")):
        return "it changes nothing by itself"
    if step.undone:
        return "the file rolls it back"
    if step.said.verb in _ELSEWHERE:
        return "it is about the server or its rows, not the schema"
    if step.said.verb in ("SET", "RESET") and (step.said.name or "").lower() in _NOT_SET:
        return "it is a setting of the session"
    return None


def _runnable(step: Step) -> str:
    """Return the statement as it can run in a transaction: what CONCURRENTLY builds in the end is the same."""
    if step.said.verb == "SET":
        return _LOCAL.sub("SET", step.code)
    if step.said.concurrently or any(a.concurrently for a in step.said.actions):
        return _CONCURRENTLY.sub(lambda m: m["before"] or "", step.code, count=1)
    return step.text


def _harmless(step: Step, state: str, message: str) -> str | None:
    """Return why a statement may fail here and not in production, None where it would fail there too."""
    if step.said.verb in _OF_ROWS and state[:2] in _NO_ROWS:
        return f"it needs rows: {message}"
    if state == "3D000":
        return "it names a database"
    if state in ("0A000", "58P01") and "extension" in message:
        return f"this machine lacks the extension: {message}"
    return None


def _strongest(locks: Iterable[Lock]) -> tuple[Lock, ...]:
    found: dict[RelationName, Lock] = {}
    for lock in locks:
        before = found.get(lock.relation)
        if before is None or before.mode.strength < lock.mode.strength:
            found[lock.relation] = lock
    return tuple(sorted(found.values(), key=lambda k: (-k.mode.strength, k.relation)))
