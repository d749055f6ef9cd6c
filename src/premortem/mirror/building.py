"""Builds a mirror from a profile: from the first look at the target to the last trigger.

```
build
├── target.refusal     production, a replica, somebody's data, a disk that is too small: nothing is written
├── manifest.begin     from here on the database is a mirror, and a run that was killed can go on
├── schema.create      tables without indexes and constraints; what the target lacks is a gap
├── loaded             chunks, by processes or Dask workers; a chunk and its line in the manifest commit together
└── Finishing.run      indexes, keys, statistics, constraints, sequences, views, triggers
```
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from premortem import pg, words
from premortem.errors import ConnectionRefused, MirrorError, ServerError, ServerTimeout
from premortem.mirror import crews, families, loading, manifest, schema, space, statements, target
from premortem.mirror.crews import Crew, Lost, Outcome
from premortem.mirror.finishing import Finishing
from premortem.mirror.finishing import queries as finishing_queries
from premortem.mirror.loading import Loaded, Unloadable
from premortem.mirror.manifest import Manifest, Stage
from premortem.mirror.options import Options
from premortem.mirror.place import Place
from premortem.mirror.schedule import Schedule, remaining
from premortem.mirror.target import Wanted
from premortem.model import Gap, Profile, RelationName
from premortem.twin.ddl import Statement

if TYPE_CHECKING:
    from premortem.synthesis import Synthesis

Told = Callable[[str], None]

#: A chunk that is lost this often takes its workers with it, perhaps for want of memory.
_MOST_LOST = 3
#: Below so many rows, starting another process takes longer than it saves.
_FEW_ROWS = 300_000
#: Progress is told this often, in seconds.
_EVERY = 0.5
_HINT = "what is in stays in: go on with --resume once that is mended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A finished mirror, and what making it took.

    `loaded` rows came in during this run, in `load_seconds` of its `seconds`; `was_there` says that it was finished
    before.  `gaps` are all of its gaps, also those of earlier runs.
    """

    rows: int
    loaded: int
    refused: int
    tables: int
    size_bytes: int
    seconds: float
    load_seconds: float
    gaps: tuple[Gap, ...]
    was_there: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Crewing:
    """Who loads: so many processes here (None: as many as are worth it), or the workers of a Dask cluster."""

    workers: int | None = None
    dask: str | None = None

    @property
    def sessions(self) -> int:
        """How many sessions do the work that is the server's alone."""
        return self.workers or crews.cores()

    def crew(self, place: str, rows: int) -> contextlib.AbstractContextManager[Crew]:
        """Return the crew that loads so many rows into the target at that place."""
        if self.dask is not None:
            return crews.dask(place, self.dask)
        if self.workers is None and rows < _FEW_ROWS:
            return crews.here(place)
        return crews.processes(place, self.sessions)


def build(
    place: Place,
    profile: Profile,
    options: Options,
    *,
    digest: str,
    crewing: Crewing = Crewing(),  # a frozen value
    resume: bool = False,
    told: Told = lambda _: None,
) -> Built:
    """Make the database at a place the mirror of a profile, or finish it.

    Raises TargetRefused where it must not be built there, MirrorError where it could not be finished.
    """
    began = time.monotonic()
    loading.rows_from()  # before anything is written
    told("looking at the target")
    with pg.writer(place.dsn, purpose="mirror") as db, _hinted():
        found, other = _admitted(db, place, profile, options, Wanted(digest=digest, options=options, resume=resume))
        if found is not None and found.stage is Stage.COMPLETE:
            return _built(db, loaded=0, seconds=time.monotonic() - began, load_seconds=0.0, was_there=True)
        if found is None:
            manifest.begin(db, profile, digest, options)
            manifest.note_gaps(db, other)
        mine = _with_schema(db, place, profile, found, told)
        planned = loading.planned_rows(mine, found.options if found else options)
        manifest.note_gaps(db, planned.gaps)
        fills = statements.filled(((plan.relation, plan.fillfactor) for plan in planned.tables), mine)
        manifest.note_gaps(db, schema.run(db, (before for before, _ in fills), set(manifest.steps(db))))
        loaded, load_seconds = _load(db, place, planned, crewing, told)
        manifest.enter(db, Stage.FINISHING)
        _finishing(db, place, mine, planned, crewing, [after for _, after in fills], told).run(db)
        manifest.enter(db, Stage.COMPLETE)
        return _built(db, loaded=loaded, seconds=time.monotonic() - began, load_seconds=load_seconds)


