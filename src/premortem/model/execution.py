"""What a query did when it was executed on a copy of production's size, as it is and with the proposed indexes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from premortem.model.plan import Actual, Json, Plan
from premortem.model.query import ParameterSet, Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One parameter set, executed with EXPLAIN (ANALYZE, BUFFERS) a first time and then again.

    `plan` is that of the last run, None where the first one did not finish within `limit_ms`.  `first_ms` and
    `first_read` (blocks that were not in shared buffers) are the first run's, `again_ms` the later ones'.  `evicted`
    says that the blocks of its tables were thrown out of shared buffers before; the kernel's cache is not ours.
    """

    parameters: ParameterSet
    limit_ms: float
    plan: Plan | None = None
    json: Json = field(repr=False, default=None)
    first_ms: float | None = None
    first_read: int | None = None
    again_ms: tuple[float, ...] = ()
    evicted: bool = False

    @property
    def finished(self) -> bool:
        """Whether it came to its end within the limit."""
        return self.plan is not None

    @property
    def ms(self) -> float:
        """How long it takes: the median of the later runs, else the first, else at least the limit."""
        if self.again_ms:
            return median(self.again_ms)
        return self.first_ms if self.first_ms is not None else self.limit_ms

    @property
    def blocks(self) -> int | None:
        """The blocks that the last run touched: hit, read, and temporary ones; None where it did not finish."""
        return None if self.plan is None or self.plan.root.actual is None else _blocks(self.plan.root.actual)


def _blocks(actual: Actual) -> int:
    touched = (actual.shared_hit_blocks, actual.shared_read_blocks, actual.temp_read_blocks, actual.temp_written_blocks)
    return sum(n or 0 for n in touched)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A proposed index as it was really built: how long that took, and how large it is."""

    name: str
    seconds: float
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """What the mirror said of a query: `before` as it is, `after` with the indexes in `built`.

    `place` says where, without a password.
    """

    place: str
    before: tuple[Execution, ...]
    built: tuple[Built, ...] = ()
    after: tuple[Execution, ...] = ()

    def pairs(self) -> tuple[tuple[Execution, Execution], ...]:
        """Return the executions of each parameter set, without and with the indexes."""
        return tuple(_pairs(self.before, self.after))


def _pairs(before: Sequence[Execution], after: Sequence[Execution]) -> list[tuple[Execution, Execution]]:
    known = {e.parameters.name: e for e in after}
    return [(e, known[e.parameters.name]) for e in before if e.parameters.name in known]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a query on a mirror where some new indexes are visible.

    `ms` is the executor's time, at least the limit where it did not finish.  `blocks` are those that it touched, `read`
    those of them that were not in shared buffers.  `cpu_ms` is the processor time of its
    backend, None where the server does not tell it or other processes helped.  `used` are the numbers of the built
    indexes that its plan read.
    """

    ms: float
    blocks: int = 0
    read: int = 0
    cpu_ms: float | None = None
    used: frozenset[int] = frozenset()
    finished: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A query with one set of values, executed in turns without and with new indexes: the quickest run of each.

    `after` is None where the plan reads none of them: it is the same plan.
    """

    query: Query
    parameters: ParameterSet
    before: Run
    after: Run | None
