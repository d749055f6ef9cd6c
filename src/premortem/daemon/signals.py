"""Signals as orders: SIGHUP reads the settings again, SIGTERM and Ctrl-C stop, a second one stops at once."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from enum import StrEnum
from queue import Empty, SimpleQueue
from types import FrameType

_STOPS = (signal.SIGTERM, signal.SIGINT)


class Order(StrEnum):
    """What somebody asked the daemon to do."""

    RELOAD = "reload"
    STOP = "stop"


class Orders:
    """The orders that came, one after the other."""

    def __init__(self) -> None:
        # A handler may interrupt the very thread that waits here: SimpleQueue is the one queue that is safe in it.
        self._queue: SimpleQueue[Order] = SimpleQueue()
        self._stopping = False

    def give(self, order: Order) -> None:
        """Give an order, as a signal does."""
        self._queue.put(order)

    def next(self, timeout: float) -> Order | None:
        """Wait for an order, and return it; None when the time is over."""
        try:
            return self._queue.get(timeout=max(0.0, timeout))
        except Empty:
            return None

    def heard(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if number not in _STOPS:
            self.give(Order.RELOAD)
            return
        if self._stopping:
            os._exit(128 + number)  # nothing is lost: what was not committed is worked out again
        self._stopping = True
        self.give(Order.STOP)


@contextlib.contextmanager
def heeded(orders: Orders) -> Iterator[None]:
    """Turn signals into orders as long as the context lasts."""
    numbers = (signal.SIGHUP, *_STOPS)
    before = {number: signal.signal(number, orders.heard) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
