"""Everything after the rows: indexes, keys, statistics, constraints, sequences, views, triggers.

Statements that do not wait for each other run at once, each in a session of its own; every one is a step that is
written down, so an interrupted run goes on where it was.  What the rows do not fulfil is kept as far as it goes (an
index without its promise, a constraint that is NOT VALID) and told as a gap.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from premortem import pg, words
from premortem.errors import ConnectionRefused, PremortemError, ServerError, StatementError
from premortem.mirror import manifest, schema, statements
from premortem.mirror.place import settle
from premortem.model import Gap, Profile, RelationName, quoted
from premortem.twin.build import apply_settings
from premortem.twin.ddl import Statement

queries = pg.named_sql("premortem.mirror", "sql/finishing.sql")

Told = Callable[[str], None]

#: Of the sort of a large index: more is taken from our own server, whose memory we know.
_MEMORY = "256MB"
#: A share of all-visible pages above which the rest is what VACUUM leaves anyway.
_AS_GOOD_AS_ALL = 0.98
_PAGES_AT_ONCE = 50_000
_UNIQUE, _OUT_OF_MEMORY_OR_DISK = "23505", ("53100", "53200")


@dataclass(slots=True)
class Finishing:
    """A mirror whose rows are in, and the sessions that finish it."""

    place: str
    database: str
    profile: Profile
    loaded: frozenset[RelationName]
    count: int
    told: Told
    memory: str = _MEMORY
    undo: tuple[Statement, ...] = ()
    done: set[str] = field(default_factory=set)
    all_visible: Mapping[str, float] = field(init=False)

    def __post_init__(self) -> None:
        self.all_visible = statements.all_visible(self.profile)

    def run(self, db: pg.Session) -> None:
        """Do everything that is not done; raises what ends it all, such as a full disk."""
        self.done |= manifest.steps(db)
        settle(db, memory=self.memory)
        manifest.note_gaps(db, _skipped(self.profile))
        self._one_by_one(db, "setting fill factors back", self.undo)
        self._at_once("building indexes", statements.indexes(self.profile), self._index)
        self._one_by_one(db, "turning indexes into keys", statements.keys(self.profile))
        self._flush(db)
        for phase in statements.gathering(self.profile):
            self._at_once("gathering statistics", [phase], self._gather)
        self._constrain(db)
        self._sequences(db)
        self._at_once("filling materialized views", statements.views(self.profile), self._statement)
        self._one_by_one(db, "creating triggers and policies", statements.last(self.profile))
        manifest.note_gaps(db, apply_settings(db, self.database, self.profile, "The mirror"))

    def _at_once(
        self, what: str, sequences: Iterable[Sequence[Statement]], act: Callable[[pg.Session, Statement], None]
    ) -> None:
        """Run every step in one of several sessions; steps begin in the order in which they stand."""
        steps = [step for sequence in sequences for step in sequence if _name(step) not in self.done]
        if not steps:
            return
        waiting: queue.SimpleQueue[Statement] = queue.SimpleQueue()
        for step in steps:
            waiting.put(step)
        progress = _Progress(what=what, total=len(steps), told=self.told)
        with ThreadPoolExecutor(min(self.count, len(steps))) as pool:
            workers = [pool.submit(self._work, waiting, act, progress) for _ in range(min(self.count, len(steps)))]
        for worker in workers:
            worker.result()

    def _work(
        self, waiting: queue.SimpleQueue[Statement], act: Callable[[pg.Session, Statement], None], progress: _Progress
    ) -> None:
        with pg.writer(self.place, purpose="mirror") as db:
            settle(db, memory=self.memory)
            try:
                while (step := _next(waiting)) is not None:
                    act(db, step)
                    progress.more()
            except BaseException:
                _drain(waiting)  # the others end with what they are at
                raise

    def _index(self, db: pg.Session, step: Statement) -> None:
        error = schema.attempt(db, step, self.done)
        if error is None:
            return
        _end_if_hopeless(error)
        plain = statements.without_unique(step.sql)
        if plain is not None and _state(error) == _UNIQUE:
            instead = schema.attempt(db, Statement(subject=step.subject, sql=plain), self.done)
            if instead is None:
                manifest.note_gaps(db, [_not_unique(step, error)])
                return
        manifest.note_gaps(db, [_missing(step, error)])

    def _statement(self, db: pg.Session, step: Statement) -> None:
        if (error := schema.attempt(db, step, self.done)) is not None:
            _end_if_hopeless(error)
            manifest.note_gaps(db, [_missing(step, error)])

    def _flush(self, db: pg.Session) -> None:
        """Have every commit so far written out: VACUUM takes no row for visible whose commit is still on its way."""
        db.execute("SET synchronous_commit = on")
        manifest.enter(db, manifest.Stage.FINISHING)

    def _gather(self, db: pg.Session, step: Statement) -> None:
        """VACUUM makes the rows visible to index-only scans, of which production has fewer; ANALYZE counts them."""
        try:
            # A commit on its way makes 32 transactions around it look as if they were (the commit log's LSN groups).
            db.execute("SET synchronous_commit = on")
            db.execute(step.sql)
            if step.sql in self.all_visible:
                _unsee(db, step.sql.removeprefix("VACUUM "), self.all_visible[step.sql])
            db.execute(statements.analyzing(step.sql))
        except ConnectionRefused:
            raise
        except (StatementError, ServerError) as error:
            _end_if_hopeless(error)
            manifest.note_gaps(db, [_not_gathered(step, error)])
            return
        manifest.note_step(db, step.sql)  # not in one transaction with VACUUM, which then runs once more at worst
        self.done.add(_name(step))

    def _one_by_one(self, db: pg.Session, what: str, every: Iterable[Statement]) -> tuple[Gap, ...]:
        steps = [s for s in every if _name(s) not in self.done]
        if not steps:
            return ()
        self.told(what)
        gaps = schema.run(db, steps, self.done)
        manifest.note_gaps(db, gaps)
        return gaps

    def _constrain(self, db: pg.Session) -> None:
        """Add the constraints, which takes no time while they are not valid, then validate them side by side."""
        pairs = (*statements.constraints(self.profile), *_put_off(db))
        self._one_by_one(db, "adding constraints", [add for add, _ in pairs])
        validating = [(v,) for add, v in pairs if v is not None and _name(add) in self.done]
        kept = [(v,) for (v,) in validating if not self._is_of_unloaded(v)]
        self._at_once("validating constraints", kept, self._validate)
        manifest.note_gaps(db, [_unchecked(v) for (v,) in validating if self._is_of_unloaded(v)])

    def _is_of_unloaded(self, validate: Statement) -> bool:
        return validate.sql in self._unloaded

    @property
    def _unloaded(self) -> frozenset[str]:
        """The validations that cannot succeed: of a foreign key from a table with rows to one that was left empty."""
        return frozenset(
            f"ALTER TABLE {t.relation.sql} VALIDATE CONSTRAINT {quoted(c.name)}"
            for t in self.profile.tables
            if t.relation in self.loaded
            for c in t.foreign_keys
            if c.references is not None and c.references not in self.loaded
        )

    def _validate(self, db: pg.Session, step: Statement) -> None:
        if (error := schema.attempt(db, step, self.done)) is not None:
            _end_if_hopeless(error)
            manifest.note_gaps(db, [_not_valid(step, error)])

    def _sequences(self, db: pg.Session) -> None:
        """Let every sequence go on after the highest value that its columns have."""
        owned = db.rows(queries["sequences"], _Sequence)
        for name in dict.fromkeys((s.sequence_schema, s.sequence_name) for s in owned):
            columns = [s for s in owned if (s.sequence_schema, s.sequence_name) == name]
            if all(c.increment > 0 for c in columns):
                _advance(db, columns)


def _put_off(db: pg.Session) -> list[tuple[Statement, Statement | None]]:
    """The checks of domains, which were taken away so that they refuse no row."""
    return [
        (Statement(subject=subject, sql=sql), Statement(subject=subject, sql=validates) if validates else None)
        for subject, sql, validates in manifest.later(db)
    ]


def _unsee(db: pg.Session, relation: str, share: float) -> None:
    """Leave only that share of a table's pages all-visible."""
    if share > _AS_GOOD_AS_ALL:
        return
    pages = int(db.value(queries["pages"], relation=relation))
    text = queries["unsee"].pick(db.server_version).replace("{relation}", relation.replace("%", "%%"))
    for first in range(0, pages, _PAGES_AT_ONCE):
        with db.rolled_back():
            last = min(first + _PAGES_AT_ONCE, pages) - 1
            db.execute(text, first=first, last=last, seen=round(share * 1024))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sequence:
    sequence_schema: str
    sequence_name: str
    table_schema: str
    table_name: str
    column_name: str
    increment: int
    least: int
    most: int


