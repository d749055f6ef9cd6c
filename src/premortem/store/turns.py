"""A lock that many threads wait for: they get it in the order in which they came, as long as it goes on.

One of the standard library is anybody's who comes along when it is free, so that of two hundred some wait for ever; and
it knows only how long somebody has waited, which says nothing of whether it hangs.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque

#: Who comes when somebody has had it for long waits for this part of what a turn may take.
_LITTLE = 5


class Turns:
    """One thread's at a time, in the order in which they asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._since: float | None = None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def take(self, turn_seconds: float = math.inf, wait_seconds: float = math.inf, *, next: bool = False) -> bool:
        """Wait for one's turn; return whether it came before somebody kept us waiting for `turn_seconds`.

        Nobody waits for longer than `wait_seconds`, however many there are.  Who is to be `next` is served before all
        that wait.
        """
        called = self._asked(next)
        if called is None:
            return True
        began = time.monotonic()
        while (left := self._left(began, turn_seconds, wait_seconds)) > 0:
            if called.acquire(timeout=min(left, threading.TIMEOUT_MAX)):
                return True
        return not self._left_out(called)

    def give(self) -> None:
        """Let the next one have it."""
        with self._lock:
            self._since = time.monotonic() if self._waiting else None
            if self._waiting:
                self._waiting.popleft().release()

    def _asked(self, next: bool) -> threading.Lock | None:
        """Return what is released when our turn comes; None where it is ours at once."""
        with self._lock:
            if self._since is None:
                self._since = time.monotonic()
                return None
            called = threading.Lock()
            called.acquire()
            self._waiting.insert(0 if next else len(self._waiting), called)
            return called

    def _left(self, began: float, turn_seconds: float, wait_seconds: float) -> float:
        """Return for how long to wait yet, where nothing happens meanwhile; a little in any case."""
        since, now = self._since, time.monotonic()
        hangs = max((began if since is None else since) + turn_seconds, began + turn_seconds / _LITTLE)
        return min(hangs, began + wait_seconds) - now

    def _left_out(self, called: threading.Lock) -> bool:
        """Give up waiting; return whether that was in time: a turn that came meanwhile is ours."""
        with self._lock:
            if called not in self._waiting:
                return False
            self._waiting.remove(called)
            return True
