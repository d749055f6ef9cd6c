"""How a report is to look: decided by the shell, obeyed by the renderers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The width in columns, whether colours may be used, and whether all details are wanted.

    `details` shows every parameter set's plan and what was declined (`explain`), not only what hurts (`check`).
    """

    width: int = 80
    colour: bool = False
    details: bool = False
