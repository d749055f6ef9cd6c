"""`premortem demo`: the incident end to end, told at this terminal, with the commands that a user types."""

from __future__ import annotations

import argparse
import contextlib
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field

from premortem import demo
from premortem.cli import entry, output
from premortem.cli.progress import shown
from premortem.demo.story import Teller


def run(arguments: argparse.Namespace) -> int:
    """Tell the incident; 0 where the gate stopped the pull request and its index cured the query."""
    with contextlib.closing(_Screen()) as screen:
        teller = Teller(say=screen.say, told=screen.told, premortem=screen.premortem)
        return demo.run(teller, keep=arguments.keep, wait=_until_interrupted)


@dataclass(slots=True)
class _Screen:
    """Standard output and the line of progress below it, which goes away while something is written."""

    _progress: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def say(self, text: str) -> None:
        self.close()
        output.write(f"{text}\n")

    def told(self, says: str) -> None:
        self.close()
        self._progress.enter_context(shown(says))

    def premortem(self, typed: Sequence[str]) -> int:
        self.close()
        return entry.run(entry.parsed(typed))

    def close(self) -> None:
        self._progress.close()


def _until_interrupted() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()
