"""`premortem explain`: one query, with its plan for every set of parameter values."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from premortem import sources
from premortem.cli import given
from premortem.cli.inputs import Queries
from premortem.cli.judging import judged
from premortem.errors import UsageError
from premortem.model import Profile, Query, Site


def run(arguments: argparse.Namespace) -> int:
    """Judge a query, or the plans that somebody pasted, and return the verdict's exit code."""
    if arguments.plan is not None:
        return _pasted(arguments)
    if arguments.profile is None:
        raise UsageError("explain needs a profile: -p FILE", hint="only --plan does without one")
    arguments.query = arguments.query or "-"
    values = given.parse(arguments.given)

    def read(profile: Profile) -> Queries:
        return _read(arguments.query, profile)

    def chooser(queries: Queries) -> given.Choose:
        return given.chooser(values, [q for q in queries if isinstance(q, Query)])

    return judged(arguments, read, details=True, chooser=chooser)


def _pasted(arguments: argparse.Namespace) -> int:
    from premortem.cli import pasting

    if arguments.given:
        raise UsageError("--set has no meaning for a plan that was made already", hint="leave out --set or --plan")
    typed = arguments.query
    if typed is not None and (typed == "-" or _is_file(typed)):
        arguments.query = Path(typed).read_text("utf-8", "replace") if typed != "-" else None
    return pasting.judged(arguments)


def _read(typed: str, profile: Profile) -> Queries:
    if typed == "-" or _is_file(typed):
        return sources.read([typed], stdin=sys.stdin, profile=profile)
    return sources.text(typed, Site(source="command line"))


def _is_file(typed: str) -> bool:
    """Whether the argument names a file and not a query; a file with a query's text as its name would be odd."""
    try:
        return Path(typed).is_file()
    except (OSError, ValueError):  # too long for a name, or a NUL in it
        return False