def _advance(db: pg.Session, columns: Sequence[_Sequence]) -> None:
    highest = [
        db.value(f"SELECT pg_catalog.max({quoted(c.column_name)})::bigint FROM {_table(c).sql}") for c in columns
    ]
    known = [value for value in highest if value is not None and value >= columns[0].least]
    if known:
        name = RelationName(schema=columns[0].sequence_schema, name=columns[0].sequence_name).sql
        db.value(
            "SELECT pg_catalog.setval(%(name)s::pg_catalog.regclass, %(value)s)",
            name=name, value=min(max(known), columns[0].most),
        )  # fmt: skip


def _table(column: _Sequence) -> RelationName:
    return RelationName(schema=column.table_schema, name=column.table_name)


@dataclass(slots=True)
class _Progress:
    """How many steps of a kind are done, told as they are."""

    what: str
    total: int
    told: Told
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._tell()

    def more(self) -> None:
        with self.lock:
            self.done += 1
            self._tell()

    def _tell(self) -> None:
        self.told(f"{self.what}: {words.number(self.done)} of {words.number(self.total)}")


def _name(step: Statement) -> str:
    return manifest.step_name(step.sql)


def _next(waiting: queue.SimpleQueue[Statement]) -> Statement | None:
    try:
        return waiting.get_nowait()
    except queue.Empty:
        return None


