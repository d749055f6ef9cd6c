"""`premortem doctor`: which servers were found, and what is missing."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator

from premortem import __version__, pg, words
from premortem.cli import output

COULD_NOT_TELL = 3


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; 3 where no PostgreSQL was found that could plan for us."""
    facts = pg.facts()
    output.write("\n".join([f"premortem {__version__}", *_lines(facts)]) + "\n")
    return 0 if any(f.ok and f.name.startswith("PostgreSQL ") for f in facts) else COULD_NOT_TELL


def _lines(facts: Iterable[pg.Fact]) -> Iterator[str]:
    for fact in facts:
        yield f"{'ok ' if fact.ok else '-- '} {fact.name}: {words.one_line(fact.says)}"
        if not fact.ok and fact.cure:
            yield f"      {words.one_line(fact.cure)}"
