"""Prometheus Alertmanager's v2 API: alerts that it groups, silences, routes and forgets unless they are told again.

Its alerts are their labels: a figure, a process or a text in one would make a new alert of every poll, so that they
stand in annotations.  An alert that is open is sent again every minute with an end ten minutes ahead: Alertmanager
keeps no alerts over a restart, and one whose sender died must not stand for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from premortem import words
from premortem.model import Alert, AlertChange, AlertKind, Turn, Urgency
from premortem.notify import steps, text
from premortem.notify.details import Json
from premortem.notify.message import Message, Stage, message

ALERTS = "/api/v2/alerts"
AGAIN = timedelta(minutes=1)
HOLDS = timedelta(minutes=10)
_MOST_ANNOTATION = 8_000
_SEVERITIES = {Urgency.PAGE: "critical", Urgency.TICKET: "warning"}
_OF_STATEMENTS = (AlertKind.SLOW, AlertKind.RUNNING, AlertKind.RISING, AlertKind.HEAVY, AlertKind.PLAN)
#: Turns in which an urgency may have changed, and with it the label that is a part of the alert's identity.
_MOVES = (Stage.WORSE, Stage.BETTER, Stage.CLOSED)


def payload(said: Message, now: datetime) -> list[Json]:
    """Return the alert of a message, and the end of it under its other severity where that may have changed."""
    alert = said.change.alert
    ends = _closing(alert, now) if said.is_over else now + HOLDS
    told = _posted(said, ends)
    if said.stage not in _MOVES:
        return [told]
    other = {**labels(alert, test=said.test), "severity": _other(alert.urgency)}
    return [told, {"labels": other, "startsAt": alert.opened_at.isoformat(), "endsAt": _before(alert, now).isoformat()}]


def again(alerts: Sequence[Alert], now: datetime, *, link: str = "") -> list[Json]:
    """Return what keeps open alerts open."""
    told = (message(AlertChange(turn=Turn.OPENED, alert=one, at=now), link=link) for one in alerts if one.is_open)
    return [_posted(one, now + HOLDS) for one in told]


def _closing(alert: Alert, now: datetime) -> datetime:
    """Return when an alert ended: not ahead of now, for that would keep it open, and after it began."""
    return max(min(alert.closed_at or now, now), alert.opened_at + timedelta(milliseconds=1))


def _before(alert: Alert, now: datetime) -> datetime:
    return max(now - timedelta(seconds=1), alert.opened_at + timedelta(milliseconds=1))


def _other(urgency: Urgency) -> str:
    return _SEVERITIES[Urgency.TICKET if urgency is Urgency.PAGE else Urgency.PAGE]


def labels(alert: Alert, *, test: bool = False) -> dict[str, Json]:
    """Return what an alert is to Alertmanager: the same from its opening to its close, but for the severity."""
    said = {
        "alertname": "PremortemTest" if test else name(alert),
        "severity": "info" if test else _SEVERITIES[alert.urgency],
        "instance": alert.instance,
        "datname": alert.database,
        "fingerprint": (alert.subject.strip() if alert.kind in _OF_STATEMENTS else "") or alert.key,
        "service": ",".join(alert.services),
    }
    shown = {label: words.one_line(value[:200]) for label, value in said.items()}
    return {label: value for label, value in shown.items() if value}


def name(alert: Alert) -> str:
    """Return the name of an alert's kind, as Prometheus' rules are named: PremortemSlowQuery.

    An alert that opens on executions that still run becomes one of their mean, and stays the same alert.
    """
    kind = AlertKind.SLOW if alert.kind is AlertKind.RUNNING else alert.kind
    return "Premortem" + "".join(part.capitalize() for part in kind.value.split("-"))


def _posted(said: Message, ends: datetime) -> Json:
    alert = said.change.alert
    posted: dict[str, Json] = {
        "labels": labels(alert, test=said.test),
        "annotations": _annotations(said),
        "startsAt": alert.opened_at.isoformat(),
        "endsAt": ends.isoformat(),
    }
    return {**posted, "generatorURL": said.links[0].url} if said.links else posted


def _annotations(said: Message) -> Json:
    facts = {_snake(fact.name): fact.value for fact in said.facts}
    first = said.actions[0] if said.actions else None
    all_of = {
        **facts,
        "summary": said.title,
        "description": said.why or said.says,
        "says": said.says,
        "action": steps.heading(first, 0) if first else "",
        "sql": "\n".join(steps.lines(first)) if first else "",
        "urgency": said.urgency.value,
        "alert_key": said.key,
        "details": text.body(said),
    }
    shown = {k: text.harmless(words.plain(words.shortened(v, _MOST_ANNOTATION))) for k, v in all_of.items()}
    return {name: value for name, value in shown.items() if value.strip()}


def _snake(said: str) -> str:
    """Return a name as an annotation's: letters, digits and underscores.

    >>> _snake("Query first seen"), _snake("50 % of it")
    ('query_first_seen', 'of_it')
    """
    kept = "".join(c if c.isascii() and c.isalnum() else "_" for c in said.lower())
    return "_".join(part for part in kept.split("_") if part).lstrip("0123456789_") or "fact"
