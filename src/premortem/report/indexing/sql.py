"""The answer as a script for psql: every statement with its reason, and what undoes it all as a comment at the end.

It stops at the first error, for an index must not be dropped before the one that replaces it is there; and it sets its
own timeouts to none, for a build that is cut short leaves an invalid index behind.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from premortem import words
from premortem.model import Drop, Indexing, Recommendation
from premortem.report import story
from premortem.report.indexing import told
from premortem.report.look import Look

_WIDTH = 100
_QUERIES = 5
_RUN = """\
Run it with psql -f, outside of a transaction: CONCURRENTLY is refused in one. Reads and writes go on meanwhile.
It stops at the first error. A build that fails leaves an invalid index of that name: drop it with
DROP INDEX CONCURRENTLY, and run the rest again."""


def render(found: Indexing, look: Look) -> str:
    """Return the script; where there is nothing to do it says so and does nothing."""
    return "\n".join(_parts(found, look)).rstrip() + "\n"


def _parts(found: Indexing, look: Look) -> Iterator[str]:
    yield from _head(found, look)
    if not (found.recommendations or found.drops):
        return
    yield r"\set ON_ERROR_STOP on"
    yield "SET statement_timeout = 0;"
    yield "SET lock_timeout = 0;"
    yield ""
    locks: set[str] = set()
    for place, index in enumerate(found.recommendations, start=1):
        yield from _create(place, index, found, locks)
    yield from _replaced(found)
    for drop in found.drops:
        yield from _drop(drop)
    yield from _undo(found)


def _head(found: Indexing, look: Look) -> Iterator[str]:
    yield from _comment(f"premortem advise: {told.headline(found)}")
    yield from _comment(told.source(found))
    if found.recommendations:
        yield from _comment(f"{told.buys(found)} {told.basis(found)}")
        yield from _comment(told.certainty(found))
    yield from _comment(told.unfinished(found))
    yield from _comment(f"Made by: {look.again}" if look.again else "")
    if found.recommendations or found.drops:
        yield "--"
        yield from _comment(_RUN.replace("\n", " "))
    yield ""


def _create(place: int, index: Recommendation, found: Indexing, locks: set[str]) -> Iterator[str]:
    """Yield an index with its reason; what it locks is said once for all that lock the same."""
    built = f"{words.size(index.size_bytes)}, about {words.duration(index.build_time)} to build"
    yield from _comment(f"{place} of {len(found.recommendations)}: {told.adding(index, found)}; {built}.")
    lock = index.lock.partition(" (")[0]
    if lock and lock not in locks:
        locks.add(lock)
        yield from _comment(f"Locks {lock}.")
    if told.is_paid(index.upkeep):
        yield from _comment(story.sentence(told.upkeep(index.upkeep)))
    helped = told.helped(index)
    for gain in helped[:_QUERIES]:
        yield from _comment(f"  {told.name(gain.query)}: {told.change(gain, found)}")
    if len(helped) > _QUERIES:
        yield from _comment(f"  and {words.plural(len(helped) - _QUERIES, 'more query', 'more queries')}")
    for note in index.notes:
        yield from _comment(story.sentence(note))
    yield from index.statements
    yield ""


def _replaced(found: Indexing) -> Iterator[str]:
    replacing = [i for i in found.recommendations if i.drop_statements]
    for index in replacing:
        yield from _comment(f"{words.one_line(index.name)} {told.replacing(index)}.")
        yield from index.drop_statements
        yield ""


def _drop(drop: Drop) -> Iterator[str]:
    yield from _comment(f"{drop.kind.value}, {words.size(drop.size_bytes)}. {story.sentence(drop.says)}")
    yield from _comment(story.sentence(drop.proof))
    for caution in drop.caution:
        yield from _comment(story.sentence(caution))
    yield from drop.statements
    yield ""


def _undo(found: Indexing) -> Iterator[str]:
    """Yield what undoes everything, last things first, commented out."""
    yield from _comment("To undo it all:")
    statements = [
        *(s for d in reversed(found.drops) for s in d.undo_statements),
        *(s for i in reversed(found.recommendations) for s in i.restore_statements),
        *(s for i in reversed(found.recommendations) for s in i.undo_statements),
    ]
    for statement in statements:
        yield from (f"-- {line}" for line in words.plain(statement).splitlines())


def _comment(text: str) -> Iterator[str]:
    """Yield a text as lines of a comment: whatever a name or a query holds, nothing of it is ever executed."""
    said = words.plain(text).replace("\n", " ").rstrip()
    inset = " " * (len(said) - len(said.lstrip()))
    for line in textwrap.wrap(said, _WIDTH, subsequent_indent=inset, break_long_words=False, break_on_hyphens=False):
        yield f"-- {line}"
