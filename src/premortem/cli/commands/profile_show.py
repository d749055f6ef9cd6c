"""`premortem profile show`: what a profile holds, and what it lacks."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator

from premortem import catalog, words
from premortem.cli import output
from premortem.model import Profile
from premortem.report import story

_LARGEST = 15


def run(arguments: argparse.Namespace) -> int:
    """Print what a profile holds."""
    profile = catalog.read(arguments.profile)
    output.write("\n".join(_lines(profile)) + "\n")
    return 0


def _lines(profile: Profile) -> Iterator[str]:
    server = profile.server
    yield f"database     {words.one_line(server.database)} on PostgreSQL {words.one_line(server.version)}"
    yield f"taken        {profile.taken_at:%Y-%m-%d %H:%M %Z}".rstrip()
    yield f"values       {profile.values.value}"
    yield f"relations    {words.number(len(profile.tables))}"
    yield f"indexes      {words.number(sum(len(t.indexes) for t in profile.tables))}"
    changed = [f"{s.name} = {s.value}" for s in profile.settings if s.source != "default"]
    yield f"settings     {words.one_line(words.listing(changed, most=4)) or 'the defaults'}"
    yield f"workload     {_workload(profile)}"
    yield f"extensions   {words.listing([e.name for e in profile.extensions]) or 'none'}"
    yield from _largest(profile)
    yield ""
    yield f"gaps: {words.number(len(profile.gaps))}"
    for gap in profile.gaps:
        yield from textwrap.wrap(story.gap_sentence(gap), 100, initial_indent="  ", subsequent_indent="    ")


def _workload(profile: Profile) -> str:
    statements = words.plural(len(profile.workload.statements), "statement")
    window = profile.workload.window
    return f"{statements} over {words.duration(window)}" if window else statements


def _largest(profile: Profile) -> Iterator[str]:
    largest = sorted((t for t in profile.tables if t.pages), key=lambda t: -t.pages)[:_LARGEST]
    if largest:
        yield ""
        yield f"{'largest relations':<44} {'rows':>15} {'size':>9}  indexes"
    for table in largest:
        name = words.shortened(words.one_line(table.full_name), 44)
        yield f"{name:<44} {words.number(table.rows):>15} {words.size(table.size_bytes):>9}  {len(table.indexes)}"
