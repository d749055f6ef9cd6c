"""Whether something is well: the word that the parts of the daemon answer with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether something is well, and one line on each thing that is not."""

    well: bool
    says: tuple[str, ...] = ()
