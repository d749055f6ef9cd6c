"""Counts how often one call site runs one statement, each time with other values, within one unit of work.

A loop over rows that asks for something of each shows as reads with one text and ever new values and no write or
commit between them.  Requests of one session look alike but for that: between two of them a transaction ends, or
another request's comment begins, or the values are the same again.
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


@dataclass(slots=True)
class Repeating:
    """Open units of work, and the most repeats that each statement had in one."""

    open: OrderedDict[Hashable, dict[tuple[Hashable, Site | None], set[int]]] = field(default_factory=OrderedDict)
    epochs: dict[str, int] = field(default_factory=dict)
    most: dict[Hashable, Repeats] = field(default_factory=dict)

    def cut(self, session: str) -> None:
        """Note that what a session does from here on belongs to something else: it wrote, or ended a transaction."""
        if len(self.epochs) > 100_000:
            self.epochs.clear()
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
        seen = self._counts(key).setdefault((statement, site), set())
        if len(seen) < _MOST_VALUES:
            seen.add(hash(values) if values is not None else -len(seen))
        best = self.most.get(statement)
        if len(seen) > 1 and (best is None or len(seen) > best.count):
            named = unit.name if within == "test" else request
            self.most[statement] = Repeats(count=len(seen), within=within, unit=named, site=site)

    def _counts(self, key: Hashable) -> dict[tuple[Hashable, Site | None], set[int]]:
        found = self.open.get(key)
        if found is None:
            found = self.open[key] = {}
            if len(self.open) > _MOST_OPEN:
                self.open.popitem(last=False)
        return found
