"""Which test a statement belongs to, so that N queries of one test can be told from one query of N tests.

A suite's processes tell when their tests run (see `plugin`); the server's log tells when a statement ran and for which
connection.  A connection belongs to a process by the name that libpq gave it, by its port, because its database has a
worker's name (`test_shop_gw1`), or because its database is used by that process alone; where there is one process only,
nothing needs to be told apart.
"""

from __future__ import annotations

import json
import re
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from premortem.capture.executed import Executed
from premortem.model import Site

_NAMED = re.compile(r"pytest (\d+)\Z")
_WORKER = re.compile(r"gw\d+\Z")  # pytest-xdist's names of its workers
_REFRESH = 0.2  # seconds between two looks into the files


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of work: what repeats are counted within.

    `within` is `test`, `transaction` or `session`; `name` is the same for all statements of one unit and differs
    between units; `phase` is `setup`, `call` or `teardown` of a test, None elsewhere; `site` is where the test stands.
    """

    within: str
    name: str
    phase: str | None = None
    site: Site | None = None


class Units(Protocol):
    """Knows the unit of work that a statement belongs to."""

    def of(self, executed: Executed) -> Unit:
        """Return the unit of work of a statement."""
        ...


class WithoutTests:
    """The units where nobody told of any test: transactions, else sessions."""

    def of(self, executed: Executed) -> Unit:
        """Return the statement's transaction, its session where it has none."""
        if executed.transaction is None:
            return Unit(within="session", name=executed.session)
        return Unit(within="transaction", name=f"{executed.session} {executed.transaction}")


@dataclass(slots=True, kw_only=True)
class _Process:
    """What one process of a suite told: from when on it ran what, in milliseconds; None is no test."""

    read: int = 0
    rest: bytes = b""
    moments: list[int] = field(default_factory=list)
    units: list[Unit | None] = field(default_factory=list)

    @property
    def runs_tests(self) -> bool:
        return any(self.units)

    def at(self, moment: int) -> Unit | None:
        """The log's clock has milliseconds: of the one in which a test's own part ends, what ran is the test's own."""
        place = bisect_right(self.moments, moment) - 1
        if place > 0 and self.moments[place] == moment and _is_call(self.units[place - 1]):
            place -= 1
        return self.units[place] if place >= 0 else None


class Told:
    """The units of a suite whose processes write into a folder while it runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[int, _Process] = {}
        self._ports: dict[str, int] = {}
        self._databases: dict[str, set[int]] = {}
        self._workers: dict[str, int] = {}
        self._read_at = float("-inf")
        self._without = WithoutTests()

    def of(self, executed: Executed) -> Unit:
        """Return the test that ran the statement, its transaction where no test is known."""
        if time.monotonic() - self._read_at > _REFRESH:
            self._read()
        process = self._process(executed)
        if process is None or executed.at is None:
            return self._without.of(executed)
        # Rounded: the product of what the log wrote as .123 may be 122.999….
        return process.at(round(executed.at.timestamp() * 1000)) or self._without.of(executed)

    def _process(self, executed: Executed) -> _Process | None:
        named = _NAMED.match(executed.application or "")
        if named is not None:
            pid = int(named[1])
            self._databases.setdefault(executed.database or "", set()).add(pid)
            return self._processes.get(pid)
        running = [process for process in self._processes.values() if process.runs_tests]
        if len(running) == 1:
            return running[0]
        if not running:
            return None
        return self._claimed(executed)

    def _claimed(self, executed: Executed) -> _Process | None:
        """The process that has the connection's port, whose name its database has, or that alone uses it."""
        port = (executed.client or "").rpartition(":")[2]
        if port in self._ports:
            return self._processes.get(self._ports[port])
        named = _WORKER.search(executed.database or "")
        if named is not None and named[0] in self._workers:
            return self._processes.get(self._workers[named[0]])
        users = self._databases.get(executed.database or "", set())
        return self._processes.get(next(iter(users))) if len(users) == 1 else None

    def _read(self) -> None:
        self._read_at = time.monotonic()
        for path in self._folder.glob("tests-*"):
            pid = int(path.name.partition("-")[2])
            self._read_one(path, pid, self._processes.setdefault(pid, _Process()))

    def _read_one(self, path: Path, pid: int, process: _Process) -> None:
        if path.stat().st_size == process.read:
            return
        with path.open("rb") as file:
            file.seek(process.read)
            more = file.read()
        process.read += len(more)
        whole, _, process.rest = (process.rest + more).rpartition(b"\n")
        for line in whole.splitlines():
            self._note(json.loads(line), pid, process)

    def _note(self, told: list[object], pid: int, process: _Process) -> None:
        match told:
            case [_, "port", port]:
                self._ports[str(port)] = pid
            case [_, "worker", str() as name]:
                self._workers[name] = pid
            case [float() | int() as moment, str() as phase, str() as name, *place]:
                process.moments.append(int(moment * 1000))
                process.units.append(None if phase == "end" else _test(name, phase, place))


def _is_call(unit: Unit | None) -> bool:
    return unit is not None and unit.phase == "call"


def _test(name: str, phase: str, place: list[object]) -> Unit:
    match place:
        case [str() as path, int() as line]:
            site = Site(source=path, line=line)
        case [str() as path, *_]:
            site = Site(source=path)
        case _:
            site = Site(source=name.partition("::")[0])
    return Unit(within="test", name=name, phase=phase, site=site)
