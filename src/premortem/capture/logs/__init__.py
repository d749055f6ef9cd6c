"""Reads what a server says it executed, and makes the application's queries of it.

Words: an *entry* is one record of a log; an *execution* is one run of a statement; a *form* is one way to write a
statement, whatever its values; a *variant* differs in constants that cannot be parameters.

    read(lines)        -> executions      forms → jsonlog, csvlog, stderr (prefix, wrapping) → messages; or dumps
    resolved(query, profile) -> Query      a function's statement with parameters for the function's variables
    cancellations(lines) -> what the server cancelled, which no counter holds
    gather(executions) -> Gathered        gathering → statement (samples), repeating, paths, leaving

It streams: a log of any size is read in memory that grows with the number of different statements only.  It leaves out
what is no query of the application, and says how many for which reason.
"""

from __future__ import annotations

from collections.abc import Iterable

from premortem.capture.executed import Executed
from premortem.capture.logs.cancelling import Cancellation, cancellations
from premortem.capture.logs.forms import LogForm, read, sniff, whole
from premortem.capture.logs.gathering import Gathered, gather
from premortem.capture.logs.resolving import resolved
from premortem.capture.logs.wrapping import opened
from premortem.capture.units import Units
from premortem.model import Query, Unreadable

__all__ = [
    "Cancellation",
    "Gathered",
    "LogForm",
    "cancellations",
    "gather",
    "gathered",
    "opened",
    "read",
    "resolved",
    "sniff",
    "whole",
]


def gathered(
    executed: Iterable[Executed], units: Units | None = None, *, source: str = "log"
) -> tuple[Query | Unreadable, ...]:
    """Return the queries that were executed, each once, without what was left out."""
    return gather(executed, units, source=source).queries
