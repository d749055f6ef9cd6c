"""What waits to be told, and what keeps it: the contract between the state and those who deliver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from premortem.model.alert import AlertChange, Deploy


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One thing that one channel is to be told: a row of the outbox.

    `id` is the row's name, `written_at` when it was put there.  `tries` counts the attempts that failed, `retry_at` is
    when the next may be made (None: at once), `says` why the last one failed.
    """

    id: str
    channel: str
    what: AlertChange | Deploy
    written_at: datetime
    tries: int = 0
    retry_at: datetime | None = None
    says: str = ""

    @property
    def key(self) -> str:
        """What must be told in order: an alert's key, or the deploy's service."""
        return self.what.alert.key if isinstance(self.what, AlertChange) else f"deploy {self.what.service}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A letter that will not be sent again unless somebody asks for it: when that was decided, and why."""

    letter: Letter
    at: datetime
    says: str


class Outbox(Protocol):
    """What waits to be told to the channels; every verb is one transaction, and doing it twice is doing it once.

    `pending` gives what is neither delivered nor dead, oldest first, also what has to wait for its `retry_at`: later
    letters of a key must not overtake earlier ones.  `told` says whether a letter about the opening of that alert (key
    and `opened_at`) was delivered to the channel, other than by being left out.  `sent_since` counts the messages that
    the channel was sent: letters delivered with `counts`.
    """

    def pending(self, channel: str, most: int) -> Sequence[Letter]:
        """Return the channel's letters that are neither delivered nor dead, oldest first."""
        ...

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
        """Keep that a letter is done with, and with it `others` that were told in the same message, which never count.

        `told` is False where nobody was told (`says` why).
        """
        ...

    def failed(self, id: str, retry_at: datetime, says: str) -> None:
        """Keep that an attempt failed, why, and when to make the next; counts `tries` up."""
        ...

    def dead(self, id: str, at: datetime, says: str) -> None:
        """Put a letter aside for good, with the reason."""
        ...

    def told(self, channel: str, key: str, opened_at: datetime) -> bool:
        """Return whether the channel was told that this alert is open."""
        ...

    def sent_since(self, channel: str, since: datetime) -> int:
        """Return how many messages the channel was sent since then."""
        ...

    def dead_letters(self, channel: str | None = None) -> Sequence[DeadLetter]:
        """Return what was put aside, oldest first."""
        ...

    def revive(self, ids: Sequence[str]) -> int:
        """Let dead letters wait to be sent again, as if they were new; return how many there were."""
        ...
