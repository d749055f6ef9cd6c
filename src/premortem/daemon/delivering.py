"""A thread per channel that delivers what its outbox holds; a channel that hangs keeps no other one waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from premortem.daemon.gauges import Board
from premortem.daemon.journal import Journal
from premortem.errors import PremortemError, StoreError
from premortem.model import Alert
from premortem.notify import Outcome, Postman, Verdict
from premortem.store import Store

#: How often a channel is looked after when nothing wakes it: retries are due by the clock.
EVERY = 1.0
#: How often open alerts are read for channels that forget them.
_KEEP_EVERY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What all postmen share."""

    store: Store
    board: Board
    journal: Journal
    now: Callable[[], datetime]


class Round:
    """One channel's thread."""

    def __init__(self, postman: Postman, office: Office) -> None:
        self._postman = postman
        self._office = office
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._kept_at: datetime | None = None
        self._said = ""
        self._thread = threading.Thread(target=self.run, name=f"tell {self.name}", daemon=True)

    @property
    def name(self) -> str:
        """The channel's name."""
        return self._postman.channel.name

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def wake(self) -> None:
        """Say that there may be something to deliver."""
        self._wake.set()

    def stop(self) -> None:
        """Ask it to end; a message that is on its way is finished."""
        self._stop.set()
        self._wake.set()

    def join(self, timeout: float) -> bool:
        """Wait until it ended; return whether it did."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def run(self) -> None:
        """Deliver until told to stop."""
        while not self._stop.is_set():
            self._wake.clear()
            self.turn()
            self._wake.wait(EVERY)

    def turn(self) -> None:
        """Deliver what is due; whatever fails is said, and tried again."""
        try:
            self._deliver()
        except StoreError as error:
            self._failed(error)
        except Exception as error:  # noqa: BLE001  # one message's bug must not silence a channel
            self._failed(error)

    def _deliver(self) -> None:
        if not self._office.store.post_office(self.name):
            return
        now = self._office.now()
        done = self._postman.deliver(now)
        self._office.board.waits(self.name, done.waiting)
        if done.delivered or done.failed or done.dead:
            self._say(done.delivered, done.failed, done.dead, done.waiting, done.says)
        self._keep(now)
        self._said = "" if not done.says else self._said

    def _keep(self, now: datetime) -> None:
        """Tell once more what is open, where the channel forgets."""
        if self._kept_at is not None and now - self._kept_at < _KEEP_EVERY:
            return
        self._kept_at = now
        if self._postman.sender.kind != "alertmanager":
            return
        outcome = self._postman.keep(self._open(), now)
        if outcome is not None and outcome.verdict is not Verdict.DONE:
            self._failed(_error(outcome))

    def _open(self) -> tuple[Alert, ...]:
        return self._office.store.alerts(open_only=True)

    def _say(self, delivered: int, failed: int, dead: int, waiting: int, says: tuple[str, ...]) -> None:
        counts = {"delivered": delivered, "failed": failed, "dead": dead, "waiting": waiting}
        facts = {name: count for name, count in counts.items() if count}
        journal = self._office.journal
        if failed or dead:
            journal.warn("channel.failed", channel=self.name, **facts, says="; ".join(says))
        else:
            journal.say("channel.told", channel=self.name, **facts)

    def _failed(self, error: Exception) -> None:
        if self._said != str(error):
            self._said = str(error)
            self._office.journal.fail("channel.failed", error, channel=self.name)


def _error(outcome: Outcome) -> PremortemError:
    return PremortemError(outcome.says)


def joined(rounds: list[Round], seconds: float) -> list[str]:
    """Wait for rounds to end, all of them together for so long; return the names of those that did not."""
    deadline = time.monotonic() + seconds
    return [one.name for one in rounds if not one.join(max(0.0, deadline - time.monotonic()))]
