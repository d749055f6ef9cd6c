"""What the search for a workload's indexes asks of the world: candidates made known, questions answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from premortem.model import Answer, IndexCandidate, Planned, Profile, Question


class World(Protocol):
    """One or more planners that know the same demands by number, and candidates by number too."""

    @property
    def profile(self) -> Profile:
        """The profile that the planners stand for."""
        ...

    @property
    def stocked(self) -> int:
        """How many candidates are known, which is the number of the next one."""
        ...

    def stock(self, candidates: Sequence[IndexCandidate]) -> tuple[str | None, ...]:
        """Make candidates known, none of them visible yet, and return the server's refusal for each, None where made.

        They are numbered on from those that are stocked already; a refused one keeps its number and is never visible.
        """
        ...

    def ask(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """Return the answers in the questions' order."""
        ...

    def plans(self, question: Question) -> tuple[Planned, ...]:
        """Return the plans themselves, one for each of the demand's parameter sets."""
        ...
