"""What hurts now as Markdown, to be pasted into an incident's channel or ticket."""

from __future__ import annotations

from collections.abc import Iterator

from premortem import words
from premortem.model import Action, Hurt, Now
from premortem.report.look import Look
from premortem.report.markdown import fence, inline
from premortem.report.now import lines


def render(now: Now, look: Look) -> str:
    """Return the look as Markdown."""
    return "\n".join(_parts(now)).rstrip() + "\n"


def _parts(now: Now) -> Iterator[str]:
    yield f"**{lines.LABELS[now.verdict]}** {inline(lines.verdict(now))}"
    yield ""
    yield inline(lines.heading(now)) + "  "
    yield inline(lines.fullness(now))
    for place, hurt in enumerate(now.hurts, start=1):
        yield ""
        yield from _hurt(place, hurt)
    if now.ran:
        yield ""
        yield "What ran:"
        yield ""
        yield from (f"- {inline(lines.ran(one))}" for one in now.ran)
    if now.gaps:
        yield ""
        yield "Not seen:"
        yield ""
        yield from (f"- {inline(f'{g.subject}: {g.says}')}" for g in now.gaps)


def _hurt(place: int, hurt: Hurt) -> Iterator[str]:
    yield f"### {place}. {inline(hurt.says)}"
    yield ""
    if hurt.statement is not None and hurt.statement.text:
        yield fence(words.first_lines(hurt.statement.text, lines=12, characters=1_500), "sql")
        yield ""
    for text in hurt.texts:
        yield fence(words.first_lines(text, lines=12, characters=1_500), "sql")
        yield ""
    why = hurt.why
    if why is None:
        return
    yield f"**Why** ({inline(lines.sureness(why))}): {inline(why.says)}"
    for action in why.actions:
        yield ""
        yield from _action(action)
    if why.plan:
        yield ""
        yield f"The plan {inline(why.plan_basis)}:"
        yield ""
        yield fence(words.first_lines(why.plan, lines=40, characters=4_000))
    for gap in why.gaps:
        yield ""
        yield f"Not known: {inline(f'{gap.subject}: {gap.says}')}"


def _action(action: Action) -> Iterator[str]:
    proof = f" ({inline(action.proof)})" if action.proof and action.proof != "advice" else ""
    yield f"- {inline(action.says)}{proof}"
    commands = "\n".join((*action.sql, *filter(None, [action.command])))
    if commands:
        yield ""
        yield fence(words.plain(commands), "sql")
    if action.undo:
        yield ""
        yield f"  Undo: {inline(' '.join(action.undo))}"
