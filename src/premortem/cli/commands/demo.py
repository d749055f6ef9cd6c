"""`premortem demo`: the incident end to end."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Sequence

from premortem import demo
from premortem.cli.progress import shown
from premortem.demo.story import Teller


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; commands inside of it are the ones that a user types."""
    with shown("starting") as told:
        return demo.run(Teller(say=_say, told=told, premortem=_command), keep=arguments.keep, wait=_wait)


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.write("\n" if not text.endswith("\n\n") else "")
    sys.stdout.flush()


def _command(arguments: Sequence[str]) -> int:
    from premortem.cli.main import main

    return main([*arguments])


def _wait() -> None:
    """Until Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()
