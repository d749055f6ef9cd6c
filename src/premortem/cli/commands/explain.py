"""`premortem explain`: one query, with its plan for every set of parameter values."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from premortem import sources
from premortem.cli.judging import Queries, judged
from premortem.model import Profile, Site


def run(arguments: argparse.Namespace) -> int:
    """Judge a query and return the verdict's exit code."""
    given: str = arguments.query

    def read(profile: Profile) -> Queries:
        if given == "-" or _is_file(given):
            return sources.read([given], stdin=sys.stdin, profile=profile)
        return sources.text(given, Site(source="command line"))

    return judged(arguments, read, details=True)


def _is_file(given: str) -> bool:
    """Whether the argument names a file and not a query; a query with blanks that is a file's name would be odd."""
    try:
        return Path(given).is_file()
    except (OSError, ValueError):  # too long for a name, or a NUL in it
        return False
