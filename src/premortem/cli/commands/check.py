"""`premortem check`: the gate."""

from __future__ import annotations

import argparse
import sys

from premortem import sources
from premortem.cli.judging import Queries, judged
from premortem.errors import ProfileError, UsageError
from premortem.model import Profile


def run(arguments: argparse.Namespace) -> int:
    """Judge the queries of the paths and return the verdict's exit code."""
    if not arguments.paths and not arguments.workload:
        raise UsageError("nothing to check", hint="name a .sql file or folder, - for standard input, or --workload")

    def read(profile: Profile) -> Queries:
        found = sources.read(arguments.paths, stdin=sys.stdin, profile=profile) if arguments.paths else ()
        return (*found, *(_workload(profile) if arguments.workload else ()))

    return judged(arguments, read, details=False)


def _workload(profile: Profile) -> Queries:
    """Return the profile's workload.

    Raises ProfileError where it has none: nothing was checked then, and that is no pass.
    """
    found = sources.workload(profile)
    if not found:
        cures = (g.cure for g in profile.gaps if "workload" in g.subject.lower() and g.cure)
        raise ProfileError("the profile holds no workload", hint=next(cures, "pull it where pg_stat_statements is on"))
    return found
