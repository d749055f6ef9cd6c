"""An EXPLAIN plan as a tree of frozen nodes; estimates and actual figures are different fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from premortem.model.relation import RelationName

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_EMPTY: Mapping[str, Json] = MappingProxyType({})
_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Actual:
    """What EXPLAIN ANALYZE measured of one node.

    Rows and times are per loop, as PostgreSQL prints them; all else is of the whole execution.  `disk_kb` is what a
    sort, an aggregate or a tuple store put on disk, `memory_kb` the most memory that it had; both with its workers'.
    `batches` are a hash's, `original_batches` those that it was planned with.  `exact_pages` and `lossy_pages` are a
    bitmap's, `read_ms` is the time that reading blocks took (track_io_timing).
    """

    startup_ms: float | None = None
    total_ms: float | None = None
    rows: float
    loops: float
    rows_removed_by_filter: float | None = None
    rows_removed_by_index_recheck: float | None = None
    rows_removed_by_join_filter: float | None = None
    heap_fetches: float | None = None
    shared_hit_blocks: int | None = None
    shared_read_blocks: int | None = None
    shared_dirtied_blocks: int | None = None
    temp_read_blocks: int | None = None
    temp_written_blocks: int | None = None
    read_ms: float | None = None
    sort_method: str | None = None
    disk_kb: float | None = None
    memory_kb: float | None = None
    batches: int | None = None
    original_batches: int | None = None
    exact_pages: int | None = None
    lossy_pages: int | None = None
    cache_hits: float | None = None
    cache_misses: float | None = None
    cache_evictions: float | None = None
    workers_launched: int | None = None
    index_searches: float | None = None
    wal_records: float | None = None
    wal_full_pages: float | None = None
    wal_bytes: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One plan node.

    `kind` is PostgreSQL's name of the node type in JSON form (`Seq Scan`, `Index Scan`, `Nested Loop`, `ModifyTable`…);
    an unknown one is kept as it is.  Conditions are PostgreSQL's deparsed expressions.  `rows`, `width` and the costs
    are the planner's estimates for one execution of the node.  `path` is the node's place: indexes of children from the
    root, `()` for the root.  `raw` is every property as PostgreSQL gave it, children left out.
    """

    kind: str
    path: tuple[int, ...] = ()
    parent_relationship: str | None = None
    subplan_name: str | None = None
    relation: RelationName | None = None
    alias: str | None = None
    index: str | None = None
    scan_direction: str | None = None
    index_condition: str | None = None
    recheck_condition: str | None = None
    order_by: str | None = None
    filter: str | None = None
    join_type: str | None = None
    join_filter: str | None = None
    hash_condition: str | None = None
    merge_condition: str | None = None
    inner_unique: bool | None = None
    sort_key: tuple[str, ...] = ()
    presorted_key: tuple[str, ...] = ()
    group_key: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    strategy: str | None = None
    operation: str | None = None
    cte_name: str | None = None
    parallel_aware: bool = False
    workers_planned: int | None = None
    startup_cost: float = 0.0
    total_cost: float = 0.0
    rows: float = 0.0
    width: int = 0
    actual: Actual | None = None
    children: tuple[Node, ...] = ()
    raw: Mapping[str, Json] = field(default_factory=lambda: _EMPTY, repr=False)

    def walk(self) -> Iterator[Node]:
        """Yield this node and everything below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The children that feed this node, without its InitPlans and SubPlans."""
        return tuple(c for c in self.children if c.parent_relationship not in ("InitPlan", "SubPlan"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A trigger's share of an EXPLAIN ANALYZE."""

    name: str
    constraint: str | None
    relation: str | None
    time_ms: float | None
    calls: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole plan.

    `settings` are the non-default planner settings it was made with (EXPLAIN SETTINGS).  `jit` says that expressions
    would be compiled, `jit_ms` how long that took.  `planning_read_blocks` are the blocks that planning had to read.
    """

    root: Node
    settings: Mapping[str, str] = field(default_factory=lambda: _NO_SETTINGS)
    planning_ms: float | None = None
    execution_ms: float | None = None
    triggers: tuple[Trigger, ...] = ()
    jit: bool = False
    jit_ms: float | None = None
    planning_read_blocks: int | None = None

    @property
    def is_measured(self) -> bool:
        """Whether it was executed, by EXPLAIN ANALYZE or auto_explain.log_analyze."""
        return self.root.actual is not None

    @property
    def total_cost(self) -> float:
        """The planner's estimate for the whole statement."""
        return self.root.total_cost

    def walk(self) -> Iterator[Node]:
        """Yield every node, parents first."""
        return self.root.walk()

    def scans(self, *kinds: str) -> Iterator[Node]:
        """Yield the nodes that read a relation, of the given kinds or of any."""
        reads = (n for n in self.walk() if n.relation is not None and n.kind != "ModifyTable")
        return (n for n in reads if not kinds or n.kind in kinds)

    def node(self, path: tuple[int, ...]) -> Node:
        """Return the node at a path.

        Raises IndexError where there is none.
        """
        found = self.root
        for step in path:
            found = found.children[step]
        return found

    def ancestors(self, path: tuple[int, ...]) -> tuple[Node, ...]:
        """Return the nodes from the root down to, not including, the one at the path."""
        return tuple(self.node(path[:depth]) for depth in range(len(path)))
