"""The way in: from arguments to an exit code."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from premortem.cli import border, parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit code."""
    arguments = _parsed(argv)
    return border.guarded(lambda: _run(arguments), debug=arguments.debug)


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    try:
        return parser.build().parse_args(argv)
    except BrokenPipeError:
        border.silence(sys.stdout)
        raise SystemExit(0) from None


def _run(arguments: argparse.Namespace) -> int:
    command: parser.Command = importlib.import_module(f"premortem.cli.commands.{arguments.module}").run
    return command(arguments)
