"""What is not in the store yet: everything of the polls since the last commit that succeeded, within bounds.

A store that is down must not blind the watcher.  It goes on in memory, and one commit brings all of it when the store
is back; what a commit holds twice is there once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from premortem.model import AlertChange, Event, Statement, StatementKey
from premortem.watch import Delta

#: A busy instance has a few hundred deltas a poll: half an hour of them, at 15 s.
MOST_DELTAS = 50_000
MOST_CHANGES = 2_000
MOST_EVENTS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is to be written in one commit; `hold` is until when a message may wait for its diagnosis.

    `dropped` says how many deltas were too many to keep.
    """

    at: datetime
    checkpoint: object | None = None
    changes: tuple[AlertChange, ...] = ()
    deltas: tuple[Delta, ...] = ()
    statements: Mapping[StatementKey, Statement] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    hold: datetime | None = None
    dropped: int = 0

    def then(self, later: Batch) -> Batch:
        """Return one batch that says what both say; the oldest deltas go where there are too many."""
        deltas = (*self.deltas, *later.deltas)
        kept = deltas[-MOST_DELTAS:]
        needed = {delta.key for delta in kept}
        statements = {**self.statements, **later.statements}
        return Batch(
            at=later.at,
            checkpoint=later.checkpoint,
            changes=(*self.changes, *later.changes)[-MOST_CHANGES:],
            deltas=kept,
            statements={key: one for key, one in statements.items() if key in needed},
            events=(*self.events, *later.events)[-MOST_EVENTS:],
            hold=later.hold or self.hold,
            dropped=self.dropped + later.dropped + len(deltas) - len(kept),
        )


class Backlog:
    """The batch of one instance that waits to be written."""

    def __init__(self) -> None:
        self._waiting: Batch | None = None

    @property
    def waiting(self) -> Batch | None:
        """What waits, None where all is written."""
        return self._waiting

    def add(self, batch: Batch) -> Batch:
        """Add a batch to what waits, and return all of that."""
        self._waiting = batch if self._waiting is None else self._waiting.then(batch)
        return self._waiting

    def written(self) -> None:
        """Forget what waits: it is in the store, or somebody else's now."""
        self._waiting = None
