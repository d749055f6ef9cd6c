"""Which indexes look as if they could go, and what would do their work; nothing is planned here.

A suspect is one by its definition (another index does what it does), by the servers' counters (nobody used it), or by
the workload's plans (a recommended index is read instead of it).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from premortem.model import DropKind, Gap, Index, IndexCandidate, Kept, Profile, RelationKind, RelationName, Table
from premortem.rules.coverage import Shape, does_the_work, is_same, leads_to_one_row, shape_of
from premortem.rules.indexes import family_of, own_indexes, size_of, words_of
from premortem.words import plural
from premortem.workload.dropping import counters
from premortem.workload.dropping.counters import Counted


@dataclass(frozen=True, slots=True, kw_only=True)
class DropLimits:
    """What it takes to say that an index may go.

    `noise` and `floor` are how much dearer a plan may get, as a share of its cost and in the planner's units: one more
    level of a B-tree is 0.125.  Counters of less than `least_window` say nothing, of less than `settled` too little for
    a monthly job.  An index of less than `least_bytes` is not called unused: a small table is read whole as yet.
    """

    noise: float = 0.05
    floor: float = 0.2
    least_window: timedelta = timedelta(days=1)
    settled: timedelta = timedelta(days=35)
    least_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """What does an index's work, and what the index is beside it.

    `index` is an existing index's name, None for a recommended one.
    """

    kind: DropKind
    words: str
    says: str
    index: RelationName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """An index that may go if its plans say so and, unless nobody uses it, one of its stand-ins stays.

    `family` are its own name and those of its parts on partitions, by which plans know it; `tables` the relations that
    a query may name to read it: its table, the partitions, what its table is a partition of.
    """

    table: Table
    index: Index
    kind: DropKind
    says: str
    size_bytes: int
    family: frozenset[RelationName]
    tables: frozenset[RelationName]
    stand_ins: tuple[StandIn, ...] = ()
    caution: tuple[str, ...] = ()

    @property
    def name(self) -> RelationName:
        """Its own name."""
        return RelationName(schema=self.table.schema, name=self.index.name)

    @property
    def is_broken(self) -> bool:
        """Whether the planner passes over it, so that no plan can tell anything about it."""
        return self.kind is DropKind.INVALID

    @property
    def needs_stand_in(self) -> bool:
        """Whether it is only superfluous while another index is there."""
        return self.kind in (DropKind.DUPLICATE, DropKind.REDUNDANT, DropKind.REPLACED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What suspicion rests on: the profile, the standbys' profiles, and the indexes that are to be created."""

    profile: Profile
    replicas: Sequence[Profile] = ()
    recommended: Sequence[tuple[str, IndexCandidate]] = ()
    limits: DropLimits = field(default_factory=DropLimits)

    @property
    def servers(self) -> tuple[Profile, ...]:
        """Every profile, each with its own server's counters."""
        return (self.profile, *self.replicas)


def suspects(scene: Scene) -> Iterator[Suspect | Kept]:
    """Yield the indexes that look superfluous, and those that only seem so.

    One that is both superfluous and unused is there twice: what does its work may go itself.
    """
    shapes: dict[RelationName, dict[str, Shape]] = {}
    for table, index in own_indexes(scene.profile):
        if table.persistence == "temporary":
            continue
        if not index.valid:
            yield from _invalid(table, index, scene)
            continue
        if table.relation not in shapes:
            shapes[table.relation] = {i.name: shape_of(i) for i in table.indexes if i.valid and i.ready}
        mine = shapes[table.relation]
        for found in (_superfluous(table, index, mine, scene), _unused(table, index, scene)):
            if found is not None:
                yield found


def suspected(
    table: Table,
    index: Index,
    scene: Scene,
    kind: DropKind,
    says: str,
    stand_ins: tuple[StandIn, ...] = (),
    caution: tuple[str, ...] = (),
) -> Suspect:
    """Return an index as a suspect, with its parts and where it is read."""
    parts = list(family_of(table, index, scene.profile))
    return Suspect(
        table=table, index=index, kind=kind, says=says, stand_ins=stand_ins, caution=caution,
        family=frozenset(RelationName(schema=t.schema, name=i.name) for t, i in parts),
        tables=frozenset((*(t.relation for t, _ in parts), *_above(table, scene.profile))),
        size_bytes=size_of(table, index, scene.profile),
    )  # fmt: skip


def _above(table: Table, profile: Profile) -> Iterator[RelationName]:
    for name in table.parents:
        yield name
        parent = profile.table(name)
        if parent is not None:
            yield from _above(parent, profile)


# never finished ---------------------------------------------------------------------------------------------


def _invalid(table: Table, index: Index, scene: Scene) -> Iterator[Suspect | Kept]:
    name = RelationName(schema=table.schema, name=index.name)
    if table.kind is RelationKind.PARTITIONED_TABLE:
        says = "it is not valid because not every partition has it: attach the missing ones, then it is"
        yield Kept(index=name, table=table.relation, says=says)
        return
    caution = ["an index that is being built is not valid either: look at pg_stat_progress_create_index first"]
    if index.unique and index.ready:
        caution.append(f"as it stands it refuses new duplicates of ({words_of(index)}), though old ones may be there")
    says = "its build did not end well: no query may use it, though it takes space and writes may have to keep it up"
    yield suspected(table, index, scene, DropKind.INVALID, says, caution=tuple(caution))


