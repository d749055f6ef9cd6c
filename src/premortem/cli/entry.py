"""The way in: from arguments to an exit code."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from premortem.cli import border, parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit code."""
    arguments = parsed(argv)
    return border.guarded(lambda: run(arguments), debug=arguments.debug)


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments of a command line; ends the program with 2 where they are wrong."""
    try:
        return parser.build().parse_args(argv)
    except BrokenPipeError:
        border.silence(sys.stdout)
        raise SystemExit(0) from None


def run(arguments: argparse.Namespace) -> int:
    """Run the command that was typed and return its exit code; errors are raised."""
    command: parser.Command = importlib.import_module(f"premortem.cli.commands.{arguments.module}").run
    return command(arguments)
