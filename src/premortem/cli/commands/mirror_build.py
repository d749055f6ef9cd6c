"""`premortem mirror build`: a database with production's size and distribution, made from the profile alone."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack

from premortem import mirror, pg, words
from premortem.cli import mirroring, output
from premortem.cli.progress import Told, shown
from premortem.errors import UsageError
from premortem.mirror import Built, Crewing, Options, Place
from premortem.model import Gap, Profile
from premortem.report import story


def run(arguments: argparse.Namespace) -> int:
    """Build a mirror and say what it is."""
    mirroring.check_target(arguments)
    _check_statistics(arguments)
    profile, digest = mirroring.profile_of(arguments)
    options = mirroring.options_of(arguments, profile)
    crewing = Crewing(workers=arguments.workers, dask=arguments.dask)
    with shown("reading the profile", quiet=arguments.quiet) as told, ExitStack() as stack:
        place, gaps = mirroring.place_of(arguments, profile, options, digest, stack, told)
        built = _built(arguments, place, profile, options, digest, crewing, told)
        gaps = (*gaps, *_pinned(arguments, place, profile, told))
        mirror.kept.completed(place)
    output.write("\n".join(_said(arguments, built, (*profile.gaps, *gaps, *built.gaps), profile)) + "\n")
    return 0


def _check_statistics(arguments: argparse.Namespace) -> None:
    """Refuse production's statistics for rows that they are not true of, before anything is built."""
    smaller = arguments.scale != 1.0 or arguments.rows is not None or arguments.wanted_by or arguments.shift_to
    if arguments.pin_statistics and smaller:
        raise UsageError(
            "production's statistics are true of a mirror with all of production's rows and moments only",
            hint="leave --scale, --rows, --for and --shift-to out, or --pin-statistics",
        )


def _pinned(arguments: argparse.Namespace, place: Place, profile: Profile, told: Told) -> tuple[Gap, ...]:
    if not arguments.pin_statistics:
        return ()
    told("putting production's statistics in")
    with pg.writer(place.dsn, purpose="mirror") as db:
        return mirror.pin(db, profile)


def _built(
    arguments: argparse.Namespace,
    place: Place,
    profile: Profile,
    options: Options,
    digest: str,
    crewing: Crewing,
    told: Told,
) -> Built:
    resume = arguments.resume or place.server is not None  # one of our own is gone on with by itself
    return mirror.build(place, profile, options, digest=digest, crewing=crewing, resume=resume, told=told)


def _said(arguments: argparse.Namespace, built: Built, gaps: tuple[Gap, ...], profile: Profile) -> Iterator[str]:
    where = pg.describe(arguments.to) if arguments.to else "a server of its own, kept for the next run"
    rows = f"{words.plural(built.rows, 'row')} in {words.plural(built.tables, 'table')}, {words.size(built.size_bytes)}"
    done = "was there already" if built.was_there else f"built in {words.duration(built.seconds)}"
    yield f"mirror of {words.one_line(profile.server.database)}: {rows}; {done}"
    yield f"  in {where}"
    if built.loaded and built.load_seconds:
        rate = words.number(built.loaded / built.load_seconds)
        yield f"  {words.plural(built.loaded, 'row')} loaded in {words.duration(built.load_seconds)} ({rate} rows/s)"
    if built.refused:
        yield f"  {words.plural(built.refused, 'row')} not taken by the target"
    if any(t.triggers for t in profile.tables) and not built.was_there:
        yield "  triggers were created after the rows, so none of them ran"
    if gaps:
        yield f"gaps: {words.number(len(gaps))}"
        for gap in gaps:
            yield f"  {words.one_line(story.gap_sentence(gap))}"
