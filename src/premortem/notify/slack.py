"""Slack's incoming webhooks: blocks that a phone shows well, within Slack's limits, and nobody pinged by a query.

Limits, https://docs.slack.dev/reference/block-kit/blocks: 50 blocks; 150 characters of a header, 3,000 of a section's
text, 10 fields of 2,000, 75 of a button's text, 3,000 of its URL.  A message of more than about 13,000 characters in
all is refused, which is written nowhere (slackapi/bolt-js#2509).  `verbatim` keeps Slack from making mentions and
links of what stands in a text; `<`, `>` and `&` are all that has to be escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from premortem import words
from premortem.model import Action, Deploy, Urgency
from premortem.notify import steps
from premortem.notify.details import Json
from premortem.notify.message import Digest, Link, Message, Stage
from premortem.notify.text import harmless, shipped

MOST_CHARACTERS = 12_000
MOST_BLOCKS = 48
_HEADER = 150
_SECTION = 3_000
_FIELD = 2_000
_FIELDS = 10
_BUTTON = 75
_MOST_FIELD = 300
_MOST_CODE = 1_500
_FENCE = "`" * 3

_LIGHTS = {Urgency.PAGE: "\N{LARGE RED CIRCLE}", Urgency.TICKET: "\N{LARGE ORANGE CIRCLE}"}
_OVER = "\N{LARGE GREEN CIRCLE}"


def payload(message: Message) -> dict[str, Json]:
    """Return what is posted: blocks, and the text that a notification shows.

    What does not fit any more is left out, and what comes after it and does fit is not.
    """
    kept: list[Json] = []
    room = MOST_CHARACTERS - len(_fallback(message))
    for block in _blocks(message):
        size = _size(block)
        if size <= room and len(kept) < MOST_BLOCKS:
            kept.append(block)
            room -= size
    return _posted(_fallback(message), kept)


def plain_payload(message: Message) -> dict[str, Json]:
    """Return the least that Slack takes, for where it refuses blocks: an alert is not lost over its looks."""
    first = message.actions[0] if message.actions else None
    todo = "\n".join(steps.lines(first)) if first else ""
    said = "\n".join(part for part in (_first_line(message), message.why or message.says, todo) if part)
    return _posted(_cut(said, _SECTION), [])


def _posted(text: str, blocks: list[Json]) -> dict[str, Json]:
    said: dict[str, Json] = {"text": text, "mrkdwn": False, "unfurl_links": False, "unfurl_media": False}
    return {**said, "blocks": blocks} if blocks else said


def _size(block: Json) -> int:
    return len(json.dumps(block, ensure_ascii=False))


def _fallback(message: Message) -> str:
    return _cut(_first_line(message), _HEADER + 50)


def _first_line(message: Message) -> str:
    return f"{'TEST: ' if message.test else ''}[{message.tag}] {message.title}"


def _blocks(message: Message) -> Iterator[Json]:
    yield _header(message)
    yield from _paragraphs(message.why, message.says if message.says != message.why else "")
    yield from (_action(one, place) for place, one in enumerate(message.actions[:4]))
    yield from _facts(message)
    yield from _plan(message)
    if message.statement:
        yield _section(f"*Query*\n{_code(words.one_line(message.statement), 700)}")
    if message.links:
        yield {"type": "actions", "elements": [_button(one) for one in message.links[:5]]}
    yield _context(message)


def _header(message: Message) -> Json:
    light = _OVER if message.is_over or message.stage is Stage.BETTER else _LIGHTS[message.urgency]
    mark = "TEST: " if message.test else ""
    # Of a header nothing is parsed but emoji, which is switched off, so that it needs no escape.
    said = words.shortened(harmless(words.one_line(f"{light} {mark}{message.tag}: {message.title}")), _HEADER)
    return {"type": "header", "text": {"type": "plain_text", "text": said, "emoji": False}}


def _paragraphs(why: str, says: str) -> Iterator[Json]:
    if why:
        yield _section(f"*{_bold(why)}*")
    if says:
        yield _section(_cut(says, 1_500))


def _bold(text: str) -> str:
    """Return a text for between asterisks: one line, and no asterisk of its own."""
    return _cut(words.one_line(text).replace("*", "\N{ASTERISK OPERATOR}"), 600)


def _action(action: Action, place: int) -> Json:
    parts = [f"*{_bold(steps.heading(action, place))}*"]
    typed = "\n".join(steps.lines(action))
    if typed:
        parts.append(_code(typed, _MOST_CODE))
    if steps.proof(action):
        parts.append(_cut(f"Proof: {steps.proof(action)}", 300))
    undo = steps.undone(action)
    if undo:
        parts.append(f"Undo: {_inline(undo, 400)}")
    return _section("\n".join(parts))


def _facts(message: Message) -> Iterator[Json]:
    shown = [f"*{_bold(fact.name)}*\n{_cut(fact.value, _MOST_FIELD)}" for fact in message.facts]
    for start in range(0, len(shown), _FIELDS):
        fields: list[Json] = [_text(one, _FIELD) for one in shown[start : start + _FIELDS]]
        yield {"type": "section", "fields": fields}


def _plan(message: Message) -> Iterator[Json]:
    if message.plan:
        basis = f" ({_cut(words.one_line(message.plan_basis), 200)})" if message.plan_basis else ""
        shown = words.first_lines(message.plan, lines=30, characters=_MOST_CODE)
        yield _section(f"*Plan*{basis}\n{_code(shown, _MOST_CODE)}")


def _context(message: Message) -> Json:
    said = [*message.notes, message.late, f"premortem \N{MIDDLE DOT} alert {message.key}"]
    return {"type": "context", "elements": [_text(_cut(one, 300), _FIELD) for one in said if one][:10]}


def _button(link: Link) -> Json:
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": words.shortened(harmless(link.text), _BUTTON), "emoji": False},
        "url": link.url,
    }


def _section(text: str) -> Json:
    return {"type": "section", "text": _text(text, _SECTION)}


def _text(said: str, most: int) -> Json:
    return {"type": "mrkdwn", "text": words.shortened(said, most), "verbatim": True}


def _code(text: str, most: int) -> str:
    """Return a text as a block of code that it cannot end itself."""
    return f"{_FENCE}{_cut(text, most).replace('`', _TICK)}{_FENCE}"


def _inline(text: str, most: int) -> str:
    return f"`{_cut(words.one_line(text), most).replace('`', _TICK)}`"


#: What a backtick looks like that ends no code: PostgreSQL's own syntax has none.
_TICK = "\N{MODIFIER LETTER GRAVE ACCENT}"


def _cut(text: str, most: int) -> str:
    """Return a text escaped, of at most `most` characters, and no escape cut in two."""
    text = words.shortened(harmless(words.plain(text)), most)
    said = escaped(text)
    while len(said) > most:
        text = words.shortened(text, len(text) - max((len(said) - most) // 5, 1))
        said = escaped(text)
    return said


def escaped(text: str) -> str:
    """Return a text of which Slack makes no mention, link or entity.

    >>> escaped("<!here> & a<b")
    '&lt;!here&gt; &amp; a&lt;b'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def digest_payload(digest: Digest) -> dict[str, Json]:
    """Return several messages in one post: a section for each, as many as fit, the others counted."""
    head: Json = {"type": "header", "text": {"type": "plain_text", "text": digest.title, "emoji": False}}
    blocks: list[Json] = [head, _section(_cut(digest.why, 300))]
    room = MOST_CHARACTERS - 1_000
    for place, message in enumerate(digest.messages):
        block = _section(_digested(message))
        room -= _size(block)
        if room < 0 or len(blocks) == MOST_BLOCKS - 1:
            blocks.append(_section(f"… and {words.plural(len(digest.messages) - place, 'more alert')}"))
            break
        blocks.append(block)
    return _posted(digest.title, blocks)


def _digested(message: Message) -> str:
    light = _OVER if message.is_over else _LIGHTS[message.urgency]
    typed = _code("\n".join(steps.lines(message.actions[0])), 400) if message.actions else ""
    said = f"{light} *{message.tag}: {_bold(message.title)}*\n{_cut(message.why or message.says, 300)}"
    return f"{said}\n{typed}".strip()


def deploy_payload(deploy: Deploy) -> dict[str, Json]:
    """Return a deploy as one line."""
    return _posted(_cut(shipped(deploy), _SECTION), [])
