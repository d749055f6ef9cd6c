"""Signals for the children of tests."""

from __future__ import annotations

import signal


def heed_interrupts() -> None:
    """Take SIGINT for what it is: a shell that starts tests in the background has them ignore it, and children too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
