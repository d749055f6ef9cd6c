"""Finding out why: once for each alert at a time, however much becomes of it meanwhile."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from premortem.daemon.clinic import Clinic
from premortem.daemon.worker import Diagnosable, Ready
from premortem.model import Alert, AlertChange, Cause, Diagnosis, Turn
from tests.notify.incidents import FIRST_SEED, change

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Slow(Clinic):
    """A clinic that takes until it is let go on, and keeps what it was asked about."""

    def __init__(self) -> None:
        nothing = cast(Any, SimpleNamespace())
        super().__init__(nothing, nothing, nothing, nothing, {}, nothing, now=lambda: NOON)
        self.asked: list[str] = []
        self.go = threading.Event()

    def _ready(self, alert: Alert, what: Diagnosable) -> Ready:
        self.asked.append(alert.key)
        self.go.wait(10)
        found = Diagnosis(cause=Cause.UNKNOWN, says="", confidence=0.1)
        return Ready(key=alert.key, opened_at=alert.opened_at, diagnosis=found)


def told(*changes: AlertChange) -> Diagnosable:
    return cast(Diagnosable, SimpleNamespace(changes=changes))


def test_what_gets_worse_while_somebody_finds_out_why_is_asked_about_once() -> None:
    clinic, given = Slow(), threading.Semaphore(0)
    found: list[Ready] = []

    def give(ready: Ready) -> None:
        found.append(ready)
        given.release()

    clinic.diagnose(told(change(Turn.OPENED, FIRST_SEED)), give)
    clinic.diagnose(told(change(Turn.WORSE, FIRST_SEED)), give)
    clinic.go.set()
    assert given.acquire(timeout=10)
    again = replace(FIRST_SEED, opened_at=FIRST_SEED.opened_at + timedelta(hours=1))
    clinic.diagnose(told(change(Turn.OPENED, again)), give)
    assert given.acquire(timeout=10)
    clinic.stop()
    assert clinic.asked == [FIRST_SEED.key] * 2
    assert [one.opened_at for one in found] == [FIRST_SEED.opened_at, again.opened_at]
