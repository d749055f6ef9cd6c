"""Finding out why: once for each alert at a time, however much becomes of it meanwhile."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from premortem.daemon.clinic import Clinic
from premortem.daemon.worker import Diagnosable, Ready
from premortem.model import Alert, AlertChange, Cause, Diagnosis, Gap, Turn
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
        self.go.wait(90)
        found = Diagnosis(cause=Cause.UNKNOWN, says="", confidence=0.1)
        return Ready(key=alert.key, opened_at=alert.opened_at, diagnosis=found)


class Busy(Slow):
    """A clinic on a busy machine, where a twin answers after so many seconds."""

    def __init__(self, answers_after: float) -> None:
        super().__init__()
        self.answers_after = answers_after
        self.given: list[float] = []

    def _within(self, seconds: float, alert: Alert, what: Diagnosable) -> Diagnosis:
        self.given.append(seconds)
        if seconds < self.answers_after:
            gap = Gap(subject="twin", says="No index was tried: the time was over.", effect="", cure="")
            return Diagnosis(cause=Cause.UNKNOWN, says="", confidence=0.1, gaps=(gap,))
        return Diagnosis(cause=Cause.MISSING_INDEX, says="", confidence=0.9)


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
    assert given.acquire(timeout=90)
    again = replace(FIRST_SEED, opened_at=FIRST_SEED.opened_at + timedelta(hours=1))
    clinic.diagnose(told(change(Turn.OPENED, again)), give)
    assert given.acquire(timeout=90)
    clinic.stop()
    assert clinic.asked == [FIRST_SEED.key] * 2
    assert [one.opened_at for one in found] == [FIRST_SEED.opened_at, again.opened_at]


def test_a_cause_that_was_not_found_for_want_of_time_is_looked_for_longer() -> None:
    quick, slow = Busy(answers_after=1), Busy(answers_after=10)
    assert quick._diagnosed(FIRST_SEED, told()).cause is Cause.MISSING_INDEX
    assert slow._diagnosed(FIRST_SEED, told()).cause is Cause.MISSING_INDEX
    assert (len(quick.given), len(slow.given)) == (1, 2)
