"""The answer as Markdown, for a ticket or a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from premortem import words
from premortem.model import Drop, Explained, Gain, Indexing, Recommendation, Standing
from premortem.report import story
from premortem.report.indexing import told
from premortem.report.look import Look
from premortem.report.markdown import code, fence, fold, inline

_INDEXES, _EACH, _QUERIES, _POINTS, _DECLINED, _GAPS = 200, 20, 20, 20, 20, 20


def render(found: Indexing, look: Look) -> str:
    """Return the answer as GitHub-flavoured Markdown."""
    return "\n".join(_parts(found, look)).rstrip() + "\n"


def _parts(found: Indexing, look: Look) -> Iterator[str]:
    for asked in found.asked:
        yield from _asked(asked, found)
    if not found.asked:
        yield f"## {told.label(found)}: {inline(told.headline(found))}\n"
        yield from _worth(found)
        yield from _table(found)
        yield from _script(found)
        yield from (_index(i, found) for i in found.recommendations[:_EACH])
        yield from _drops(found.drops)
        yield from _frontier(found)
        yield from _declined(found)
    yield from (f"- {inline(story.sentence(h))}" for h in found.hints)
    yield from _unseen(found)
    yield f"\n<sub>{inline(told.source(found))} {inline(told.effort(found))}</sub>"


def _worth(found: Indexing) -> Iterator[str]:
    if found.recommendations:
        yield f"**{inline(told.buys(found))}** {inline(told.basis(found))}\n"
        yield f"{inline(told.certainty(found))}\n"
    if unfinished := told.unfinished(found):
        yield f"{inline(unfinished)}\n"
    yield from (f"- Refuted by execution: {inline(lie)}" for lie in found.lies)
    if found.workload:
        yield f"{inline(story.sentence(found.workload))}\n"


def _table(found: Indexing) -> Iterator[str]:
    if not found.recommendations:
        return
    yield "| index | size | saves | share | to keep |"
    yield "|---|--:|--:|--:|--:|"
    for index in found.recommendations[:_INDEXES]:
        cells = (
            code(told.definition(index)), words.size(index.size_bytes), told.span(index.adds, found),
            told.share(index), told.kept(index.upkeep),
        )  # fmt: skip
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    if len(found.recommendations) > _INDEXES:
        yield f"\nand {words.plural(len(found.recommendations) - _INDEXES, 'more index', 'more indexes')}"
    yield ""


def _script(found: Indexing) -> Iterator[str]:
    statements = [s for i in found.recommendations for s in i.statements]
    statements += [s for i in found.recommendations for s in i.drop_statements]
    statements += [s for d in found.drops for s in d.statements]
    undo = [s for d in reversed(found.drops) for s in d.undo_statements]
    undo += [s for i in reversed(found.recommendations) for s in i.restore_statements]
    undo += [s for i in reversed(found.recommendations) for s in i.undo_statements]
    if statements:
        yield fence("\n".join(statements), "sql")
        yield fold("Undo", fence("\n".join(undo), "sql"))


def _index(index: Recommendation, found: Indexing) -> str:
    facts = (told.price(index), told.upkeep(index.upkeep), told.losing(index, found), told.entering(index),
             told.replacing(index), *index.notes)  # fmt: skip
    listed = "\n".join(f"- {inline(f)}" for f in facts if f)
    return fold(f"{index.name}: the queries it helps", f"{_gains(told.helped(index), found)}\n\n{listed}")


def _gains(gains: Sequence[Gain], found: Indexing) -> str:
    rows = [
        " | ".join([inline(told.name(g.query)), told.span(g.before, found), told.span(g.after, found),
                    words.number(g.before_cost), words.number(g.after_cost)])
        for g in gains[:_QUERIES]
    ]  # fmt: skip
    more = [f"\nand {words.number(len(gains) - _QUERIES)} more"] if len(gains) > _QUERIES else []
    head = ["| query | before | after | cost before | cost after |", "|---|--:|--:|--:|--:|"]
    return "\n".join([*head, *(f"| {r} |" for r in rows), *more])


def _drops(drops: Sequence[Drop]) -> Iterator[str]:
    if drops:
        yield "### May go\n"
    for drop in drops:
        said = " ".join(story.sentence(s) for s in (drop.says, drop.proof, *drop.caution))
        yield f"- {code(str(drop.index))}, {words.size(drop.size_bytes)}, {drop.kind.value}: {inline(said)}"
    if drops:
        yield ""


def _frontier(found: Indexing) -> Iterator[str]:
    if len(found.frontier) < 2:
        return
    rows = [
        " | ".join(["**chosen**" if p.chosen else "", words.size(p.size_bytes), f"{p.relative_cost * 100:.1f} %",
                    told.span(p.reads, found), told.a_day(p.upkeep), str(len(p.indexes)), inline(told.changed(p))])
        for p in told.points(found, _POINTS)
    ]  # fmt: skip
    head = ["| | size | cost | reads | to keep | indexes | what changes |", "|---|--:|--:|--:|--:|--:|---|"]
    yield fold("The best set for every size", "\n".join([*head, *(f"| {r} |" for r in rows)]))


def _declined(found: Indexing) -> Iterator[str]:
    if found.declined:
        lines = [f"- {code(d.candidate.definition)}: {inline(d.reason)}" for d in found.declined[:_DECLINED]]
        yield fold(f"Considered and declined ({words.number(len(found.declined))})", "\n".join(lines))
    if found.kept:
        lines = [f"- {code(str(k.index))}: {inline(k.says)}" for k in found.kept[:_DECLINED]]
        yield fold("Looked as if they could go, and stay", "\n".join(lines))


def _unseen(found: Indexing) -> Iterator[str]:
    lines = [f"- {code(str(u.site))}: {inline(u.says)}" for u in found.unreadable[:_GAPS]]
    lines += [f"- {inline(story.gap_sentence(g))}" for g in found.gaps[:_GAPS]]
    if lines:
        count = words.number(len(found.unreadable) + len(found.gaps))
        yield fold(f"What premortem could not judge or see ({count})", "\n".join(lines))


def _asked(asked: Explained, found: Indexing) -> Iterator[str]:
    yield f"## {told.STANDINGS[asked.standing]}: {code(told.definition(asked))}\n"
    yield " ".join(inline(story.sentence(s)) for s in (asked.says, *asked.reasons)) + "\n"
    if asked.size_bytes:
        yield f"{words.size(asked.size_bytes)}; {inline(told.upkeep(asked.upkeep))}\n"
    if asked.standing is Standing.REFUSED:
        return
    for title, gains in (("With today's indexes", asked.alone), ("With the other proposed ones too", asked.beside)):
        yield f"{inline(told.effect(title, len(gains), asked))}.\n"
        if gains:
            yield _gains(gains, found) + "\n"
    if asked.statements:
        yield fence("\n".join(asked.statements), "sql")
