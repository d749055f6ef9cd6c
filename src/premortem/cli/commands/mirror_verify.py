"""`premortem mirror verify`: how near a mirror is to production."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from dataclasses import replace

from premortem import mirror, sources
from premortem.cli import mirroring, output
from premortem.cli.progress import shown
from premortem.mirror import Limits, telling
from premortem.model import Profile, Query, Unreadable


def run(arguments: argparse.Namespace) -> int:
    """Compare a mirror's statistics and plans with production's; 1 where they are further apart than they may be."""
    mirroring.check_target(arguments)
    output.check(arguments.output)
    profile, digest = mirroring.profile_of(arguments)
    asked = _asked(arguments, profile)
    with shown("opening the mirror", quiet=arguments.quiet) as told, ExitStack() as stack:
        place = mirroring.finished_place(arguments, profile, digest, stack, told)
        found = mirror.verify(
            place, profile, asked, digest=digest, limits=_limits(arguments), analyze=not arguments.no_analyze, told=told
        )
    written = telling.as_json(found) if arguments.format == "json" else telling.text(found, whole=arguments.all)
    output.write(written, arguments.output)
    return 1 if found.failures else 0


def _limits(arguments: argparse.Namespace) -> Limits:
    chosen = {
        "columns": arguments.min_columns, "shapes": arguments.min_shapes, "median": arguments.max_median,
        "tail": arguments.max_p95,
    }  # fmt: skip
    return replace(Limits(), **{name: value for name, value in chosen.items() if value is not None})


def _asked(arguments: argparse.Namespace, profile: Profile) -> tuple[Query, ...]:
    """Return the queries of the paths, of production's workload where none is named."""
    found: tuple[Query | Unreadable, ...] = ()
    if arguments.paths:
        found = tuple(sources.read(arguments.paths, stdin=sys.stdin, profile=profile))
    else:
        found = tuple(sources.workload(profile))
    return tuple(q for q in found if isinstance(q, Query))