# another one does its work ----------------------------------------------------------------------------------


def _superfluous(table: Table, index: Index, shapes: dict[str, Shape], scene: Scene) -> Suspect | None:
    mine = shapes.get(index.name)
    if mine is None:
        return None
    others = [i for i in table.indexes if i.name != index.name and i.name in shapes]
    same = [o for o in others if is_same(shapes[o.name], mine)]
    better = [o for o in same if _worth(o, table, scene) < _worth(index, table, scene)]
    longer = [o for o in others if o not in same and does_the_work(shapes[o.name], mine)]
    stand_ins = (
        *(_same(o, index, table) for o in sorted(better, key=lambda o: _worth(o, table, scene))),
        *(_longer(o, index, table) for o in longer),
        *(_exact(o, index, table) for o in others if o not in same and leads_to_one_row(o, index, table)),
        *(_new(name, index) for name, c in new_on(table, scene) if does_the_work(shape_of(c), mine)),
    )
    if not stand_ins:
        return None
    return suspected(table, index, scene, stand_ins[0].kind, stand_ins[0].says, stand_ins)


def new_on(table: Table, scene: Scene) -> Iterator[tuple[str, IndexCandidate]]:
    """Yield the recommended indexes that a table will have, those of what it is a partition of included."""
    tables = frozenset((table.relation, *_above(table, scene.profile)))
    return ((name, c) for name, c in scene.recommended if c.table in tables)


def _same(other: Index, index: Index, table: Table) -> StandIn:
    says = f"it is the same as {other.name}, on ({words_of(index)})"
    return StandIn(kind=DropKind.DUPLICATE, words=other.name, says=says, index=_name(other, table))


def _longer(other: Index, index: Index, table: Table) -> StandIn:
    says = f"{other.name} ({words_of(other)}) finds all that it finds, on ({words_of(index)})"
    return StandIn(kind=DropKind.REDUNDANT, words=other.name, says=says, index=_name(other, table))


def _exact(other: Index, index: Index, table: Table) -> StandIn:
    says = f"({words_of(other)}) is unique by {other.name}, so ({words_of(index)}) finds no row more exactly"
    return StandIn(kind=DropKind.REDUNDANT, words=other.name, says=says, index=_name(other, table))


def _new(name: str, index: Index) -> StandIn:
    says = f"the recommended {name} finds all that it finds, on ({words_of(index)})"
    return StandIn(kind=DropKind.REPLACED, words=name, says=says)


def _name(index: Index, table: Table) -> RelationName:
    return RelationName(schema=table.schema, name=index.name)


def _worth(index: Index, table: Table, scene: Scene) -> tuple[bool, bool, bool, bool, int, int, int, int]:
    """Return what decides which of two equal indexes stays: promises, then direction, use, bloat and age."""
    found = counters.counted(table, index, scene.servers)
    pinned = index.replica_identity or index.clustered or index.parent is not None
    return (
        not index.primary,
        index.constraint is None,
        not pinned,
        not index.unique,
        sum(k.descending for k in index.keys),
        -(found.scans if found is not None else 0),
        round(math.log2(max(size_of(table, index, scene.profile), 1))),
        table.indexes.index(index),
    )


# nobody uses it ---------------------------------------------------------------------------------------------


def _unused(table: Table, index: Index, scene: Scene) -> Suspect | None:
    if counters.unheard(scene.servers, scene.limits.least_window) is not None:
        return None
    found = idle(table, index, scene)
    if found is None or found.window < scene.limits.least_window:
        return None
    caution = tuple(counters.cautions(found, scene.servers, scene.limits.settled))
    says = f"it {found.unused(scene.limits.settled)}"
    return suspected(table, index, scene, DropKind.UNUSED, says, caution=caution)


def idle(table: Table, index: Index, scene: Scene) -> Counted | None:
    """Return the counters of an index that they say nobody used, None for any other."""
    if index.constraint is not None or size_of(table, index, scene.profile) < scene.limits.least_bytes:
        return None
    found = counters.counted(table, index, scene.servers)
    return found if found is not None and found.unused(scene.limits.settled) is not None else None


def unheard(scene: Scene) -> tuple[Gap, ...]:
    """Return a gap where indexes look unused and the counters cannot say that they are."""
    why = counters.unheard(scene.servers, scene.limits.least_window)
    if why is None:
        return ()
    looking = sum(1 for t, i in own_indexes(scene.profile) if i.valid and idle(t, i, scene) is not None)
    return (
        Gap(
            subject="use of indexes",
            says=f"{why.says}, so none of {plural(looking, 'index', 'indexes')} without a scan is called unused.",
            effect="Indexes that nobody uses are not among those to drop.",
            cure=why.cure,
        ),
    ) if looking else ()  # fmt: skip
