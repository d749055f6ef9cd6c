"""Which of the states that a database went through its suite was about.

The last one, as a rule: migrations run, then tests.  But a suite may drop its tables at its end, or try its migrations
backwards; then it is the one in which most of the statements ran.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from premortem.capture.watching.look import Digest

_ENOUGH = 0.5  # of the relations of the richest state: less is a database that is being torn down
_FAR_MORE = 10  # times as many statements: a data migration runs hundreds, a suite thousands
_A_FEW = 50


@dataclass(slots=True, kw_only=True)
class Seen:
    """The states of one database in order, and the number of log entries that it wrote in each."""

    states: list[Digest] = field(default_factory=list)
    entries: dict[str, int] = field(default_factory=dict)

    def now(self, digest: Digest) -> None:
        """Note the schema that the database has."""
        if not self.states or self.states[-1] != digest:
            self.states.append(digest)

    def wrote(self, entries: int) -> None:
        """Count log entries for the schema that the database has."""
        if self.states:
            last = self.states[-1].digest
            self.entries[last] = self.entries.get(last, 0) + entries


def chosen(seen: Seen) -> Digest | None:
    """Return the state that the suite was about, None for a database that had nothing in it.

    >>> full, empty = Digest(digest="a", relations=9, parts=99), Digest(digest="b", relations=0, parts=1)
    >>> chosen(Seen(states=[empty, full, empty])).digest
    'a'
    """
    richest = max((state.relations for state in seen.states), default=0)
    if not richest:
        return None
    candidates = [s for s in seen.states if s.relations >= _ENOUGH * richest]
    last = seen.states[-1]
    busiest = max(reversed(candidates), key=lambda state: seen.entries.get(state.digest, 0))
    needed = _FAR_MORE * (seen.entries.get(last.digest, 0) + _A_FEW)
    if last in candidates and seen.entries.get(busiest.digest, 0) < needed:
        return last
    return busiest


def together(found: dict[str, Digest]) -> Iterable[tuple[tuple[str, ...], Digest]]:
    """Yield each schema once, with the databases that had it in the order of their names."""
    by_digest: dict[str, list[str]] = {}
    for name in sorted(found):
        by_digest.setdefault(found[name].digest, []).append(name)
    for names in by_digest.values():
        yield tuple(names), found[names[0]]
