"""What a capture is: the statements of a run and the schemas that they ran on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from premortem.capture.logs import Gathered
from premortem.model import Gap, Profile, Query, Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """A schema that the suite's migrations built, as a profile without sizes and statistics, and where it was."""

    databases: tuple[str, ...]
    profile: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Every distinct statement that reached a server, with what was seen of it.

    `command` is the suite's, empty where a log was read; `exit_status` is its own, None where there was none, and 124
    where it was ended for `timed_out`.  `executed` counts statements before they were put together.  `left_out` says
    how many of them are not among `statements` and why.
    """

    taken_at: datetime
    command: tuple[str, ...] = ()
    exit_status: int | None = None
    timed_out: bool = False
    server_version: str = ""
    executed: int = 0
    statements: tuple[Query, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()
    schemas: tuple[Schema, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the suite failed, so that what it would have run later is missing."""
        return self.exit_status not in (0, None)

    @property
    def queries(self) -> tuple[Query | Unreadable, ...]:
        """What there is to judge."""
        return (*self.statements, *self.unreadable)


def captured(found: Gathered, taken_at: datetime, executed: int) -> Capture:
    """Return a capture of what was gathered."""
    return Capture(
        taken_at=taken_at,
        executed=executed,
        statements=tuple(one for one in found.queries if isinstance(one, Query)),
        unreadable=tuple(one for one in found.queries if isinstance(one, Unreadable)),
        left_out=found.left_out,
    )
