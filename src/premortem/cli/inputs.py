"""What there is to judge: everything that a command line names, gathered in one place before anything is planned."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from premortem import sources
from premortem.cli import capturing
from premortem.errors import ProfileError, UsageError
from premortem.model import Gap, Profile, Query, Unreadable

Queries: TypeAlias = tuple[Query | Unreadable, ...]

_CAPTURE = ".capture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What there is to judge.

    `branch` is the schema that the branch's own migrations built where a test suite was captured, `changes` what git
    says that the branch touches, `files` the plain files that were read.  `is_whole` is false where a suite failed:
    queries may be missing then, and finding nothing is no pass.
    """

    queries: Queries
    branch: Profile | None = None
    changes: sources.Changes | None = None
    files: frozenset[str] = frozenset()
    gaps: tuple[Gap, ...] = ()
    is_whole: bool = True


def gather(arguments: argparse.Namespace, profile: Profile) -> Inputs:
    """Return what the arguments of `check` and `adopt` name: files, standard input, captures, the workload.

    Raises UsageError where they name nothing.
    """
    schema = getattr(arguments, "schema", False)
    if not (arguments.paths or arguments.workload or arguments.migrations or arguments.suite or schema):
        hint = (
            "name a .sql file or folder, - for standard input, --workload, --schema, --migrations, or a suite after --"
        )
        raise UsageError("nothing to check", hint=hint)
    changes = sources.changed_since(arguments.changed_since) if arguments.changed_since else None
    plain = [p for p in arguments.paths if not p.endswith(_CAPTURE)]
    filed = sources.read(plain, stdin=sys.stdin, profile=profile) if plain else ()
    captured = capturing.gathered(arguments, [Path(p) for p in arguments.paths if p.endswith(_CAPTURE)], profile)
    workload = workload_of(profile) if arguments.workload else ()
    return Inputs(
        queries=(*filed, *sources.with_calls(captured.queries, profile), *workload),
        branch=captured.branch,
        changes=changes,
        gaps=captured.gaps,
        is_whole=not captured.failed,
        files=frozenset(q.site.source for q in filed),
    )


def workload_of(profile: Profile) -> Queries:
    """Return the profile's workload.

    Raises ProfileError where it has none: nothing can be said then, and that is no pass.
    """
    found = sources.workload(profile)
    if not found:
        cures = (g.cure for g in profile.gaps if "workload" in g.subject.lower() and g.cure)
        raise ProfileError("the profile holds no workload", hint=next(cures, "pull it where pg_stat_statements is on"))
    return found
