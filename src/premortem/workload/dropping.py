"""Which existing indexes may go: each proved by planning the workload without it, and all of them together.

```
drops
├── suspects       by definition, by the servers' counters, by the recommended indexes
├── sparing        what else hangs on an index, with what would be left
├── proving        who gets dearer without it
└── _settled       all at once; where that hurts somebody, one by one in the order of what is saved
```
An index is dropped only while what does its work stays, so of two that do the same one is always there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
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
from premortem.words import change, duration, number, percent, plural
from premortem.workload import counters, sparing
from premortem.workload.displacing import displaced
from premortem.workload.proving import Harm, Proof, dearest
from premortem.workload.rebuilding import worth_building
from premortem.workload.studied import Studied
from premortem.workload.suspects import DropLimits, Scene, StandIn, Suspect, suspects, unheard
from premortem.workload.world import World

_OLD = timedelta(days=7)
#: How long a DROP INDEX that cannot be CONCURRENTLY may wait for its lock, while everybody else waits behind it.
_LOCK_TIMEOUT = "5s"
#: A key that starts another index is nothing to tell of: that is how tables are.
_NATURALLY_BOUND = frozenset({DropKind.REDUNDANT, DropKind.REPLACED})


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
    found = [*suspects(scene)]
    found += displaced(scene, proof, [one.index if isinstance(one, Kept) else one.name for one in found])
    wanted = tuple(worth_building([s for s in found if isinstance(s, Suspect) and _is_broken(s)], proof))
    trial = _Trial(scene=scene, proof=proof)
    rest = [s for s in found if isinstance(s, Suspect) and s.name not in {k.index for k in wanted}]
    _settled(sorted(rest, key=lambda s: _order(s, proof, world.profile)), trial)
    told = [_told(one, trial, now) for one in trial.accepted]
    worth = sorted(told, key=lambda d: (d.kind is not DropKind.INVALID, -d.upkeep.time, -d.size_bytes, d.index))
    return tuple(worth), (*(k for k in found if isinstance(k, Kept)), *wanted, *trial.kept.values())


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


# the set ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Trial:
    """The set as it grows: what may go so far, and why others may not."""

    scene: Scene
    proof: Proof
    accepted: list[Suspect] = field(default_factory=list)
    kept: dict[RelationName, Kept] = field(default_factory=dict)
    cautions: dict[RelationName, tuple[str, ...]] = field(default_factory=dict)

    def gone(self) -> frozenset[RelationName]:
        return frozenset(name for s in self.accepted for name in s.family)

    def knows(self, suspect: Suspect) -> bool:
        """Whether it was decided already: an index may be suspected of two things."""
        return suspect.name in self.kept or suspect.name in self.gone()

    def planned(self) -> list[Suspect]:
        """Return what may go so far and the planner would miss if it read it."""
        return [s for s in self.accepted if not _is_broken(s)]

    def survivors(self, table: Table, index: Index) -> list[Index]:
        """Return the table's usable indexes that would be left."""
        gone = self.gone()
        return [
            i
            for i in table.indexes
            if i is not index and i.valid and i.ready and RelationName(schema=table.schema, name=i.name) not in gone
        ]

    def admits(self, suspect: Suspect) -> bool:
        """Whether everything but the plans lets it go; where not, it is kept with the reason."""
        if _is_broken(suspect):
            return True
        if suspect.needs_stand_in and self.stand_in(suspect) is None:
            return False
        others = self.survivors(suspect.table, suspect.index)
        why = sparing.bound_by(suspect.table, suspect.index, others, self.scene.profile)
        if why is not None:
            if suspect.kind not in _NATURALLY_BOUND:
                self.keep(suspect, f"{self.says(suspect)}, but {why}")
            return False
        self.cautions[suspect.name] = (
            *sparing.arbiter(suspect.table, suspect.index, others),
            *sparing.hinted(suspect.index, (one.demand.query for one in self.proof.studied)),
        )
        return self._searched(suspect, others)

    def _searched(self, suspect: Suspect, others: Sequence[Index]) -> bool:
        """Whether no foreign key needs it for its search of children, which is in no plan."""
        profile, settled = self.scene.profile, self.scene.limits.settled
        new = [candidate for _, candidate in self.scene.recommended if candidate.table == suspect.table.relation]
        keys = sparing.searched_by(suspect.table, suspect.index, others, new, profile)
        for key in keys:
            why = sparing.search_happens(key, profile, settled)
            if why is not None:
                self.keep(suspect, f"{self.says(suspect)}, but the foreign key {key.name} looks for rows by it: {why}")
                return False
        if keys:
            self.cautions[suspect.name] += (sparing.unguarded(suspect.table, keys, profile, settled),)
        return True

    def stand_in(self, suspect: Suspect) -> StandIn | None:
        """Return what does its work and stays."""
        gone = self.gone()
        return next((s for s in suspect.stand_ins if s.index is None or s.index not in gone), None)

    def says(self, suspect: Suspect) -> str:
        """Return why it looks superfluous, beside what stays."""
        found = self.stand_in(suspect)
        return found.says if found is not None else suspect.says

    def keep(self, suspect: Suspect, says: str) -> None:
        self.kept[suspect.name] = Kept(index=suspect.name, table=suspect.table.relation, says=says)

    def accept(self, suspect: Suspect) -> None:
        self.accepted.append(suspect)
        self.kept.pop(suspect.name, None)


