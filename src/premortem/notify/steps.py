"""What to type: the diagnosis' actions, and where there is none, what always helps with that kind of alert."""

from __future__ import annotations

from dataclasses import replace

from premortem import words
from premortem.model import Action, Alert

_MOST_ACTIONS = 6
_MOST_SQL = 4_000


def actions(alert: Alert) -> tuple[Action, ...]:
    """Return what to do about an alert, the action to take first."""
    return alert.diagnosis.actions[:_MOST_ACTIONS] if alert.diagnosis else ()


def clean(action: Action) -> Action:
    """Return an action whose texts steer nothing and are of a bearable length."""
    return replace(
        action,
        says=words.one_line(words.shortened(action.says, 1_000)),
        sql=_texts(action.sql),
        undo=_texts(action.undo),
        command=words.plain(words.shortened(action.command, _MOST_SQL)),
        proof=words.one_line(words.shortened(action.proof, 300)),
    )


def _texts(said: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(words.plain(words.shortened(one, _MOST_SQL)).strip() for one in said[:_MOST_ACTIONS])


def heading(action: Action, place: int) -> str:
    """Return the line above what to type: the first is what to do now, the others are alternatives."""
    takes = f" (takes about {words.duration(action.takes)})" if action.takes else ""
    return f"{'Do now' if place == 0 else 'Or'}: {action.says}{takes}"


def lines(action: Action) -> tuple[str, ...]:
    """Return what to type, each statement ended."""
    sql = (one if one.rstrip().endswith(";") else f"{one};" for one in action.sql)
    return (*sql, *((action.command,) if action.command else ()))


def undone(action: Action) -> str:
    """Return how to undo it, on one line; empty where nobody needs to."""
    said = " ".join(one if one.rstrip().endswith(";") else f"{one};" for one in action.undo)
    return words.one_line(said)