def _with_schema(db: pg.Session, place: Place, profile: Profile, found: Manifest | None, told: Told) -> Profile:
    """Create the schema, unless it is there; return the profile of what is there, which rows are made from."""
    if found is None or found.stage is Stage.SCHEMA:
        told("creating the schema")
        manifest.keep_profile(db, schema.create(db, profile, ours=place.server is not None))
    return manifest.profile(db)


@contextlib.contextmanager
def _hinted() -> Iterator[None]:
    """Say that what is done stays done, where a server or a disk ends a build halfway."""
    try:
        yield
    except (ConnectionRefused, ServerTimeout, ServerError) as error:
        hint = f"{error.hint.rstrip('.')}; {_HINT}" if error.hint else _HINT
        raise MirrorError(f"the mirror is not finished: {error.message}", hint=hint) from error


def _admitted(
    db: pg.Session, place: Place, profile: Profile, options: Options, wanted: Wanted
) -> tuple[Manifest | None, tuple[Gap, ...]]:
    """Return what is there of the mirror already, and what sets the database apart; raise why it must not be built."""
    ours = place.server.data_directory if place.server else None
    facts = target.look(db, ours=ours)
    found = manifest.read(db)
    problem = target.refusal(facts, profile, found, wanted)
    share, only = _share(profile, options)
    room = space.needed(profile, share, only)
    if problem is None and (found is None or found.stage is not Stage.COMPLETE):
        problem = target.too_small(facts, room, _present(db) if found else 0)
    if problem is not None:
        raise problem
    return found, target.gaps(facts, profile, room)


def _share(profile: Profile, options: Options) -> tuple[float, frozenset[RelationName] | None]:
    """Return how much of production the mirror holds, by rows, and of which tables."""
    only = None if options.tables is None else families.with_partitions(options.tables, profile)
    rows = sum(t.rows for t in profile.tables if t.kind.has_storage and (only is None or t.relation in only))
    share = options.scale
    if options.rows is not None and rows:
        share = min(share, options.rows / rows)
    return share, only


def _present(db: pg.Session) -> int:
    return int(db.value(finishing_queries["sizes"]))


def _built(db: pg.Session, *, loaded: int, seconds: float, load_seconds: float, was_there: bool = False) -> Built:
    done = manifest.chunks(db)
    return Built(
        rows=sum(d.rows for d in done), loaded=loaded, refused=sum(d.refused for d in done),
        tables=len({d.chunk.relation for d in done if d.rows}), size_bytes=_present(db), seconds=seconds,
        load_seconds=load_seconds, gaps=manifest.gaps(db), was_there=was_there,
    )  # fmt: skip


def _finishing(
    db: pg.Session,
    place: Place,
    profile: Profile,
    planned: Synthesis,
    crewing: Crewing,
    undo: Sequence[Statement],
    told: Told,
) -> Finishing:
    with_rows = families.whole((plan.relation for plan in planned.tables if plan.rows), profile)
    return Finishing(
        place=place.dsn, database=str(db.value("SELECT pg_catalog.current_database()")), profile=profile,
        loaded=with_rows, count=crewing.sessions, told=told,
        memory=place.sorting_memory(crewing.sessions), undo=tuple(undo),
    )  # fmt: skip


