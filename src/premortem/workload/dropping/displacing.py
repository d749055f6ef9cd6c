"""Which indexes the recommended ones leave without a reader, though their keys are others.

That no plan of the workload reads an index any more says little if the workload is not all that reads it: a function's
inner queries, a foreign key's searches, what pg_stat_statements lost.  So the scans that the servers counted must be
about those that today's plans explain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from premortem.model import DropKind, Index, Kept, Plan, Profile, Question, RelationName
from premortem.rules.execution import executions
from premortem.rules.indexes import own_indexes
from premortem.words import listing, number
from premortem.workload.dropping import counters
from premortem.workload.dropping.proving import Proof
from premortem.workload.dropping.suspects import Scene, StandIn, Suspect, new_on, suspected

_DAY = timedelta(days=1)
#: How many times more scans than the plans explain still count as explained: plans guess how often a loop runs.
_EXPLAINED = 3.0
_MOST_READERS = 200


def displaced(scene: Scene, proof: Proof, known: Sequence[RelationName]) -> Iterator[Suspect | Kept]:
    """Yield the indexes that were read and are not any more, but those that are suspects already."""
    if not scene.recommended or counters.unheard(scene.servers, scene.limits.least_window) is not None:
        return
    read = frozenset(name for one in proof.studied for name in one.before.kept)
    still = frozenset(name for answer in proof.base for name in answer.kept)
    for table, index in own_indexes(scene.profile):
        if index.valid and not _promises(index) and RelationName(schema=table.schema, name=index.name) not in known:
            found = suspected(table, index, scene, DropKind.REPLACED, "")
            if found.family & read and not found.family & still:
                yield from _judged(found, scene, proof)


def _promises(index: Index) -> bool:
    return index.unique or index.exclusion or index.constraint is not None


def _judged(found: Suspect, scene: Scene, proof: Proof) -> Iterator[Suspect | Kept]:
    names = [name for name, _ in new_on(found.table, scene)]
    counted = counters.counted(found.table, found.index, scene.servers)
    explained = _explained(found, proof)
    if not names or counted is None or explained is None:
        return
    says = f"no plan of the workload reads it once {listing(names, most=3)} is there"
    scans = counted.scans / (counted.window / _DAY)
    if scans > _EXPLAINED * explained:
        others = f"of its {number(scans)} scans a day the workload's plans explain {number(explained)}: others read it"
        yield Kept(index=found.name, table=found.table.relation, says=f"{says}, but {others}")
        return
    new = tuple(StandIn(kind=DropKind.REPLACED, words=name, says=says) for name in names)
    caution = counters.cautions(counted, scene.servers, scene.limits.settled)
    yield suspected(found.table, found.index, scene, DropKind.REPLACED, says, new, tuple(caution))


def _explained(found: Suspect, proof: Proof) -> float | None:
    """Return how many scans a day today's plans make of it, None where nobody counts a reader's calls."""
    readers = [n for n, one in enumerate(proof.studied) if one.before.kept & found.family]
    calls = [proof.studied[n].demand.calls_per_day for n in readers]
    if None in calls or len(readers) > _MOST_READERS:
        return None
    return sum((often or 0.0) * _scans_a_call(n, found, proof) for n, often in zip(readers, calls, strict=True))


def _scans_a_call(number_of: int, found: Suspect, proof: Proof) -> float:
    planned = proof.world.plans(Question(demand=number_of))
    shares = proof.studied[number_of].demand.shares
    names = {name.name for name in found.family}
    profile = proof.world.profile
    return sum(s * _scans(p.plan, names, profile) for s, p in zip(shares, planned, strict=True))


def _scans(plan: Plan, names: set[str], profile: Profile) -> float:
    return sum(e.loops * e.processes for e in executions(plan, profile) if e.node.index in names)