def _is_broken(suspect: Suspect) -> bool:
    """Whether the planner passes over it, so that no plan can tell anything about it."""
    return suspect.kind is DropKind.INVALID


def _settled(found: Sequence[Suspect], trial: _Trial) -> None:
    """Accept all that may go: together where nobody minds, else one after the other where somebody does."""
    for suspect in found:
        if not trial.knows(suspect) and trial.admits(suspect):
            trial.accept(suspect)
    planned = trial.planned()
    harmed = trial.proof.harmed(planned, trial.proof.touching(planned), whole=True)
    if not harmed:
        return
    doubtful = _doubtful(planned, harmed, trial.proof)
    trial.accepted = [s for s in trial.accepted if s not in doubtful]
    trial.kept.clear()
    for suspect in found:
        if not trial.knows(suspect):
            _tried(suspect, trial)
    _unharmed(trial)


def _doubtful(accepted: Sequence[Suspect], harmed: Iterable[Harm], proof: Proof) -> list[Suspect]:
    """Return those on tables that a demand reads which got dearer."""
    numbers = {h.demand for h in harmed}
    return [s for s in accepted if numbers & set(proof.touching((s,)))]


def _tried(suspect: Suspect, trial: _Trial) -> None:
    if not trial.admits(suspect):
        return
    hidden = [*trial.planned(), suspect]
    harmed = trial.proof.harmed(hidden, trial.proof.touching((suspect,))) if not _is_broken(suspect) else ()
    if harmed:
        trial.keep(suspect, f"{trial.says(suspect)}, but {_harm(harmed, trial.proof)}")
    else:
        trial.accept(suspect)


def _unharmed(trial: _Trial) -> None:
    """Take back the last ones, until the whole set as it is now makes nobody dearer."""
    while planned := trial.planned():
        harmed = trial.proof.harmed(planned, trial.proof.touching(planned), whole=True)
        if not harmed:
            return
        back = _doubtful(planned, harmed[:1], trial.proof)[-1]
        trial.accepted.remove(back)
        trial.keep(back, f"{trial.says(back)}, but together with the others that go, {_harm(harmed, trial.proof)}")


def _harm(harmed: Sequence[Harm], proof: Proof) -> str:
    worst = harmed[0]
    site = proof.studied[worst.demand].demand.query.site
    more = f", and {plural(len(harmed) - 1, 'other query too', 'other queries too')}" if len(harmed) > 1 else ""
    if not math.isfinite(worst.after):
        return f"without it {site} could not be planned at all{more}"
    if worst.after < worst.before:
        return (
            f"it has the statistics of its expression, and without them {site} is planned on a guess{more}:"
            " CREATE STATISTICS on the expression first"
        )
    how = f"{number(worst.before)} → {number(worst.after)} ({change(worst.before, worst.after)})"
    return f"without it {site}{_with(worst.parameters)} would cost {how}{more}"


def _with(parameters: str) -> str:
    """Return for which values, in words.

    >>> _with("hot"), _with("generic"), _with("literal")
    (' with hot values', ' in its generic plan', '')
    """
    if parameters == "literal":
        return ""
    return " in its generic plan" if parameters == "generic" else f" with {parameters} values"


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


def _told(suspect: Suspect, trial: _Trial, now: datetime) -> Drop:
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


def _proof(suspect: Suspect, trial: _Trial) -> str:
    if _is_broken(suspect):
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
    worst = dearest(proof.base, proof.without(trial.planned(), readers, whole=True))
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
