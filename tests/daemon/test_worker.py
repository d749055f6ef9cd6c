"""Between two polls a thread sleeps, whatever was late before: two hundred that spin leave nothing to who works."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.daemon import worker as workers
from premortem.daemon.worker import Worker
from premortem.settings import Instance, Secret


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


class Sleeper(Worker):
    """A worker whose waiting takes no time, and whose glances take as long as somebody says."""

    def __init__(self, clock: Clock, *, poll: float, glance: float) -> None:
        instance = Instance(name="db", dsn=Secret(said="host=nowhere"), poll_seconds=poll)
        super().__init__(instance, cast("Any", None), cast("Any", None), jitter=0)
        self.clock, self.takes = clock, glance
        self.waited: list[float] = []
        self.glanced: list[float] = []

    def _wait(self, until: float) -> None:
        assert len(self.waited) < 100, "it spins"
        self.waited.append(until - self.clock.now)
        self.clock.now = max(self.clock.now, until)

    def _glance(self) -> None:
        self.glanced.append(self.clock.now)
        self.clock.now += self.takes


@given(late=st.floats(0, 40), poll=st.floats(1, 60), glance=st.one_of(st.just(0.0), st.floats(0.001, 5)))
def test_it_never_waits_without_waiting(late: float, poll: float, glance: float) -> None:
    clock = Clock()
    clock.now = late
    one = Sleeper(clock, poll=poll, glance=glance)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "time", clock)
        one._between(0.0)
    assert clock.now >= poll
    # A turn that took longer than a glance away is followed by a glance at once, and that is all.
    assert sum(waited <= 0 for waited in one.waited) <= 1
    assert len(one.waited) <= 4
    assert len(one.glanced) <= 2
    assert all(at < poll for at in one.glanced)