def _load(db: pg.Session, place: Place, planned: Synthesis, crewing: Crewing, told: Told) -> tuple[int, float]:
    """Have every chunk that is not in loaded; return how many rows came in and how long that took."""
    every = {plan.relation: (plan.rows, plan.chunks) for plan in planned.tables}
    done = manifest.chunks(db)
    work = remaining(every, (d.chunk for d in done))
    if not work:
        return 0, 0.0
    told("starting the workers")
    began = time.monotonic()
    load = _Load(
        db=db, schedule=Schedule(work), every=every, told=told, total=sum(rows for rows, _ in every.values()),
        before=sum(d.rows + d.refused for d in done), began=began,
    )  # fmt: skip
    with crewing.crew(place.dsn, load.total - load.before) as crew:
        load.run(crew)
    return load.rows, time.monotonic() - began


@dataclass(slots=True)
class _Load:
    """One run of loading: what is under way, and how it goes."""

    db: pg.Session
    schedule: Schedule
    every: Mapping[RelationName, tuple[int, int]]
    told: Told
    total: int
    before: int
    began: float
    rows: int = 0
    refused: int = 0
    lost: Counter[manifest.ChunkName] = field(default_factory=Counter)
    running: int = 0
    spoke: float = 0.0

    def run(self, crew: Crew) -> None:
        """Load until nothing is left."""
        while True:
            while self.running < crew.seats and (chunk := self.schedule.next()) is not None:
                crew.give(chunk)
                self.running += 1
            if not self.running:
                return
            for outcome in crew.finished():
                self.running -= 1
                self._take(outcome)
            self._tell()

    def _take(self, outcome: Outcome) -> None:
        match outcome:
            case Loaded():
                self.rows += outcome.rows
                self.refused += outcome.refused
                self.schedule.done(outcome.chunk)
                manifest.note_gaps(self.db, _told_of(outcome))
            case Unloadable():
                self.schedule.done(outcome.chunk)
                self.schedule.give_up(outcome.chunk.relation)
                manifest.note_gaps(self.db, [_given_up(outcome)])
            case Lost():
                self._again(outcome)

    def _again(self, outcome: Lost) -> None:
        chunk = outcome.chunk
        self.lost[chunk] += 1
        if self.lost[chunk] > _MOST_LOST:
            raise MirrorError(
                f"the workers that loaded chunk {chunk.number} of {chunk.relation} died {self.lost[chunk]} times",
                hint=f"they may lack memory: use fewer --workers; {_HINT}",
            )
        self.schedule.again(chunk)

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self.spoke < _EVERY:
            return
        self.spoke = now
        self.told(progress(self.before + self.rows + self.refused, self.total, self.rows, now - self.began))


def progress(done: int, total: int, here: int, seconds: float) -> str:
    """Return how far loading is, in words.

    >>> progress(5_000_000, 20_000_000, 4_000_000, 8.0)
    'loading: 5,000,000 of 20,000,000 rows, 500,000 rows/s, 30 s left'
    """
    rate = here / seconds if seconds > 0 else 0.0
    left = f", {words.duration(max(total - done, 0) / rate)} left" if rate else ""
    return f"loading: {words.number(done)} of {words.number(total)} rows, {words.number(rate)} rows/s{left}"


def _told_of(outcome: Loaded) -> Iterator[Gap]:
    table = outcome.chunk.relation
    if outcome.refused:
        yield Gap(
            subject=f"rows of {table}",
            says=f"The target refused some of them: {outcome.why}.",
            effect="The table has a few rows less than it should have.",
        )
    for column in outcome.emptied:
        yield Gap(
            subject=f"column {table}.{column}",
            says=f"The target takes none of the values made for it ({outcome.why}), so it is NULL.",
            effect="Queries that filter or join by it take another way than in production.",
        )


def _given_up(outcome: Unloadable) -> Gap:
    return Gap(
        subject=f"table {outcome.chunk.relation}",
        says=f"The target refuses the rows made for it: {outcome.why}.",
        effect="The table has only a part of its rows, or none; its plans are not production's.",
    )
