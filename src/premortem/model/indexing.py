"""A workload's indexes: what is asked of them, which set is worth having, what each one does, and which may go."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from premortem.model.gap import Gap
from premortem.model.index import Declined, IndexCandidate
from premortem.model.query import ParameterSet, Query, Unreadable
from premortem.model.relation import RelationName
from premortem.model.report import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """One query of a workload, with the values that it is planned with and how much it weighs.

    `calls_per_day` is None where nobody counted: such a query weighs as one call a day.  `mean` is its measured time,
    None where unknown; its time is then estimated from the plan's cost.  `shares[i]` is the part of its calls that are
    like `sets[i]`; they add up to 1.  `others` are the queries of the same fingerprint that this one stands for.
    """

    query: Query
    sets: tuple[ParameterSet, ...]
    shares: tuple[float, ...]
    calls_per_day: float | None = None
    mean: timedelta | None = None
    others: tuple[Query, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A demand, by its number, planned with some of the stocked candidates and without some of the real indexes."""

    demand: int
    visible: frozenset[int] = frozenset()
    hidden: frozenset[RelationName] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the planner makes of a question, a figure per parameter set.

    `shown` are the planner's costs, `risk` the costs when nothing stops early (`advisor.costs_of`).  `used` are the
    candidates, by number, and `kept` the existing indexes that the plans read.
    """

    shown: tuple[float, ...]
    risk: tuple[float, ...]
    used: frozenset[int] = frozenset()
    kept: frozenset[RelationName] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What an index costs those who write: index entries, write-ahead log and time a day.

    `lost_hot_updates` are updates a day that were HOT and would not be any more; their cost is in the figures.
    `vacuum` is the part of `time` that is spent on removing dead entries.  `source` says where the rates come from:
    "pg_stat_user_tables over 12 days", or what was assumed.
    """

    entries: float = 0.0
    wal_bytes: float = 0.0
    time: timedelta = timedelta()
    lost_hot_updates: float = 0.0
    vacuum: timedelta = timedelta()
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What the whole set does to one query: the planner's costs and the time a day, before and after.

    `share` is the part of the saving that goes away without this index, the others staying.
    """

    query: Query
    before_cost: float
    after_cost: float
    before: timedelta
    after: timedelta
    share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """An index to create, and the case for it.

    `adds` is the time a day, writes not counted, that it saves besides those before it in the order; `share` is that
    part of all that the set saves.  `saves` is what is lost again without this index alone.  `enters_at` is the least
    budget in bytes from which it is in the best set, None where that was not worked out.  `replaces` are existing
    indexes that it makes superfluous.  `statements` and `undo_statements` are complete SQL in the order to type;
    `drop_statements` drop what it replaces, once it is there, and `restore_statements` bring that back.
    """

    candidate: IndexCandidate
    name: str
    size_bytes: int
    build_time: timedelta
    lock: str
    upkeep: Upkeep
    gains: tuple[Gain, ...]
    saves: timedelta
    share: float
    adds: timedelta = timedelta()
    enters_at: int | None = None
    replaces: tuple[RelationName, ...] = ()
    notes: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    undo_statements: tuple[str, ...] = ()
    drop_statements: tuple[str, ...] = ()
    restore_statements: tuple[str, ...] = ()


class DropKind(StrEnum):
    """Why an index may go."""

    UNUSED = "unused"
    DUPLICATE = "duplicate"
    REDUNDANT = "redundant"
    REPLACED = "replaced"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """An existing index that may go, and how that was proved.

    `instead` is the index that does its work, existing or recommended.  `proof` is one sentence: what was planned
    without it, and what that changed.  `caution` is what the proof cannot see: a standby's queries, a yearly report.
    """

    index: RelationName
    table: RelationName
    kind: DropKind
    size_bytes: int
    says: str
    proof: str
    upkeep: Upkeep
    instead: str | None = None
    caution: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    undo_statements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An existing index that looked as if it could go, and why it stays."""

    index: RelationName
    table: RelationName
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierPoint:
    """The best set found of so many bytes: reads a day by the planner, writes to keep it, and what changed."""

    size_bytes: int
    reads: timedelta
    upkeep: timedelta
    relative_cost: float
    indexes: tuple[str, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    chosen: bool = False


class Standing(StrEnum):
    """What became of an index that somebody asked about."""

    RECOMMENDED = "recommended"
    EXISTS = "exists"
    DECLINED = "declined"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Why an index that somebody named is recommended, or is not.

    `alone` are the queries whose plans it changes, without and with it, among today's indexes; `beside` those that it
    changes among the recommended ones too.  `readers` counts the queries that read its table.  `better` are the
    indexes, existing or recommended, that do its work.
    """

    candidate: IndexCandidate
    name: str
    standing: Standing
    says: str
    size_bytes: int = 0
    build_time: timedelta = timedelta()
    lock: str = ""
    upkeep: Upkeep = field(default_factory=Upkeep)
    alone: tuple[Gain, ...] = ()
    beside: tuple[Gain, ...] = ()
    readers: int = 0
    better: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()


class Certainty(StrEnum):
    """How it is known that no query gets slower."""

    PLANNED = "planned on the twin"
    EXECUTED = "executed on the mirror"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What the search took: plans that were asked for, plans that were inferred without asking, and time."""

    demands: int = 0
    candidates: int = 0
    asked: int = 0
    inferred: int = 0
    seconds: float = 0.0
    finished: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexing:
    """The answer of `premortem advise`: the set to create, the frontier, what was declined, and what may go.

    `before` and `after` are the workload's reads a day, `measured` the part of `before` that rests on measured times.
    `slower` are queries that the set would slow down: it is empty unless the user insists on a set of their own.
    `lies` are estimates that execution on a mirror refuted.  `asked` are answers on indexes that somebody named.
    `is_counted` is false where nobody counted calls: all times are then those of one run of every query.
    """

    recommendations: tuple[Recommendation, ...] = ()
    drops: tuple[Drop, ...] = ()
    kept: tuple[Kept, ...] = ()
    frontier: tuple[FrontierPoint, ...] = ()
    declined: tuple[Declined, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    gaps: tuple[Gap, ...] = ()
    before: timedelta = timedelta()
    after: timedelta = timedelta()
    upkeep: timedelta = timedelta()
    relative_cost: float = 1.0
    measured: float = 0.0
    budget_bytes: int | None = None
    workload: str = ""
    certainty: Certainty = Certainty.PLANNED
    slower: tuple[Gain, ...] = ()
    lies: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    asked: tuple[Explained, ...] = ()
    is_counted: bool = True
    facts: Facts | None = None
    effort: Effort = field(default_factory=Effort)
