"""The answer line by line for a terminal, before anybody decides on colours.

The first screen says what to create, what it buys, how sure that is and what to type next; the rest follows.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from premortem import words
from premortem.model import Drop, Explained, Gain, Indexing, Recommendation, Standing
from premortem.report import story
from premortem.report.indexing import picture, told
from premortem.report.look import Look
from premortem.report.now.lines import Line, line

#: More than so many of each are for the other formats, or for --details.
_INDEXES, _EACH, _QUERIES, _POINTS, _DECLINED, _GAPS, _DROPS, _UNREADABLE = 20, 5, 3, 8, 5, 4, 20, 4
_STYLES = {
    Standing.RECOMMENDED: "bold green", Standing.EXISTS: "bold cyan", Standing.DECLINED: "bold yellow",
    Standing.REFUSED: "bold red",
}  # fmt: skip


def screen(found: Indexing, look: Look) -> Iterator[Line]:
    """Yield everything that is shown, the answer first."""
    for asked in found.asked:
        yield from _asked(asked, found, look)
    if not found.asked:
        yield from _summary(found, look)
    yield from _hints(found)
    if not found.asked:
        yield from _frontier(found, look)
        yield from _each(found, look)
        yield from _declined(found, look)
        yield from _kept(found, look)
    yield from _unseen(found, look)
    yield line((told.source(found), "dim"))


def _summary(found: Indexing, look: Look) -> Iterator[Line]:
    style = "bold green" if found.recommendations or found.drops else "bold cyan"
    yield line((told.label(found), style), "  ", (told.headline(found), "bold"))
    yield line()
    yield from _table(found, look)
    yield from _drops(found, look)
    yield from _worth(found)
    yield from _next(found, look)


def _table(found: Indexing, look: Look) -> Iterator[Line]:
    """Yield each index with its size and what it adds, on as many lines as its definition takes."""
    shown = found.recommendations if look.details else found.recommendations[:_INDEXES]
    if not shown:
        return
    yield line((f"{'saves':>16} {'of it all':>9} {'size':>9}  index", "dim"), whole=True)
    for index in shown:
        figures = f"{told.span(index.adds, found):>16} {told.share(index):>9} {words.size(index.size_bytes):>9}  "
        first, *rest = textwrap.wrap(told.definition(index), max(look.width - len(figures), 30)) or [""]
        yield line(figures, (first, "green"), whole=True)
        yield from (line((text, "green"), inset=len(figures), whole=True) for text in rest)
    yield from _more(len(found.recommendations) - len(shown), "index", "indexes")
    yield line()


def _worth(found: Indexing) -> Iterator[Line]:
    """Yield what it buys, and how sure that is."""
    if found.recommendations:
        yield line((told.buys(found), "bold"))
        yield line(told.basis(found))
        yield line(told.certainty(found))
    for lie in found.lies:
        yield line((words.one_line(f"Refuted by execution: {lie}"), "yellow"))
    if unfinished := told.unfinished(found):
        yield line((unfinished, "yellow"))
    if found.workload:
        yield line((story.sentence(found.workload), "dim"))
    yield line((told.effort(found), "dim"))
    yield line()


def _each(found: Indexing, look: Look) -> Iterator[Line]:
    """Yield index by index what it does for which query."""
    shown = found.recommendations if look.details else found.recommendations[:_EACH]
    if shown:
        yield line(("Index by index", "bold"))
    for index in shown:
        yield from _index(index, found, look)
    yield from _more(len(found.recommendations) - len(shown), "index", "indexes")
    if shown:
        yield line()


def _index(index: Recommendation, found: Indexing, look: Look) -> Iterator[Line]:
    yield line((words.one_line(index.name), "green"), f"  {told.definition(index)}", inset=2)
    helped = told.helped(index)
    shown = helped if look.details else helped[:_QUERIES]
    for gain in shown:
        yield line((f"{told.name(gain.query)}: {told.change(gain, found)}{_costs(gain, look)}", "dim"), inset=6)
    if len(helped) > len(shown):
        more = words.plural(len(helped) - len(shown), "more query", "more queries")
        yield line((f"and {more}", "dim"), inset=6)
    for said in _about(index, found, look):
        yield line((said, "dim"), inset=6)
    if look.details:
        yield from _statements((*index.statements, *index.drop_statements), inset=6)
        yield line()


def _costs(gain: Gain, look: Look) -> str:
    return f", {told.costs(gain)}" if look.details else ""


def _about(index: Recommendation, found: Indexing, look: Look) -> Iterator[str]:
    """Yield the price of an index: always where somebody pays it, in full where details are wanted."""
    yield told.price(index) if look.details else f"about {words.duration(index.build_time)} to build"
    if look.details or index.upkeep.time.total_seconds() >= 1:
        yield told.upkeep(index.upkeep)
    yield from (said for said in (told.losing(index, found), told.replacing(index)) if said)
    yield from (words.one_line(n) for n in index.notes)
    if look.details and told.entering(index):
        yield told.entering(index)


def _drops(found: Indexing, look: Look) -> Iterator[Line]:
    if not found.drops:
        return
    if found.recommendations:
        yield line(("DROP", "bold green"), "  ", (words.plural(len(found.drops), "index", "indexes"), "bold"))
    for drop in found.drops if look.details else found.drops[:_DROPS]:
        yield from _drop(drop, look)
    if not look.details:
        yield from _more(len(found.drops) - _DROPS, "index", "indexes")
    yield line()


def _drop(drop: Drop, look: Look) -> Iterator[Line]:
    saves = f", spares writers {told.a_day(drop.upkeep.time)}" if drop.upkeep.time.total_seconds() >= 1 else ""
    yield line(
        " -  ", (words.one_line(str(drop.index)), "bold"), f"  {words.size(drop.size_bytes)}{saves}  ",
        (drop.kind.value, "yellow"),
    )  # fmt: skip
    yield line(story.sentence(drop.says), inset=4)
    yield line((story.sentence(drop.proof), "dim"), inset=4)
    yield from (line((story.sentence(c), "yellow"), inset=4) for c in drop.caution)
    if look.details:
        yield from _statements(drop.statements, inset=6)


def _next(found: Indexing, look: Look) -> Iterator[Line]:
    steps = list(told.next_steps(found, look.again))
    if steps:
        yield line("Next:")
    for command, why in steps:
        yield line((words.one_line(command), "bold"), inset=2, whole=True)
        yield line((why, "dim"), inset=6)
    if steps:
        yield line()


def _hints(found: Indexing) -> Iterator[Line]:
    for hint in found.hints:
        yield line(("hint", "cyan"), f"  {words.one_line(hint)}")
    if found.hints:
        yield line()


def _frontier(found: Indexing, look: Look) -> Iterator[Line]:
    """Yield the picture of cost against storage, and its telling points."""
    lines = picture.drawn(found.frontier, look.width)
    if not lines:
        return
    how = ", logarithmic" if picture.scale(found.frontier).logarithmic else ""
    yield line(("The best set for every size", "bold"), f": what reads cost then{how}; ◆ is what is proposed")
    yield from (line(text, whole=True) for text in lines)
    yield line()
    points = found.frontier if look.details else told.points(found, _POINTS)
    for point in points:
        size, reads = words.size(point.size_bytes), told.span(point.reads, found)
        figures = f"{size:>9}  {picture.percentage(point.relative_cost):>7}  {reads:>16}"
        mark = ("◆ ", "bold green") if point.chosen else "  "
        yield line(mark, figures, (f"  {words.shortened(told.changed(point), max(look.width - 42, 20))}", "dim"))
    if len(points) < len(found.frontier):
        yield line((f"  {len(found.frontier) - len(points)} more points: --details, --format html or json", "dim"))
    yield line()


def _declined(found: Indexing, look: Look) -> Iterator[Line]:
    shown = found.declined if look.details else found.declined[:_DECLINED]
    if shown:
        yield line(("Considered and declined", "bold"))
    for one in shown:
        yield line(words.one_line(one.candidate.definition), (f": {words.one_line(one.reason)}", "dim"), inset=2)
    yield from _more(len(found.declined) - len(shown), "candidate", "candidates")
    if shown:
        yield line()


def _kept(found: Indexing, look: Look) -> Iterator[Line]:
    shown = found.kept if look.details else found.kept[:_DECLINED]
    if shown:
        yield line(("Looked as if they could go, and stay", "bold"))
    for kept in shown:
        yield line(words.one_line(str(kept.index)), (f": {words.one_line(kept.says)}", "dim"), inset=2)
    yield from _more(len(found.kept) - len(shown), "index", "indexes")
    if shown:
        yield line()


def _unseen(found: Indexing, look: Look) -> Iterator[Line]:
    """Yield the statements that could not be judged, and what else could not be seen."""
    if found.unreadable:
        yield line(f"could not judge {words.plural(len(found.unreadable), 'statement')}:")
    shown = found.unreadable if look.details else found.unreadable[:_UNREADABLE]
    for one in shown:
        yield line((f"· {words.one_line(str(one.site))}: {words.one_line(one.says)}", "dim"), inset=2)
    yield from _more(len(found.unreadable) - len(shown), "statement", "statements")
    if found.gaps:
        yield line(f"could not see {words.plural(len(found.gaps), 'thing')}:")
    gaps = found.gaps if look.details else found.gaps[:_GAPS]
    for gap in gaps:
        said = story.gap_sentence(gap) if look.details else f"{gap.subject}: {gap.says}"
        yield line((f"· {words.one_line(said)}", "dim"), inset=2)
    yield from _more(len(found.gaps) - len(gaps), "gap", "gaps")
    if found.unreadable or found.gaps:
        yield line()


def _statements(statements: Sequence[str], *, inset: int) -> Iterator[Line]:
    """Yield statements to be copied, none of them broken anywhere."""
    for statement in statements:
        yield from (line((text, "green"), inset=inset, whole=True) for text in words.plain(statement).splitlines())


def _more(count: int, singular: str, plural: str) -> Iterator[Line]:
    if count > 0:
        more = words.plural(count, f"more {singular}", f"more {plural}")
        yield line((f"… and {more}: --details, --format html or json", "dim"), inset=2)


def _asked(asked: Explained, found: Indexing, look: Look) -> Iterator[Line]:
    """Yield why this index, or why not."""
    yield line((told.STANDINGS[asked.standing], _STYLES[asked.standing]), "  ", (told.definition(asked), "bold"))
    yield line(story.sentence(asked.says))
    yield from (line(story.sentence(r)) for r in asked.reasons)
    yield line()
    if asked.size_bytes:
        built = f", about {words.duration(asked.build_time)} to build" if asked.build_time else ""
        yield line(f"{words.size(asked.size_bytes)}{built}; {told.upkeep(asked.upkeep)}")
    titles = ("With today's indexes", "With the other proposed ones too")
    if asked.standing is Standing.REFUSED:
        return
    for title, gains in zip(titles, (asked.alone, asked.beside), strict=True):
        yield from _effects(title, gains, asked, found, look)
    yield from _statements(asked.statements, inset=2)
    yield line()


def _effects(title: str, gains: Sequence[Gain], asked: Explained, found: Indexing, look: Look) -> Iterator[Line]:
    yield line((told.effect(title, len(gains), asked), "bold" if gains else ""))
    shown = gains if look.details else gains[: 2 * _QUERIES]
    for gain in shown:
        yield line(f"{told.name(gain.query)}: {told.change(gain, found)}, {told.costs(gain)}", inset=2)
    yield from _more(len(gains) - len(shown), "query", "queries")
