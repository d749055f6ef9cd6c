"""An outbox in memory, for tests of what a postman decides; tests/store and the tests of delivery use the real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from premortem.model import AlertChange, DeadLetter, Deploy, Letter


@dataclass(slots=True)
class Row:
    letter: Letter
    delivered_at: datetime | None = None
    told: bool = False
    counts: bool = False
    dead: DeadLetter | None = None


@dataclass(slots=True)
class Memory:
    rows: dict[str, Row] = field(default_factory=dict)

    def put(self, what: AlertChange | Deploy, channel: str = "c", at: datetime | None = None) -> None:
        id = what.id if isinstance(what, AlertChange) else f"deploy-{what.revision}"
        written = at or what.at
        self.rows.setdefault(id, Row(Letter(id=id, channel=channel, what=what, written_at=written)))

    def pending(self, channel: str, most: int) -> Sequence[Letter]:
        waiting = (row.letter for row in self.rows.values() if row.delivered_at is None and row.dead is None)
        return [letter for letter in waiting if letter.channel == channel][:most]

    def delivered(
        self,
        id: str,
        at: datetime,
        *,
        others: Sequence[str] = (),
        says: str = "",
        told: bool = True,
        counts: bool = True,
    ) -> None:
        for one in (id, *others):
            row = self.rows[one]
            assert row.delivered_at is None, f"{one} was delivered before"
            row.delivered_at, row.told, row.counts = at, told, counts and one == id
            row.letter = replace(row.letter, says=says)

    def failed(self, id: str, retry_at: datetime, says: str) -> None:
        row = self.rows[id]
        row.letter = replace(row.letter, tries=row.letter.tries + 1, retry_at=retry_at, says=says)

    def dead(self, id: str, at: datetime, says: str) -> None:
        row = self.rows[id]
        row.dead = DeadLetter(letter=row.letter, at=at, says=says)

    def told(self, channel: str, key: str, opened_at: datetime) -> bool:
        return any(row.told and _opens(row.letter, key, opened_at) for row in self.rows.values())

    def sent_since(self, channel: str, since: datetime) -> int:
        return sum(
            row.counts and row.delivered_at is not None and row.delivered_at >= since for row in self.rows.values()
        )

    def dead_letters(self, channel: str | None = None) -> Sequence[DeadLetter]:
        return [row.dead for row in self.rows.values() if row.dead]

    def revive(self, ids: Sequence[str]) -> int:
        for id in ids:
            self.rows[id].dead = None
        return len(ids)

    @property
    def waiting(self) -> int:
        return len(self.pending("c", 10**6))


def _opens(letter: Letter, key: str, opened_at: datetime) -> bool:
    what = letter.what
    return isinstance(what, AlertChange) and (what.alert.key, what.alert.opened_at) == (key, opened_at)
