"""What a postman does next: which letters are one message, which must wait, which are left out.  Pure.

Letters of one alert are one parcel: what Slack could not be told for an hour is one message about how it stands now,
and not five.  A parcel waits until its last failure says; pages go before tickets, the older before the younger.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from premortem import words
from premortem.model import AlertChange, Deploy, Letter, Turn, Urgency
from premortem.notify import naming
from premortem.notify.message import Message, message

#: After how long a letter that fails and fails is put aside; a page that is a day late is no page.
GIVES_UP = timedelta(hours=24)
#: What the failure of a letter ends in where the whole channel asked to be left alone, which outlives a restart.
ASKED = "; it asks to be left alone"
_FIRST_WAIT = 5.0
_LONGEST_WAIT = 900.0
#: The longest that another side can ask for (wire.py), and a little.
_LONGEST_REST = timedelta(minutes=61)
#: From which delay on a message says why it comes only now.
_LATE = timedelta(minutes=2)
#: How long a page waits at most for room in a channel that has been told all that it may be told this hour.
PAGE_WAITS = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Letters that are told as one, oldest first."""

    letters: tuple[Letter, ...]

    @property
    def last(self) -> Letter:
        """The letter that supersedes the others."""
        return self.letters[-1]

    @property
    def tries(self) -> int:
        """How often it was tried in vain."""
        return max(letter.tries for letter in self.letters)

    @property
    def retry_at(self) -> datetime | None:
        """When it may be tried again; None: at once."""
        return max((letter.retry_at for letter in self.letters if letter.retry_at), default=None)

    @property
    def failure(self) -> str:
        """Why it could not be told the last time."""
        return next((letter.says for letter in reversed(self.letters) if letter.says), "")

    @property
    def is_page(self) -> bool:
        """Whether it may wake somebody up."""
        what = self.last.what
        return isinstance(what, AlertChange) and what.alert.urgency is Urgency.PAGE and what.turn is not Turn.CLOSED

    @property
    def opens(self) -> bool:
        """Whether an opening of the alert that the last letter is about is among the letters."""
        *_, last = (None, *self.changes)
        mine = (one for one in self.changes if last and one.alert.opened_at == last.alert.opened_at)
        return any(one.turn is Turn.OPENED for one in mine)

    @property
    def changes(self) -> tuple[AlertChange, ...]:
        """What the letters say of an alert."""
        return tuple(letter.what for letter in self.letters if isinstance(letter.what, AlertChange))


def parcels(letters: Iterable[Letter]) -> tuple[Parcel, ...]:
    """Return the letters as parcels, in the order in which they are told."""
    by_key: dict[str, list[Letter]] = {}
    for place, letter in enumerate(letters):
        is_deploy = isinstance(letter.what, Deploy)
        by_key.setdefault(f"{letter.key} {place}" if is_deploy else letter.key, []).append(letter)
    made = (Parcel(letters=tuple(some)) for some in by_key.values())
    return tuple(sorted(made, key=lambda one: (not one.is_page, one.letters[0].written_at)))


def due(some: Sequence[Parcel], now: datetime) -> tuple[Parcel, ...]:
    """Return the parcels that need not wait any longer; nothing waits for longer than we ever asked it to.

    A clock that was put back must not keep a message for the hours that it went back.
    """
    return tuple(one for one in some if not rests(one.retry_at, now))


def rests(until: datetime | None, now: datetime) -> bool:
    """Return whether something that may go on at `until` has to wait."""
    return until is not None and now < until <= now + _LONGEST_REST


def told(parcel: Parcel, now: datetime, *, link: str, known: bool) -> Message:
    """Return the message of a parcel of changes; `known` is whether the channel was told that the alert is open."""
    *before, last = parcel.changes
    mine = tuple(one for one in before if one.alert.opened_at == last.alert.opened_at)
    others = tuple(one for one in before if one.alert.opened_at != last.alert.opened_at)
    said = message(last, link=link, earlier=(*others, *mine), known=known and not parcel.opens)
    return _late(said, parcel, last, now)


def _late(said: Message, parcel: Parcel, last: AlertChange, now: datetime) -> Message:
    late = now - last.at
    if late < _LATE:
        return said
    why = f": {parcel.failure}" if parcel.failure else ""
    return replace(said, late=f"Told {words.duration(late)} late, it was so at {naming.clock(last.at)}{why}.")


def wait(tries: int, asked: timedelta | None, chance: float) -> timedelta:
    """Return how long to wait after `tries` failures: twice as long each time, a quarter of an hour at most.

    Up to half of it is left to chance (0 to 1), so that not all come back at once; what the other side asks for is
    the least.

    >>> wait(1, None, 1.0), wait(3, None, 0.0), wait(50, None, 1.0), wait(1, timedelta(hours=1), 0.0)
    (datetime.timedelta(seconds=5), datetime.timedelta(seconds=10), datetime.timedelta(seconds=900), \
datetime.timedelta(seconds=3600))
    """
    full = min(_FIRST_WAIT * 2 ** min(tries - 1, 20), _LONGEST_WAIT)
    ours = timedelta(seconds=full * (0.5 + 0.5 * chance))
    return ours if asked is None else max(ours, asked)


def gives_up(parcel: Parcel, now: datetime) -> bool:
    """Return whether a parcel that failed has been tried for long enough."""
    return parcel.tries > 0 and now - parcel.letters[0].written_at >= GIVES_UP


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a channel is told now: one by one, in a digest, and what waits for room."""

    alone: tuple[Parcel, ...] = ()
    together: tuple[Parcel, ...] = ()
    waiting: tuple[Parcel, ...] = ()


def share(some: Sequence[Parcel], free: int | None, *, page_waited: bool) -> Share:
    """Return what is told of the parcels where `free` more messages may be sent this hour (None: any number).

    The last one that may be sent is a digest of all that is left, so that nothing is silently kept back.
    `page_waited` is whether no digest was sent for as long as a page may wait: then pages get one beyond the limit.
    """
    if free is None or len(some) <= free:
        return Share(alone=tuple(some))
    if free > 0:
        return Share(alone=tuple(some[: free - 1]), together=tuple(some[free - 1 :]))
    pages = tuple(one for one in some if one.is_page) if page_waited else ()
    return Share(together=pages, waiting=tuple(one for one in some if one not in pages))
