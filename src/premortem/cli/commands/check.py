"""`premortem check`: the gate."""

from __future__ import annotations

import argparse
import sys

from premortem import sources
from premortem.cli.judging import Queries, judged
from premortem.errors import UsageError
from premortem.model import Profile


def run(arguments: argparse.Namespace) -> int:
    """Judge the queries of the paths and return the verdict's exit code."""
    if not arguments.paths and not arguments.workload:
        raise UsageError("nothing to check", hint="name a .sql file or folder, - for standard input, or --workload")

    def read(profile: Profile) -> Queries:
        found = sources.read(arguments.paths, stdin=sys.stdin, profile=profile) if arguments.paths else ()
        return (*found, *(sources.workload(profile) if arguments.workload else ()))

    return judged(arguments, read, details=False)
