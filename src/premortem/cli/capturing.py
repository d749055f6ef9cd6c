"""A suite's run as a source of queries: run it or read its capture, and find what of it is production's."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from premortem import capture, pg
from premortem.model import Gap, Profile, Query, Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What captures bring to a check: queries, the branch's schema, and what could not be seen.

    `failed` says that a suite failed, so that some of its queries may be missing.
    """

    queries: tuple[Query | Unreadable, ...] = ()
    branch: Profile | None = None
    gaps: tuple[Gap, ...] = ()
    failed: bool = False


def run(arguments: argparse.Namespace, *, major: int | None, stdout: int | None = None) -> capture.Capture:
    """Run the command line's suite on a server of that major version and return what it did there."""
    return capture.run(
        arguments.suite,
        wanted=capture.Wanted(
            major=major, user=arguments.user, password=arguments.password, database=arguments.database
        ),
        templates=arguments.given,
        timeout=arguments.timeout,
        plugin=arguments.pytest_plugin,
        stdout=stdout,
    )


def gathered(arguments: argparse.Namespace, files: Sequence[Path], profile: Profile) -> Captured:
    """Return what capture files and the suite, where there is one, bring to a check of that production.

    The suite's own output goes to standard error: ours is the report's.
    """
    taken = [capture.read(path) for path in files]
    if arguments.suite:
        major = arguments.pg or pg.installation(profile.server.major).major
        taken.append(run(arguments, major=major, stdout=sys.stderr.fileno()))
    return _joined([of(one, profile) for one in taken])


def of(taken: capture.Capture, profile: Profile) -> Captured:
    """Return what one capture brings: the statements of the databases whose schema is most like production's."""
    schema = max(taken.schemas, key=lambda s: _in_common(s.profile, profile), default=None)
    databases = frozenset(schema.databases) if schema is not None else frozenset()
    # A database without a schema was gone too soon to be seen; its statements are still the application's.
    seen = frozenset(name for s in taken.schemas for name in s.databases)
    foreign = seen - databases
    known = schema.profile if schema is not None else profile
    return Captured(
        queries=tuple(
            _as_judged(q, taken, known) if isinstance(q, Query) else q
            for q in taken.queries
            if not (isinstance(q, Query) and q.database in foreign)
        ),
        branch=schema.profile if schema is not None else None,
        gaps=(*taken.gaps, *_gaps(taken, foreign)),
        failed=taken.failed,
    )


def _as_judged(query: Query, taken: capture.Capture, schema: Profile) -> Query:
    """Return a captured query as it is judged.

    A log that is there already may be production's, and the values in it are then rows of production: no report shows
    them, and no plan is made with them.  A suite's are test data.
    """
    resolved = capture.resolved(query, schema)
    return resolved if taken.command else replace(resolved, original=resolved.text, samples=())


def _in_common(schema: Profile, production: Profile) -> int:
    return sum(production.table(t.relation) is not None for t in schema.tables)


def _gaps(taken: capture.Capture, foreign: frozenset[str]) -> tuple[Gap, ...]:
    said = " ".join(taken.command) or "the suite"
    gaps = []
    if taken.timed_out:
        gaps.append(_failed(said, "was ended, as it took longer than --timeout allows"))
    elif taken.failed:
        gaps.append(_failed(said, f"failed (exit code {taken.exit_status})"))
    if foreign:
        gaps.append(
            Gap(
                subject=f"databases {', '.join(sorted(foreign))}",
                says="The suite used them too, and the profile's tables are in another one.",
                effect="Their statements were not judged.",
                cure="check them with their own production's profile, from a capture file",
            )
        )
    if not taken.schemas:
        gaps.append(
            Gap(
                subject="the branch's schema",
                says="No schema could be captured.",
                effect="The queries were judged on production's schema: what the branch adds is not there.",
                cure="name the migrations: --migrations PATH",
            )
        )
    return tuple(gaps)


def _failed(said: str, how: str) -> Gap:
    return Gap(
        subject=f"the suite {said}",
        says=f"It {how}.",
        effect="What it would have run after that is missing, so this is no pass.",
        cure="make the suite pass",
    )


def _joined(parts: Sequence[Captured]) -> Captured:
    branches = [p.branch for p in parts if p.branch is not None]
    return Captured(
        queries=tuple(q for p in parts for q in p.queries),
        branch=branches[-1] if branches else None,
        gaps=tuple(dict.fromkeys(g for p in parts for g in p.gaps)),
        failed=any(p.failed for p in parts),
    )