def _drain(waiting: queue.SimpleQueue[Statement]) -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            waiting.get_nowait()


def _state(error: PremortemError) -> str | None:
    return error.sqlstate if isinstance(error, (ServerError, StatementError)) else None


def _end_if_hopeless(error: PremortemError) -> None:
    """Raise what no later step can succeed after: a full disk, or no memory."""
    if _state(error) in _OUT_OF_MEMORY_OR_DISK:
        raise error


def _skipped(profile: Profile) -> list[Gap]:
    return [
        Gap(
            subject=f"index {name}",
            says="It is invalid in production (a failed CREATE INDEX CONCURRENTLY) and is not built in the mirror.",
            effect="None on plans; writes are a little cheaper than in production.",
            cure=f"DROP INDEX CONCURRENTLY {name} in production",
        )
        for name in statements.skipped_indexes(profile)
    ]


def _not_unique(step: Statement, error: PremortemError) -> Gap:
    return Gap(
        subject=step.subject,
        says=f"The mirror's rows are not unique in it ({manifest.words_of(error)}); it is built as a plain index.",
        effect="The planner does not know that a lookup finds at most one row.",
    )


def _missing(step: Statement, error: PremortemError) -> Gap:
    return Gap(
        subject=step.subject,
        says=f"It could not be created in the mirror: {manifest.words_of(error)}.",
        effect="Queries that need it take another way than in production.",
    )


def _not_valid(step: Statement, error: PremortemError) -> Gap:
    return Gap(
        subject=step.subject,
        says=f"The mirror's rows do not all fulfil it ({manifest.words_of(error)}), so it stays NOT VALID.",
        effect="The planner does not rely on it; new rows are checked.",
    )


def _unchecked(step: Statement) -> Gap:
    return Gap(
        subject=step.subject,
        says="The table that it refers to has no rows in this mirror, so it stays NOT VALID.",
        effect="New rows are refused; joins of the two tables find nothing.",
        cure="build the mirror with both tables",
    )


def _not_gathered(step: Statement, error: PremortemError) -> Gap:
    return Gap(
        subject=step.subject,
        says=f"ANALYZE failed: {manifest.words_of(error)}.",
        effect="The planner guesses where this table is concerned.",
    )
