"""Which existing indexes may go: each proved by planning the workload without it, and all of them together.

```
drops
├── suspects       by definition, by the servers' counters
├── displacing     by the recommended indexes
├── rebuilding     which of the invalid ones somebody wants
└── trying         all at once; where that hurts somebody, one by one
    ├── sparing    what else hangs on an index, with what would be left
    └── proving    who gets dearer without it
```
An index is dropped only while what does its work stays, so of two that do the same one is always there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from premortem.advisor import existing_upkeep
from premortem.model import (
    Answer,
    Drop,
    DropKind,
    Gap,
    Index,
    Kept,
    Profile,
    Question,
    Recommendation,
    RelationKind,
    RelationName,
    Table,
    Upkeep,
)
from premortem.rules.indexes import create_sql, drop_sql, family_of
from premortem.words import duration, percent, plural
from premortem.workload.dropping import counters
from premortem.workload.dropping.displacing import displaced
from premortem.workload.dropping.proving import Proof, dearest
from premortem.workload.dropping.rebuilding import worth_building
from premortem.workload.dropping.suspects import DropLimits, Scene, Suspect, suspects, unheard
from premortem.workload.dropping.trying import Trial, settle
from premortem.workload.studied import Studied
from premortem.workload.world import World

_OLD = timedelta(days=7)
#: How long a DROP INDEX that cannot be CONCURRENTLY may wait for its lock, while everybody else waits behind it.
_LOCK_TIMEOUT = "5s"


def drops(
    studied: Sequence[Studied],
    world: World,
    *,
    recommended: Sequence[Recommendation] = (),
    visible: frozenset[int] = frozenset(),
    answers: Sequence[Answer] | None = None,
    replicas: Sequence[Profile] = (),
    now: datetime,
    limits: DropLimits | None = None,
) -> tuple[tuple[Drop, ...], tuple[Kept, ...]]:
    """Return the indexes that may go, the most worth first, and those that looked so and stay.

    `visible` are the recommended candidates' numbers in the world, `answers` the demands' answers with them where they
    are known already.  `replicas` are profiles of standbys, for their counters.
    """
    counters.check_replicas(world.profile, replicas)
    scene = scene_of(world.profile, recommended, replicas, limits)
    proof = Proof(
        studied=studied, world=world, visible=visible, base=_base(studied, world, visible, answers),
        limits=scene.limits,
    )  # fmt: skip
    suspected, kept = _suspects(scene, proof)
    trial = Trial(scene=scene, proof=proof, reasons=_by_name(suspected))
    settle(sorted(suspected, key=lambda s: _order(s, proof, world.profile)), trial)
    told = [_told(one, trial, now) for one in trial.outcome()]
    worth = sorted(told, key=lambda d: (d.kind is not DropKind.INVALID, -d.upkeep.time, -d.size_bytes, d.index))
    return tuple(worth), (*kept, *trial.kept.values())


def _suspects(scene: Scene, proof: Proof) -> tuple[list[Suspect], list[Kept]]:
    """Return what looks superfluous, and what is told without a trial."""
    found = [*suspects(scene)]
    found += displaced(scene, proof, [one.index if isinstance(one, Kept) else one.name for one in found])
    wanted = [*worth_building([s for s in found if isinstance(s, Suspect) and s.is_broken], proof)]
    kept = [*(k for k in found if isinstance(k, Kept)), *wanted]
    names = {k.index for k in wanted}
    return [s for s in found if isinstance(s, Suspect) and s.name not in names], kept


def _by_name(found: Sequence[Suspect]) -> dict[RelationName, list[Suspect]]:
    reasons: dict[RelationName, list[Suspect]] = {}
    for one in found:
        reasons.setdefault(one.name, []).append(one)
    return reasons


def drop_gaps(
    profile: Profile, *, replicas: Sequence[Profile] = (), limits: DropLimits | None = None
) -> tuple[Gap, ...]:
    """Return what the servers' counters do not say, so that indexes that look unused were not judged."""
    return unheard(scene_of(profile, (), replicas, limits))


def scene_of(
    profile: Profile,
    recommended: Sequence[Recommendation],
    replicas: Sequence[Profile],
    limits: DropLimits | None,
) -> Scene:
    """Return what suspicion rests on."""
    new = [(r.name, r.candidate) for r in recommended]
    return Scene(profile=profile, replicas=replicas, recommended=new, limits=limits or DropLimits())


def _base(
    studied: Sequence[Studied], world: World, visible: frozenset[int], answers: Sequence[Answer] | None
) -> tuple[Answer, ...]:
    if answers is not None:
        return tuple(answers)
    if not visible:
        return tuple(one.before for one in studied)
    return world.ask([Question(demand=n, visible=visible) for n in range(len(studied))])


