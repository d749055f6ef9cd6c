"""Opens a mirror for execution: looks who it is, takes production's settings, and sweeps up after killed runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from premortem import pg, words
from premortem.check import Executor
from premortem.errors import ServerError, ServerTimeout, StatementError
from premortem.execution import admission
from premortem.execution.differing import can_hide, differing
from premortem.execution.rehearsing import Stage
from premortem.execution.running import Runner, queries
from premortem.execution.values import Rows
from premortem.migrations import Migration, apply
from premortem.mirror import manifest, target
from premortem.model import Gap, ParameterSet, Planned, Profile, Query, RelationName
from premortem.twin.build import effective_settings
from premortem.twin.explaining import Explainer

LIMIT = timedelta(seconds=30)
_BUILD_LIMIT = timedelta(minutes=15)
_OURS_TO_SET = frozenset({"user", "superuser"})
#: Rows of no table are counted by less than ANALYZE; one that was never analyzed says -1.
_UNKNOWN = -1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A mirror that executes, and what it cannot tell."""

    executor: Executor
    gaps: tuple[Gap, ...]


@contextlib.contextmanager
def open(
    dsn: str,
    profile: Profile,
    *,
    limit: timedelta = LIMIT,
    shows_values: bool = False,
    migrations: Sequence[Migration] = (),
) -> Iterator[Opened]:
    """Yield what executes queries on the database of a connection string.

    A mirror's rows are nobody's; those of somebody's staging copy give values only where they may be shown.  The
    change's migrations run there first, in a transaction that everything else is a part of, and that is rolled back.

    Raises TargetRefused where nothing may be executed there: production, a replica, somebody's own database.
    """
    with _entered(dsn, profile, limit, in_transaction=bool(migrations)) as entered, contextlib.ExitStack() as stack:
        db, runner = entered.runner.db, entered.runner
        may_show = entered.made is not None or shows_values
        gaps = (
            *(() if may_show else (_UNASKED,)),
            *entered.gaps,
            *_migrated(db, migrations, profile, stack),
            *_first_runs(runner),
        )
        executor = Executor(
            place=db.place,
            execute=runner.execute,
            sampled=Rows(db=db, present=entered.present).sampled if may_show else _no_values,
            building=runner.building,
            is_whole=entered.is_whole,
        )
        yield Opened(executor=executor, gaps=gaps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A mirror on which indexes can be built, hidden and shown, and what it cannot tell."""

    stage: Stage
    gaps: tuple[Gap, ...]


@contextlib.contextmanager
def rehearse(dsn: str, profile: Profile, *, limit: timedelta = LIMIT) -> Iterator[Rehearsal]:
    """Yield what builds indexes on the database of a connection string and executes queries without and with them.

    Raises TargetRefused where nothing may be executed there: production, a replica, somebody's own database.
    """
    with _entered(dsn, profile, limit) as entered:
        runner = entered.runner
        stage = Stage(
            db=runner.db, explainer=runner.explainer, profile=profile, limit=limit, build_limit=_BUILD_LIMIT,
            whole=entered.is_whole, present=entered.present, not_of_production=runner.hidden,
        )  # fmt: skip
        try:
            with stage.open():
                yield Rehearsal(stage=stage, gaps=entered.gaps)
        finally:
            if runner.db.lost:  # a signal breaks off what it came into, and what had to be committed is still there
                with _entered(dsn, profile, limit):
                    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entered:
    """A session on the mirror that was let in: it plans as production does, and nobody's leftovers are there."""

    runner: Runner
    profile: Profile
    made: manifest.Manifest | None
    present: Mapping[RelationName, float]
    gaps: tuple[Gap, ...]

    def is_whole(self, relation: RelationName) -> bool:
        """Whether the mirror's table has at least half of production's rows."""
        return admission.is_whole(relation, self.profile, self.present)


@contextlib.contextmanager
def _entered(dsn: str, profile: Profile, limit: timedelta, *, in_transaction: bool = False) -> Iterator[_Entered]:
    with pg.writer(dsn, purpose="execution") as db:
        facts, made = target.look(db), manifest.read(db)
        refused = admission.refusal(facts, profile, made)
        if refused is not None:
            raise refused
        runner = Runner(
            db=db,
            explainer=Explainer(db=db, profile=profile, role=None),
            limit=limit,
            build_limit=_BUILD_LIMIT,
            evicts=_evicts(db),
            in_transaction=in_transaction,
        )
        runner.sweep()
        present = _present(db)
        others = differing(db, profile)
        runner.hidden = others.extra if can_hide(db, others.extra) else ()
        gaps = (
            *admission.gaps(profile, made, db.server_version, present),
            *_take_settings(db, profile),
            *others.gaps(hidden=bool(runner.hidden)),
        )
        yield _Entered(runner=runner, profile=profile, made=made, present=present, gaps=gaps)


def _migrated(
    db: pg.Session, migrations: Sequence[Migration], profile: Profile, stack: contextlib.ExitStack
) -> tuple[Gap, ...]:
    """Run the change's migrations in a transaction that ends, and is undone, with the stack."""
    if not migrations:
        return ()
    stack.enter_context(db.rolled_back())
    try:
        with db.transaction():
            db.execute(f"SET LOCAL statement_timeout = {int(_BUILD_LIMIT.total_seconds() * 1000)}")
            db.execute("SET LOCAL lock_timeout = '10s'")
            applied = apply(db, migrations, profile.search_path)
    except (StatementError, ServerTimeout) as error:
        says = f"They could not be run there: {error.message}"
        return (Gap(subject="the change's migrations on the mirror", says=says, effect=_WITHOUT),)
    return applied.gaps


_WITHOUT = "queries are executed on the schema that the mirror has, and those on new tables and columns are refused"


_UNASKED = Gap(
    subject="values of the mirror's rows",
    says="It is a staging copy, and values of its rows would stand in the report",
    effect="queries are executed with values from the statistics only, which may not go together",
    cure="--mirror-values, where the report may show them",
)


def _no_values(
    query: Query, planned: Sequence[Planned], profile: Profile
) -> tuple[tuple[ParameterSet, ...], tuple[Gap, ...]]:
    return (), ()


def _take_settings(db: pg.Session, profile: Profile) -> tuple[Gap, ...]:
    """Plan as production does; what is not there, or not for us to set, stays as it is and is a gap."""
    contexts = dict(db.tuples(queries["contexts"]))
    refused = []
    for name, value in effective_settings(profile):
        if contexts.get(name, "user") not in _OURS_TO_SET:
            continue
        try:
            db.execute("SELECT pg_catalog.set_config(%(name)s, %(value)s, false)", name=name, value=value)
        except (ServerError, StatementError):
            refused.append(name)
    if not refused:
        return ()
    return (
        Gap(
            subject="the mirror's settings",
            says=f"It does not take production's {words.listing(sorted(refused), most=8)}",
            effect="plans that depend on them may differ",
        ),
    )


def _evicts(db: pg.Session) -> str | None:
    if not db.value(queries["can evict"]):
        return None
    return str(db.value(queries["buffercache"]))


def _present(db: pg.Session) -> Mapping[RelationName, float]:
    found = db.tuples(queries["rows"])
    return {RelationName(schema=schema, name=name): tuples for schema, name, tuples in found if tuples != _UNKNOWN}


def _first_runs(runner: Runner) -> tuple[Gap, ...]:
    if runner.evicts is not None:
        return ()
    return (
        Gap(
            subject="first runs",
            says="Blocks cannot be thrown out of shared buffers there, so a first run finds what was there before it",
            effect="its time and reads are those of a warm or a cold start, as it happened",
            cure="PostgreSQL 17 or newer, and CREATE EXTENSION pg_buffercache there",
        ),
    )
