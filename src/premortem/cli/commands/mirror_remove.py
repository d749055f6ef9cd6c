"""`premortem mirror remove`: frees the room that kept mirrors take."""

from __future__ import annotations

import argparse

from premortem import mirror, words
from premortem.cli import output


def run(arguments: argparse.Namespace) -> int:
    """Remove kept mirrors."""
    names = mirror.kept.named(arguments.names, all_of_them=arguments.all)
    for name in names:
        mirror.kept.remove(name)
    output.write(f"removed {words.plural(len(names), 'mirror')}\n")
    return 0
