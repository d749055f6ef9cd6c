"""Progress on standard error, for a person who waits at a terminal; silent anywhere else."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TypeAlias

Told: TypeAlias = Callable[[str], None]


def _nothing(says: str) -> None:
    """Say nothing."""


@contextlib.contextmanager
def shown(first: str, *, quiet: bool = False) -> Iterator[Told]:
    """Show what is going on while the block runs; the block is given the callable that changes the sentence."""
    if quiet or not sys.stderr.isatty():
        yield _nothing
        return
    from rich.console import Console
    from rich.markup import escape

    from premortem import words

    console = Console(stderr=True, highlight=False)
    with console.status(escape(first), spinner="dots") as status:
        yield lambda says: status.update(escape(words.one_line(says)))
