"""Executes queries without and with indexes in the same minute, and reads their backend's processor time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from premortem import pg
from premortem.errors import ServerTimeout

#: Slower: more than this share of processor time, and more than this many seconds of it.
WORSE, NOTICED = 1.1, 0.020
_TICKS = 100.0
#: A pair that takes longer than this together is run fewer times: it is far above what disturbs it.
_LONG = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """Seconds of one execution: on the clock, and of the backend's processor."""

    clock: float
    cpu: float
    finished: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A query's executions without and with the indexes, in turns."""

    name: str
    without: tuple[Took, ...]
    with_them: tuple[Took, ...]

    @property
    def cpu(self) -> tuple[float, float]:
        """The medians of processor time."""
        return median(t.cpu for t in self.without), median(t.cpu for t in self.with_them)

    @property
    def clock(self) -> tuple[float, float]:
        """The medians of time on the clock."""
        return median(t.clock for t in self.without), median(t.clock for t in self.with_them)

    @property
    def is_slower(self) -> bool:
        """Whether the indexes cost processor time beyond noise, in the median and at best."""
        before, after = self.cpu
        least, new = min(t.cpu for t in self.without), min(t.cpu for t in self.with_them)
        return all(b > WORSE * a and b - a > NOTICED for a, b in ((before, after), (least, new)))


@dataclass(slots=True)
class Bench:
    """One backend that executes everything, and the indexes that it sees or does not see."""

    db: pg.Session
    indexes: tuple[str, ...]
    limit: float
    repeat: int

    def show(self, visible: bool) -> None:
        """Have the planner see the indexes or not: on a server of our own the catalog is ours."""
        self.db.execute(
            "UPDATE pg_catalog.pg_index SET indisvalid = %(visible)s"
            " WHERE indexrelid = ANY (%(names)s::text[]::regclass[]) AND indisvalid <> %(visible)s",
            visible=visible, names=list(self.indexes),
        )  # fmt: skip

    def pair(self, name: str, text: str) -> Pair:
        """Execute a query in turns, once each to warm up, then as often as it takes."""
        sides: dict[bool, list[Took]] = {False: [], True: []}
        warm = [self._side(visible, text) for visible in (False, True)]
        spent = sum(t.clock for t in warm)
        turns = self.repeat if spent < _LONG else 1 if spent > 4 * _LONG else 2
        for turn in range(turns):
            for visible in (False, True) if turn % 2 else (True, False):
                unfinished = next((t for t in sides[visible] if not t.finished), None)
                sides[visible].append(unfinished or self._side(visible, text))
        return Pair(name=name, without=tuple(sides[False]), with_them=tuple(sides[True]))

    def alone(self, name: str, text: str) -> Pair:
        """Execute a query whose plan is the same either way: what it takes without is what it takes with them."""
        self.show(False)
        self.execute(text)
        took = tuple(self.execute(text) for _ in range(min(self.repeat, 3)))
        return Pair(name=name, without=took, with_them=took)

    def _side(self, visible: bool, text: str) -> Took:
        self.show(visible)
        return self.execute(text)

    def execute(self, text: str) -> Took:
        """Execute a query as an application would, all rows fetched."""
        self.db.execute(f"SET statement_timeout = {int(self.limit * 1000)}")
        cpu, clock, finished = _cpu(self.db.pid), time.perf_counter(), True
        try:
            self.db.tuples(text)
        except ServerTimeout:
            finished = False
        return Took(clock=time.perf_counter() - clock, cpu=_cpu(self.db.pid) - cpu, finished=finished)


def _cpu(pid: int) -> float:
    """Return the seconds of processor time that a process has had: to the nanosecond where the kernel says."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except FileNotFoundError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def slower(pairs: Sequence[Pair]) -> list[str]:
    """Return the names of the queries that the indexes made slower."""
    return [p.name for p in pairs if p.is_slower]
