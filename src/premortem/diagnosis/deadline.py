"""How long a diagnosis may take, all in all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The time that a diagnosis has, counted from when it began."""

    ends: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that many seconds from now."""
        return cls(ends=time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """The seconds that are left, 0 where there are none."""
        return max(0.0, self.ends - self.clock())
