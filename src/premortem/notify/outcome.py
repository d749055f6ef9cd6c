"""What became of an attempt to tell: done, later, or never, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Verdict(StrEnum):
    """Whether to try again."""

    DONE = "done"
    LATER = "later"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answer to an attempt.

    `says` is for people and holds no secret.  `after` is how long the other side asks us to wait.  `whole` is whether
    the channel itself is in trouble, so that other messages need not be tried now either.
    """

    verdict: Verdict
    says: str
    status: int | None = None
    after: timedelta | None = None
    whole: bool = False
