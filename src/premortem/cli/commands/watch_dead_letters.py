"""`premortem watch dead-letters`: what could not be delivered, why, and once more."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from premortem import notify, words
from premortem.cli import watching
from premortem.model import AlertChange, DeadLetter


def run(arguments: argparse.Namespace) -> int:
    """List the dead letters, and revive them where that is asked for."""
    settings, secrets = watching.watching_of(arguments.settings)
    with watching.opened_store(settings, secrets) as store:
        dead = store.dead_letters(arguments.channel)
        if arguments.retry and dead:
            store.revive([one.letter.id for one in dead])
    print(_as_json(dead) if arguments.format == "json" else _as_text(dead, revived=arguments.retry))
    return 0


def _as_text(dead: Sequence[DeadLetter], *, revived: bool) -> str:
    if not dead:
        return "no dead letters"
    lines = [_line(one) for one in dead]
    count = words.plural(len(dead), "letter")
    last = f"{count} will be sent again" if revived else f"{count}; --retry sends them again"
    return "\n".join([*lines, last])


def _line(dead: DeadLetter) -> str:
    said = f"{dead.at:%Y-%m-%d %H:%M:%S} {dead.letter.channel}: {_what(dead)}"
    return words.one_line(f"{said}: {dead.says}")


def _what(dead: DeadLetter) -> str:
    what = dead.letter.what
    if isinstance(what, AlertChange):
        said = notify.message(what)
        return f"[{said.tag}] {said.title}"
    return f"deploy of {what.service} {what.revision}"


def _as_json(dead: Sequence[DeadLetter]) -> str:
    return json.dumps([_row(one) for one in dead], indent=2)


def _row(dead: DeadLetter) -> dict[str, object]:
    return {
        "id": dead.letter.id,
        "channel": dead.letter.channel,
        "what": _what(dead),
        "written_at": dead.letter.written_at.isoformat(),
        "dead_at": dead.at.isoformat(),
        "tries": dead.letter.tries,
        "says": dead.says,
    }
