"""How long one query may keep us busy, so that it does not take the verdict on the others away.

Planning two hundred joins takes PostgreSQL ten seconds, and finding the index that helps asks for dozens of plans.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from premortem.advisor import Replan
from premortem.model import IndexCandidate, Planned, RelationName

#: A query of the usual size is judged in a tenth of a second; a build waits a minute for an odd one, not an hour.
SECONDS = 60.0


class Exhausted(Exception):
    """The query has had its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """The time that a query has, counted from now."""

    seconds: float = SECONDS
    clock: Callable[[], float] = time.monotonic
    _since: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_since", self.clock())

    @property
    def is_over(self) -> bool:
        """Whether the query has had its time."""
        return self.clock() - self._since > self.seconds

    def limited(self, replan: Replan) -> Replan:
        """Return a replanner that raises Exhausted once the time is over."""

        def limited(candidates: Sequence[IndexCandidate], without: Sequence[RelationName] = ()) -> tuple[Planned, ...]:
            if self.is_over:
                raise Exhausted
            return replan(candidates, without)

        return limited
