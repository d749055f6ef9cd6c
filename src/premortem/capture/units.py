"""Which test a statement belongs to, so that N queries of one test can be told from one query of N tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from premortem.capture.executed import Executed
from premortem.model import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of work: what repeats are counted within.

    `within` is `test`, `transaction` or `session`; `name` is the same for all statements of one unit and differs
    between units; `phase` is `setup`, `call` or `teardown` of a test, None elsewhere; `site` is where the test stands.
    """

    within: str
    name: str
    phase: str | None = None
    site: Site | None = None


class Units(Protocol):
    """Knows the unit of work that a statement belongs to."""

    def of(self, executed: Executed) -> Unit:
        """Return the unit of work of a statement."""
        ...


class WithoutTests:
    """The units where nobody told of any test: transactions, else sessions."""

    def of(self, executed: Executed) -> Unit:
        """Return the statement's transaction, its session where it has none."""
        if executed.transaction is None:
            return Unit(within="session", name=executed.session)
        return Unit(within="transaction", name=f"{executed.session} {executed.transaction}")
