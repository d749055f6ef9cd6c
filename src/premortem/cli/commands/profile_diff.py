"""`premortem profile diff`: what changed in production."""

from __future__ import annotations

import argparse

from premortem import catalog, words
from premortem.cli import output


def run(arguments: argparse.Namespace) -> int:
    """Print the differences of two profiles, a sentence each."""
    differences = catalog.diff(catalog.read(arguments.old), catalog.read(arguments.new))
    lines = [words.one_line(d.says) for d in differences] or ["no difference that a plan could show"]
    output.write("\n".join(lines) + "\n")
    return 0
