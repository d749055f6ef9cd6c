"""The message as plain text: e-mail, chat systems that Apprise reaches, and what a person can read anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from premortem import words
from premortem.model import Action, Deploy
from premortem.notify import naming, steps
from premortem.notify.message import Digest, Message

MOST_BODY = 30_000
_MOST_PLAN = 6_000
_MOST_STATEMENT = 2_000
#: Mentions as chat systems know them: `@here`, `<@U123>`, `<!channel>`, `<@&456>`, `<#C1|x>`.  PostgreSQL's `<@` is
#: none: no `>` follows its word at once.
_CALLS = re.compile(r"@(?=(?:channel|here|everyone|group|all)\b)|<(?=[@!#][&!]?\w+(?:[|^][^>\n]*)?>)", re.IGNORECASE)
#: Unicode's word joiner: not seen, and enough that a word is no mention.
_JOINER = "\u2060"


def harmless(text: str) -> str:
    """Return a text that calls nobody: a mention in a query must not wake a whole channel.

    >>> harmless("@here <!channel> a <@ b").replace(chr(0x2060), "~")
    '@~here <~!channel> a <@ b'
    """
    return _CALLS.sub(lambda found: found[0] + _JOINER, text)


def subject(message: Message) -> str:
    """Return the one line that a mail begins with."""
    mark = "TEST " if message.test else ""
    return harmless(f"[{mark}{message.tag}] {message.title}")


def body(message: Message) -> str:
    """Return all of a message as text, at most `MOST_BODY` characters."""
    parts = ["\n".join(part) for part in _parts(message)]
    return words.shortened(harmless("\n\n".join(part for part in parts if part)), MOST_BODY)


def _parts(message: Message) -> Iterator[list[str]]:
    yield [said for said in (message.why, message.says) if said]
    for place, action in enumerate(message.actions):
        yield list(_action(action, place))
    yield _pairs(message)
    yield _plan(message)
    yield [f"Query: {words.one_line(words.shortened(message.statement, _MOST_STATEMENT))}"] if message.statement else []
    yield [f"{one.text}: {one.url}" for one in message.links]
    yield [f"Note: {note}" for note in (*message.notes, message.late) if note]
    yield [f"-- premortem, alert {message.key}"]


def _action(action: Action, place: int) -> Iterator[str]:
    yield steps.heading(action, place)
    for line in steps.lines(action):
        yield from (f"    {one}" for one in line.splitlines())
    proof = steps.proof(action)
    if proof:
        yield f"  Proof: {proof}"
    undo = steps.undone(action)
    if undo:
        yield f"  Undo: {undo}"


def _pairs(message: Message) -> list[str]:
    width = max((len(fact.name) for fact in message.facts), default=0) + 1
    return [f"{fact.name + ':':<{width}} {fact.value}" for fact in message.facts]


def _plan(message: Message) -> list[str]:
    if not message.plan:
        return []
    basis = f" ({words.one_line(message.plan_basis)})" if message.plan_basis else ""
    shown = words.first_lines(message.plan, lines=60, characters=_MOST_PLAN)
    return [f"Plan{basis}:", *(f"    {line}" for line in shown.splitlines())]


def digest_body(digest: Digest) -> str:
    """Return several messages as text: of each its title and why, and what to type first."""
    parts = [digest.why]
    for message in digest.messages:
        lines = [subject(message), *([f"  {message.why}"] if message.why else [])]
        if message.actions:
            lines += [f"    {line}" for line in steps.lines(message.actions[0])]
        parts.append("\n".join(lines))
    return words.shortened(harmless("\n\n".join(parts)), MOST_BODY)


def shipped(deploy: Deploy) -> str:
    """Return a deploy as one line."""
    who = f" by {deploy.author}" if deploy.author else ""
    where = f" to {deploy.environment}" if deploy.environment else ""
    said = f"{deploy.service} {naming.revision(deploy.revision)} was deployed{where}{who}"
    return harmless(words.one_line(words.shortened(said, 500)))
