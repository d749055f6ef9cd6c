"""A channel's postman: takes what waits for the channel, tells it, and keeps what became of it.

    deliver
    ├── rounds.parcels   which letters are one message
    ├── leave out        ends of what the channel was never told of
    ├── rounds.share     which parcels are told alone, in a digest, later
    └── send → keep      delivered; failed, with when to try again; dead, with the reason

Everything that must outlive us is in the outbox: what waits, since when, how often it was tried and until when it
rests.  A message can come twice in one case only: the channel took it, and we died before that was kept.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from premortem import words
from premortem.errors import PremortemError
from premortem.model import Alert, AlertChange, Deploy, Outbox, Turn
from premortem.notify import alertmanager, rounds
from premortem.notify.admitting import admits_alert
from premortem.notify.channels import Sender
from premortem.notify.message import Digest, Message
from premortem.notify.outcome import Outcome, Verdict
from premortem.notify.rounds import Parcel
from premortem.settings import Channel

_HOUR = timedelta(hours=1)
_MOST_LETTERS = 1_000
_IN_DIGEST = "told in one message with others"
_UNTOLD_END = "left out: the channel had not been told that it was open"
_PAST = "left out: it was over before the channel could be told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What a postman did: counts of letters, and what failed, for the log."""

    delivered: int = 0
    left_out: int = 0
    failed: int = 0
    dead: int = 0
    waiting: int = 0
    says: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Tally:
    delivered: int = 0
    left_out: int = 0
    failed: int = 0
    dead: int = 0
    waiting: int = 0
    says: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Postman:
    """Delivers the letters of one channel; only one may at a time, also over several watchers of one store.

    `paused_until` is when the channel itself, and not one message, asked to be left alone until.
    """

    channel: Channel
    sender: Sender
    outbox: Outbox
    link: str = ""
    chance: Callable[[], float] = random.random
    paused_until: datetime | None = None
    _remembers: bool = False
    _kept_at: datetime | None = None
    _digest_at: datetime | None = None

    def deliver(self, now: datetime) -> Round:
        """Tell what is due, and return what became of it; raises what the outbox raises."""
        tally = _Tally()
        due = self._due(now, tally)
        ends = tuple(one for one in due if self._is_free(one))
        bounded = tuple(one for one in due if one not in ends)
        shared = rounds.share(bounded, self._free(now), page_waited=self._page_waited(now))
        tally.waiting += sum(len(one.letters) for one in shared.waiting)
        alone = (*shared.alone, *ends)
        for place, parcel in enumerate(alone):
            if not self._deliver(parcel, now, tally):
                tally.waiting += sum(len(one.letters) for one in (*alone[place + 1 :], *shared.together))
                break
        else:
            self._deliver_together(shared.together, now, tally)
        return _round(tally)

    def _due(self, now: datetime, tally: _Tally) -> tuple[Parcel, ...]:
        """Return the parcels that are to be told now; those that nobody needs are done with here."""
        waiting = rounds.parcels(self.outbox.pending(self.channel.name, _MOST_LETTERS))
        self._remember(waiting)
        ready = () if self._is_paused(now) else rounds.due(waiting, now)
        tally.waiting += sum(len(one.letters) for one in waiting if one not in ready)
        return tuple(one for one in ready if not self._leave_out(one, now, tally))

    def _remember(self, waiting: Sequence[Parcel]) -> None:
        """Go on leaving the channel alone where it asked for that before we were started."""
        if not self._remembers:
            self._remembers = True
            asked = (letter for one in waiting for letter in one.letters if letter.says.endswith(rounds.ASKED))
            until = max((letter.retry_at for letter in asked if letter.retry_at), default=None)
            self.paused_until = self.paused_until or until

    def _is_free(self, parcel: Parcel) -> bool:
        """Return whether a parcel does not count: an end that PagerDuty is not told stays an incident for ever."""
        what = parcel.last.what
        return self.sender.kind == "pagerduty" and isinstance(what, AlertChange) and what.turn is Turn.CLOSED

    def _is_paused(self, now: datetime) -> bool:
        return rounds.rests(self.paused_until, now)

    def _leave_out(self, parcel: Parcel, now: datetime, tally: _Tally) -> bool:
        """Be done with an end whose beginning was not told; return whether it was such a one."""
        change = parcel.last.what
        if not isinstance(change, AlertChange) or change.turn not in (Turn.CLOSED, Turn.BETTER):
            return False
        if self._knows(parcel) or self._shows(parcel, change):
            return False
        why = _PAST if parcel.opens and change.turn is Turn.CLOSED else _UNTOLD_END
        first, *others = (letter.id for letter in parcel.letters)
        self.outbox.delivered(first, now, others=others, says=why, told=False, counts=False)
        tally.left_out += len(parcel.letters)
        return True

    def _shows(self, parcel: Parcel, change: AlertChange) -> bool:
        """Return whether an untold end is worth a message: it opened, and is better or over by now.

        A first attempt that was not answered may have been taken all the same: then an end is sent, to be safe.
        """
        worth = change.turn is Turn.BETTER or self.sender.shows_past or parcel.tries > 0
        return parcel.opens and worth

    def _knows(self, parcel: Parcel) -> bool:
        change = parcel.last.what
        return isinstance(change, AlertChange) and self.outbox.told(
            self.channel.name, change.alert.key, change.alert.opened_at
        )

    def _free(self, now: datetime) -> int | None:
        most = self.channel.most_per_hour
        if most is None or self.sender.kind == "alertmanager":
            return None
        return max(most - self.outbox.sent_since(self.channel.name, now - _HOUR), 0)

    def _page_waited(self, now: datetime) -> bool:
        return self._digest_at is None or now - self._digest_at >= rounds.PAGE_WAITS

    def _deliver(self, parcel: Parcel, now: datetime, tally: _Tally) -> bool:
        """Tell one parcel; return whether others may be tried now."""
        outcome = self._attempt(parcel, now)
        self._keep(parcel, outcome, now, tally)
        return outcome.verdict is not Verdict.LATER

    def _attempt(self, parcel: Parcel, now: datetime) -> Outcome:
        try:
            return self._send(parcel, now)
        except PremortemError:  # the outbox's
            raise
        except Exception as error:  # noqa: BLE001  # a letter that nobody can read must not silence the channel
            said = f"it could not be made into a message ({type(error).__name__}); this is a bug in premortem"
            return Outcome(verdict=Verdict.NEVER, says=said)

    def _send(self, parcel: Parcel, now: datetime) -> Outcome:
        what = parcel.last.what
        if isinstance(what, Deploy):
            return self.sender.announce(what, parcel.last.id, now)
        return self.sender.send(self._told(parcel, now), now)

    def _told(self, parcel: Parcel, now: datetime) -> Message:
        return rounds.told(parcel, now, link=self.link, known=self._knows(parcel))

    def _keep(self, parcel: Parcel, outcome: Outcome, now: datetime, tally: _Tally) -> None:
        if outcome.verdict is Verdict.DONE:
            self._done((parcel,), now, tally, counts=not self._is_free(parcel))
            return
        tally.says.append(outcome.says)
        if outcome.verdict is Verdict.NEVER:
            self._bury(parcel, outcome.says, now, tally)
        elif rounds.gives_up(parcel, now):
            self._bury(parcel, f"given up after {words.duration(rounds.GIVES_UP)}: {outcome.says}", now, tally)
        else:
            self._put_off(parcel, outcome, now, tally)

    def _done(
        self, some: Sequence[Parcel], now: datetime, tally: _Tally, says: str = "", *, counts: bool = True
    ) -> None:
        """Keep that a message was told, with all that it said at once.

        Were we killed in between, the rest would be told as what it is by itself, under a name that is known already.
        """
        first = some[0].last.id
        every = [letter.id for one in some for letter in one.letters]
        others = [id for id in every if id != first]
        self.outbox.delivered(first, now, others=others, says=says, told=True, counts=counts)
        tally.delivered += len(every)

    def _bury(self, parcel: Parcel, says: str, now: datetime, tally: _Tally) -> None:
        for letter in parcel.letters:
            self.outbox.dead(letter.id, now, says)
        tally.dead += len(parcel.letters)

    def _put_off(self, parcel: Parcel, outcome: Outcome, now: datetime, tally: _Tally) -> None:
        until = now + rounds.wait(parcel.tries + 1, outcome.after, self.chance())
        self.outbox.failed(parcel.letters[0].id, until, outcome.says + (rounds.ASKED if outcome.whole else ""))
        if outcome.whole:
            self.paused_until = until
        tally.failed += 1
        tally.waiting += len(parcel.letters)

    def _deliver_together(self, together: Sequence[Parcel], now: datetime, tally: _Tally) -> None:
        """Tell what is over the limit as one message; deploys of it are left out, for nobody is woken by one."""
        alerts = [one for one in together if not isinstance(one.last.what, Deploy)]
        for one in together:
            if one not in alerts:
                self.outbox.delivered(one.last.id, now, says="left out: too many messages", told=False, counts=False)
                tally.left_out += 1
        if not alerts:
            return
        digest = self._digest(alerts, now)
        outcome = self.sender.send_digest(digest, now)
        if outcome.verdict is not Verdict.DONE:
            self._keep(alerts[0], outcome, now, tally)
            tally.waiting += sum(len(one.letters) for one in alerts[1:])
            return
        self._digest_at = now
        self._done(alerts, now, tally, _IN_DIGEST)

    def _digest(self, some: Sequence[Parcel], now: datetime) -> Digest:
        return Digest(
            id=f"digest-{some[0].last.id}",
            at=now,
            most_per_hour=self.channel.most_per_hour or 0,
            messages=tuple(self._told(one, now) for one in some),
        )

    def keep(self, alerts: Sequence[Alert], now: datetime) -> Outcome | None:
        """Tell once more what is open, once a minute, where the channel would forget it; None where it was not time."""
        just = self._kept_at is not None and timedelta() <= now - self._kept_at < alertmanager.AGAIN
        if just or self._is_paused(now):
            return None
        self._kept_at = now
        admitted = [one for one in alerts if not one.muted and admits_alert(self.channel, one)]
        return self.sender.keep(admitted, now, link=self.link)


def _round(tally: _Tally) -> Round:
    return Round(
        delivered=tally.delivered,
        left_out=tally.left_out,
        failed=tally.failed,
        dead=tally.dead,
        waiting=tally.waiting,
        says=tuple(dict.fromkeys(tally.says)),
    )
