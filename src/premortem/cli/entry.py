"""The way in: from arguments to an exit code."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from premortem.cli import border, parser

_RUN_A_COMMAND = {"adopt", "capture", "check", "mirror"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit code."""
    arguments = parsed(argv)
    return border.guarded(lambda: run(arguments), debug=arguments.debug)


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments of a command line; ends the program with 2 where they are wrong."""
    ours, suite = _split(sys.argv[1:] if argv is None else argv)
    try:
        arguments = parser.build().parse_args(ours)
    except BrokenPipeError:
        border.silence(sys.stdout)
        raise SystemExit(0) from None
    arguments.suite = suite
    return arguments


def _split(argv: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return our own arguments, and the command after `--` where ours runs one.

    argparse would take the command's options for ours.
    """
    if "--" not in argv:
        return list(argv), ()
    place = list(argv).index("--")
    if not _RUN_A_COMMAND.intersection(argv[:place]):
        return list(argv), ()
    return list(argv[:place]), tuple(argv[place + 1 :])


def run(arguments: argparse.Namespace) -> int:
    """Run the command that was typed and return its exit code; errors are raised."""
    command: parser.Command = importlib.import_module(f"premortem.cli.commands.{arguments.module}").run
    return command(arguments)
