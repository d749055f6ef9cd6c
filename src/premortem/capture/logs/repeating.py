"""Counts how often one call site runs one statement within one unit of work, as a loop over rows does.

Such a loop shows as reads with one text and other values and no write or commit between them.  Requests of one session
look alike but for that: between two of them a transaction ends, or another request's comment begins, or the values are
the same again.  A loop over few fixtures has the same values again too; but its runs follow each other closely, where
a request does more than that in between.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

from premortem.capture.executed import Executed
from premortem.capture.units import Unit
from premortem.model import Repeats, Site

_MOST_OPEN = 1_024
_MOST_VALUES = 20_000
#: With so many different values it is a loop over rows, and the same values again are its fixtures, which are few.
_FEW_VALUES = 3
#: What a loop may read besides, between two of its runs: it asks for the product, its category and its price.
_CLOSE = 3


@dataclass(slots=True)
class _Seen:
    """The values that a statement had in a unit, and the runs that had one of them again."""

    values: set[int] = field(default_factory=set)
    known: bool = True
    close: int = 0  # soon after the last run
    next: int = 0  # right after the last run, with nothing read in between
    at: int = -_CLOSE - 1

    def take(self, values: Hashable, at: int) -> None:
        """Count a run; `at` is its place among the reads of its session."""
        self.known = self.known and values is not None
        found = hash(values) if values is not None else -len(self.values)
        if found in self.values:
            self.close += at - self.at <= _CLOSE
            self.next += at - self.at == 1
        elif len(self.values) < _MOST_VALUES:
            self.values.add(found)
        self.at = at

    def count(self, site: Site | None) -> int:
        """Return how many runs look like a loop's; a single value tells one only where the call site is known."""
        again = self.close if len(self.values) >= _FEW_VALUES else self.next if site is not None else 0
        return len(self.values) + again


@dataclass(slots=True)
class Repeating:
    """Open units of work, and the most repeats that each statement had in one."""

    open: OrderedDict[Hashable, dict[tuple[Hashable, Site | None], _Seen]] = field(default_factory=OrderedDict)
    epochs: dict[str, int] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)  # of each session
    most: dict[Hashable, Repeats] = field(default_factory=dict)

    def cut(self, session: str) -> None:
        """Note that what a session does from here on belongs to something else: it wrote, or ended a transaction."""
        if len(self.epochs) > 100_000:
            self.epochs.clear()
            self.reads.clear()
        self.epochs[session] = self.epochs.get(session, 0) + 1

    def take(
        self,
        statement: Hashable,
        executed: Executed,
        unit: Unit,
        request: str | None,
        site: Site | None,
        values: Hashable,
    ) -> None:
        """Count one read; `values` are None where nobody knows them."""
        if unit.phase in ("setup", "teardown") or (unit.within == "session" and request is None):
            return
        within = unit.within if unit.within == "test" else "request" if request else unit.within
        name = unit.name if within in ("test", "transaction") else ""
        key = (within, name, request or executed.session, self.epochs.get(executed.session, 0))
        at = self.reads[executed.session] = self.reads.get(executed.session, 0) + 1
        seen = self._counts(key).setdefault((statement, site), _Seen())
        seen.take(values, at)
        best, count = self.most.get(statement), seen.count(site)
        if count > 1 and (best is None or count > best.count):
            named = unit.name if within == "test" else request
            different = len(seen.values) if seen.known else None
            self.most[statement] = Repeats(count=count, within=within, unit=named, site=site, values=different)

    def _counts(self, key: Hashable) -> dict[tuple[Hashable, Site | None], _Seen]:
        found = self.open.get(key)
        if found is None:
            found = self.open[key] = {}
            if len(self.open) > _MOST_OPEN:
                self.open.popitem(last=False)
        return found