def _order(suspect: Suspect, proof: Proof, profile: Profile) -> tuple[int, float, int, str]:
    """Return what orders suspects: the surer ones first, then those that cost most to keep."""
    upkeep = _upkeep(suspect, profile)
    return _doubt(suspect, proof), -upkeep.time.total_seconds(), -suspect.size_bytes, suspect.name.sql


def _doubt(suspect: Suspect, proof: Proof) -> int:
    """Return how unsure it is that an index is superfluous.

    Copies go before what is unused, so that of several the usual one stays.  What neither the counters nor the plans
    know goes before its own prefix, which may be what everybody reads.
    """
    if suspect.kind is DropKind.UNUSED:
        return 3 if proof.readers(suspect) else 1
    return 0 if suspect.kind in (DropKind.INVALID, DropKind.DUPLICATE) else 2


# in words ---------------------------------------------------------------------------------------------------


def _told(suspect: Suspect, trial: Trial, now: datetime) -> Drop:
    table, index, profile = suspect.table, suspect.index, trial.scene.profile
    instead = trial.stand_in(suspect)
    return Drop(
        index=suspect.name,
        table=table.relation,
        kind=instead.kind if instead is not None else suspect.kind,
        size_bytes=suspect.size_bytes,
        says=trial.says(suspect),
        proof=_proof(suspect, trial),
        upkeep=_upkeep(suspect, profile),
        instead=instead.words if instead is not None else None,
        caution=(*suspect.caution, *trial.cautions.get(suspect.name, ()), *_locked(table), *_aged(profile, now)),
        statements=_statements(table, index),
        undo_statements=create_sql(table, index, profile),
    )


def _proof(suspect: Suspect, trial: Trial) -> str:
    if suspect.is_broken:
        return "the planner passes over an invalid index, so no plan changes without it"
    proof, table = trial.proof, suspect.table.full_name
    proof, table = trial.proof, suspect.table.full_name
    near, readers = proof.touching((suspect,)), proof.readers(suspect)
    on_table = plural(len(near), "query", "queries")
    if not near:
        return f"none of {plural(len(proof.studied), 'query', 'queries')} of the workload reads {table}"
    if not readers and len(near) == 1:
        return f"the one query on {table} does not read it, and its plan stays the same without it"
    if not readers:
        return f"no plan of {on_table} on {table} reads it, and none changes without it"
    worst = dearest(proof.base, proof.without(trial.hidden, readers, whole=True))
    dearer = f"dearer by more than {percent(round(worst - 1, 3))}" if worst > 1.0005 else "dearer"
    reads = "reads" if len(readers) == 1 else "read"
    return f"{len(readers)} of {on_table} on {table} {reads} it: planned without all that may go, none gets {dearer}"


def _upkeep(suspect: Suspect, profile: Profile) -> Upkeep:
    """Return what the index and its parts cost those who write."""
    parts = [
        existing_upkeep(i, t, profile)
        for t, i in family_of(suspect.table, suspect.index, profile)
        if t.kind is not RelationKind.PARTITIONED_TABLE
    ]
    if len(parts) == 1:
        return parts[0]
    return Upkeep(
        entries=sum(p.entries for p in parts), wal_bytes=sum(p.wal_bytes for p in parts),
        time=sum((p.time for p in parts), timedelta()), lost_hot_updates=sum(p.lost_hot_updates for p in parts),
        vacuum=sum((p.vacuum for p in parts), timedelta()), source=next((p.source for p in parts), ""),
    )  # fmt: skip


def _statements(table: Table, index: Index) -> tuple[str, ...]:
    """Return how it is dropped; where CONCURRENTLY is refused, without making everybody wait behind the lock."""
    dropped = drop_sql(table, index)
    if table.kind is not RelationKind.PARTITIONED_TABLE:
        return dropped
    return (f"SET lock_timeout = '{_LOCK_TIMEOUT}';", *dropped, "RESET lock_timeout;")


def _locked(table: Table) -> Iterator[str]:
    if table.kind is RelationKind.PARTITIONED_TABLE:
        yield (
            f"DROP INDEX locks {table.full_name} and its partitions for a moment, as CONCURRENTLY is refused there;"
            f" it gives up after {_LOCK_TIMEOUT.removesuffix('s')} s of waiting"
        )


def _aged(profile: Profile, now: datetime) -> Iterator[str]:
    if now - profile.taken_at >= _OLD:
        yield f"the profile is {duration(now - profile.taken_at)} old: look at the counters again before you drop it"
