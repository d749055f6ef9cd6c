"""A profile's values as JSON: the model's codec, whose misfits are errors about a profile here."""

from __future__ import annotations

from typing import Any

from premortem.errors import ProfileError
from premortem.model.codec import Misfit, default, encode, hints, optional
from premortem.model.codec import decode as read

__all__ = ["decode", "default", "encode", "hints", "optional"]


def decode(cls: Any, data: object) -> Any:
    """Return the value of a class that the JSON describes.

    Raises ProfileError that names the place where it does not fit.
    """
    try:
        return read(cls, data)
    except Misfit as misfit:
        says = f"the profile's content does not fit: {misfit}"
        raise ProfileError(says, hint="It was written by another version of premortem, or by hand.") from None
