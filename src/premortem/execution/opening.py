"""Opens a mirror for execution: looks who it is, takes production's settings, and sweeps up after killed runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from premortem import pg, words
from premortem.check import Executor
from premortem.errors import ServerError, StatementError
from premortem.execution import admission
from premortem.execution.running import Runner, queries
from premortem.execution.values import Rows
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
def open(dsn: str, profile: Profile, *, limit: timedelta = LIMIT, shows_values: bool = False) -> Iterator[Opened]:
    """Yield what executes queries on the database of a connection string.

    A mirror's rows are nobody's; those of somebody's staging copy give values only where they may be shown.

    Raises TargetRefused where nothing may be executed there: production, a replica, somebody's own database.
    """
    with pg.writer(dsn, purpose="execution") as db:
        facts, made = target.look(db), manifest.read(db)
        refused = admission.refusal(facts, profile, made)
        if refused is not None:
            raise refused
        untaken = _take_settings(db, profile)
        explainer = Explainer(db=db, profile=profile, role=None)
        runner = Runner(db=db, explainer=explainer, limit=limit, build_limit=_BUILD_LIMIT, evicts=_evicts(db))
        runner.sweep()
        present = _present(db)
        executor = Executor(
            place=db.place,
            execute=runner.execute,
            sampled=Rows(db=db, present=present).sampled if made or shows_values else _no_values,
            building=runner.building,
            is_whole=lambda relation: admission.is_whole(relation, profile, present),
        )
        unasked = () if made or shows_values else (_UNASKED,)
        gaps = (*unasked, *admission.gaps(profile, made, db.server_version, present), *untaken, *_first_runs(runner))
        yield Opened(executor=executor, gaps=gaps)


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
