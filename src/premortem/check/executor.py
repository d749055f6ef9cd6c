"""The mirror as check sees it: what executes queries there, and builds indexes to try them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from premortem.model import Advice, Built, Execution, Gap, ParameterSet, Planned, Profile, Query, RelationName

Sampled = tuple[tuple[ParameterSet, ...], tuple[Gap, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """What executes queries on rows, as callables; nothing that they do stays.

    `place` says where.  `sampled` returns parameter sets made of the mirror's own rows, given those that are there;
    `execute` runs a query with one set.  Within `building` the indexes of some advice are really there; it raises
    StatementError or ServerTimeout where they cannot be built.  `is_whole` says whether the mirror's table is about as
    large as production's, so that what does not hurt there does not hurt in production.
    """

    place: str
    execute: Callable[[Query, ParameterSet], Execution]
    sampled: Callable[[Query, Sequence[Planned], Profile], Sampled]
    building: Callable[[Sequence[Advice]], AbstractContextManager[tuple[Built, ...]]]
    is_whole: Callable[[RelationName], bool]
