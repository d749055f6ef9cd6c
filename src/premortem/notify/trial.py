"""A marked test of a channel: an alert that is none, and its end, so that nothing stays open behind it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from premortem.model import (
    Alert,
    AlertChange,
    AlertKind,
    Statement,
    Turn,
    Urgency,
    alert_key,
)
from premortem.notify.channels import Sender
from premortem.notify.message import Message, message
from premortem.notify.outcome import Outcome, Verdict
from premortem.settings import Channel

_SAYS = "This is a test of premortem: nothing is wrong, and there is nothing to do."
_TITLE = "this is only a test, nothing is wrong"


def try_out(channel: Channel, sender: Sender, now: datetime, *, link: str = "") -> tuple[Outcome, ...]:
    """Tell a channel of a test, and where something would stay open of its end; return the answers."""
    opened = sender.send(marked(channel, now, Turn.OPENED, link), now)
    if opened.verdict is not Verdict.DONE or sender.shows_past:
        return (opened,)
    return opened, sender.send(marked(channel, now, Turn.CLOSED, link), now)


def marked(channel: Channel, now: datetime, turn: Turn, link: str = "") -> Message:
    """Return the message of a test, which says in its title and in its text that it is one."""
    said = message(AlertChange(turn=turn, alert=_alert(channel, now, turn), at=now), link=link)
    return replace(said, test=True, title=_TITLE, why=_SAYS, says="", facts=(), actions=(), statement="")


def _alert(channel: Channel, now: datetime, turn: Turn) -> Alert:
    closed = turn is Turn.CLOSED
    return Alert(
        key=alert_key("premortem", "", AlertKind.SLOW, f"test {channel.name} {now:%Y%m%dT%H%M%S}"),
        kind=AlertKind.SLOW,
        instance="premortem-test",
        database="",
        subject="test",
        says=_SAYS,
        urgency=Urgency.TICKET,
        opened_at=now - timedelta(seconds=1),
        changed_at=now,
        closed_at=now if closed else None,
        turns=2 if closed else 1,
        statement=Statement(fingerprint="test", text="select 1", database=""),
    )
