"""One run, several reports: `--format` says what goes to `--output`, each `--save FORMAT=FILE` writes one more."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from premortem.cli import output
from premortem.cli.parser import FORMATS
from premortem.errors import PremortemError, UsageError
from premortem.model import Report
from premortem.report import GITLAB_CHARACTERS, Look, render

#: Where the CI says that the repository lies.
_ROOTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One report to write: its format, and its file or `-`."""

    form: str
    destination: str


def wanted(arguments: argparse.Namespace) -> tuple[Wanted, ...]:
    """Return the reports that were asked for, the one for `--output` last; each can be written as far as one can tell.

    Raises UsageError.
    """
    saved = [_parsed(typed) for typed in arguments.save]
    every = (*saved, Wanted(form=arguments.format, destination=arguments.output))
    for one in every:
        output.check(one.destination)
    places = [_place(one.destination) for one in every]
    for one, place in zip(every, places, strict=True):
        if place is not None and places.count(place) > 1:
            name = "standard output" if one.destination == output.STANDARD else one.destination
            raise UsageError(f"two reports cannot both be written to {name}", hint="give each a file of its own")
    return every


def _place(destination: str) -> str | None:
    """Return what two destinations have in common where the one would overwrite the other; None for a device."""
    if destination == output.STANDARD:
        return destination
    return None if output.is_stream(destination) else os.path.realpath(destination)


def _parsed(typed: str) -> Wanted:
    form, equals, destination = typed.partition("=")
    if not equals or not destination:
        raise UsageError(f"--save {typed} is no FORMAT=FILE", hint="for example --save html=premortem.html")
    if form not in FORMATS:
        close = get_close_matches(form, FORMATS, n=1)
        known = f"the formats are {', '.join(FORMATS)}"
        raise UsageError(f"--save: there is no format {form}", hint=f"did you mean {close[0]}?" if close else known)
    return Wanted(form=form, destination=destination)


def write(report: Report, every: Sequence[Wanted], *, details: bool) -> None:
    """Write the reports; where one fails, the others are written all the same.

    Raises the first PremortemError.
    """
    whole = _whole(every)
    failed: list[PremortemError] = []
    for one in every:
        look = _look(one.destination, details=details)
        look = replace(look, whole=whole or look.whole)
        try:
            output.write(render(report, one.form, look=look), one.destination)
        except PremortemError as error:
            failed.append(error)
    if failed:
        raise failed[0]


def _whole(every: Sequence[Wanted]) -> str:
    """Return where the whole report is, for those that are cut; empty where no file has it."""
    files = {one.form: one.destination for one in every if one.destination != output.STANDARD}
    form = next((f for f in ("html", "json") if f in files), None)
    return f"the whole report is in {Path(files[form]).name}" if form else ""


def _look(destination: str, *, details: bool) -> Look:
    here = os.getcwd()
    look = replace(output.look(destination, details=details), root=_root(here), here=here)
    return replace(look, limit=GITLAB_CHARACTERS - 1_000) if os.environ.get("GITLAB_CI") else look


def _root(here: str) -> str:
    """Return the repository's folder: the one that the CI names or that has a `.git`, else the current one."""
    named = (os.environ.get(name, "").rstrip("/") for name in _ROOTS)
    inside = (root for root in named if root and f"{here}/".startswith(f"{root}/"))
    above = (str(folder) for folder in (Path(here), *Path(here).parents) if (folder / ".git").exists())
    return next(inside, None) or next(above, here)
