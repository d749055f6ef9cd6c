"""Values as the database keeps them: JSON by the model's codec, and text that every column takes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar, cast

from premortem.errors import StoreError
from premortem.model import codec

T = TypeVar("T")


def written(value: object) -> str:
    """Return a dataclass's JSON."""
    return json.dumps(codec.encode(value))


def plain(value: object) -> dict[str, object]:
    """Return a dataclass as the object that its JSON is."""
    return cast("dict[str, object]", codec.encode(value))


def read(cls: type[T], data: Any) -> T:
    """Return the value that the database's JSON describes; raises StoreError where it does not."""
    try:
        return cast("T", codec.decode(cls, data))
    except codec.Misfit as misfit:
        raise StoreError(
            f"the store holds one {cls.__name__} that cannot be read: {misfit}",
            hint="it was written by a newer premortem: upgrade this one",
        ) from None


def array(values: Iterable[float]) -> str:
    """Return numbers or truths as PostgreSQL reads an array: much faster than by the driver, value for value.

    >>> array([1, 2.5, float("inf"), True])
    '{1,2.5,inf,True}'
    """
    return "{" + ",".join(map(repr, values)) + "}"


def moments(values: Iterable[datetime]) -> str:
    """Return moments as PostgreSQL reads an array of them."""
    return "{" + ",".join(map(datetime.isoformat, values)) + "}"


@lru_cache(10_000)
def name(said: str) -> str:
    """Return a short text that comes again and again as `text` does."""
    return text(said)


def text(said: str) -> str:
    r"""Return a text without what no text column takes: NUL, and halves of characters.

    >>> text("a\0b"), text("ok \udce4")
    ('ab', 'ok ?')
    """
    return said.replace("\0", "").encode("utf-8", "replace").decode()
