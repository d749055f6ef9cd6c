"""What premortem could not see, and what that does to its answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One thing that could not be read or reproduced.

    `subject` names the thing (`column statistics`, `table public.orders`), `says` is one sentence on what is missing
    and why, `effect` one on what it does to the answer, `cure` what to type to close it (empty where nothing can).
    """

    subject: str
    says: str
    effect: str = ""
    cure: str = ""
