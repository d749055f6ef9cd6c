"""What was worked out of a table, kept beside it: a search asks the sizes of ten thousand candidates on few columns.

Tables and keys are values and never change, so what follows from one is not worked out twice; it goes when they go.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

Made = TypeVar("Made")


def remembered(owner: object, what: str, key: Hashable, make: Callable[[], Made]) -> Made:
    """Return what was made for that key before, or make it now."""
    known: dict[Hashable, Made] = owner.__dict__.setdefault(what, {})
    if key not in known:
        known[key] = make()
    return known[key]
