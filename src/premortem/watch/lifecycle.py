"""What becomes of an alert when its figure is read again: it opens, gets worse or better, closes, or nothing is said.

Nobody believes an alert that flaps, so saying it again has to be earned: worse is so many times what was told and has
to last, better has to last, closing has to last below the limit, and opening again soon after has to last as well.
Whoever was told that something opened is told that it closed, whatever is muted by then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from premortem import words
from premortem.model import Alert, AlertChange, AlertKind, Turn, Urgency
from premortem.settings import Watching, WatchLimits
from premortem.watch import choosing
from premortem.watch.naming import HOLDER, name
from premortem.watch.readings import Reading
from premortem.watch.state import Mark

#: How long a closed alert is remembered, in seconds watched: so long its reopening has to last.
_REMEMBERED = 600.0
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When and for whom a turn is decided; `cold` says that the instance is warming up and nothing opens."""

    instance: str
    settings: Watching
    limits: WatchLimits
    watched: float
    now: datetime
    cold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """What an alert's key is after a turn: its open alert, what is remembered of it, and what is to be told."""

    alert: Alert | None = None
    mark: Mark | None = None
    change: AlertChange | None = None


def turn(moment: Moment, alert: Alert | None, mark: Mark | None, reading: Reading | None, *, settled: bool) -> Turned:
    """Return what becomes of a key; without a reading it hurts no more if that is settled, else nobody knows."""
    if alert is None:
        return _closed_key(moment, mark, reading)
    known = mark or Mark(key=alert.key, told_value=alert.value, told_at=moment.watched, at=alert.changed_at, told=True)
    if reading is None:
        return _unread(moment, alert, known, settled)
    return _read(moment, alert, known, reading)


def _closed_key(moment: Moment, mark: Mark | None, reading: Reading | None) -> Turned:
    if reading is None or not reading.over or (moment.cold and reading.kind is not AlertKind.UNREACHED):
        return Turned(mark=_remembered(moment, mark))
    known = mark or Mark(key=reading.key(moment.instance))
    over = moment.watched if known.over is None else known.over
    again = _remembered(moment, known) is not None
    if again and moment.watched - over < moment.limits.close_after_seconds:
        return Turned(mark=replace(known, over=over))
    return _opened(moment, replace(known, over=over), reading)


def _remembered(moment: Moment, mark: Mark | None) -> Mark | None:
    """Return the mark of a key without an alert, as long as its closing matters to the next opening."""
    if mark is None or mark.closed is None or moment.watched - mark.closed > _REMEMBERED:
        return None
    return replace(mark, over=None)


def _opened(moment: Moment, mark: Mark, reading: Reading) -> Turned:
    at = _at(moment, mark)
    alert = Alert(
        key=mark.key,
        kind=reading.kind,
        instance=moment.instance,
        database=reading.database,
        subject=reading.subject,
        says=reading.says,
        urgency=_urgency(moment, reading),
        opened_at=at,
        changed_at=at,
        worst=reading.value,
        owners=choosing.owners_of(moment.settings, moment.instance, reading.tables),
        services=_services(moment, reading),
    )
    alert = _figures(alert, reading)
    return _told(moment, Turn.OPENED, _unmuted(moment, alert, reading), replace(mark, closed=None, under=None))


def _urgency(moment: Moment, reading: Reading) -> Urgency:
    instance = choosing.instance_of(moment.settings, moment.instance)
    production = instance is None or instance.production
    return Urgency.PAGE if reading.page and production else Urgency.TICKET


def _services(moment: Moment, reading: Reading) -> tuple[str, ...]:
    instance = choosing.instance_of(moment.settings, moment.instance)
    known = instance.services if instance else ()
    mine = tuple(s for s in choosing.services_of(reading.statement) if s in known)
    return mine or known or choosing.services_of(reading.statement)


def _figures(alert: Alert, reading: Reading) -> Alert:
    """Return the alert with what was read last."""
    same = alert.kind is reading.kind
    return replace(
        alert,
        kind=reading.kind,
        says=reading.says,
        value=reading.value,
        limit=reading.limit,
        unit=reading.unit,
        worst=max(alert.worst, reading.value) if same else reading.value,
        provisional=reading.provisional,
        statement=reading.statement or alert.statement,
        window=reading.window,
        evidence=reading.evidence,
    )


def _at(moment: Moment, mark: Mark) -> datetime:
    """Return the time of a change: now, but never before the change before it."""
    return moment.now if mark.at is None else max(moment.now, mark.at + _INSTANT)


def _told(moment: Moment, what: Turn, alert: Alert, mark: Mark) -> Turned:
    at = _at(moment, mark)
    turns = 1 if what is Turn.OPENED else alert.turns + 1
    said = replace(alert, changed_at=at, turns=turns, closed_at=at if what is Turn.CLOSED else None)
    after = replace(
        mark,
        told_value=said.value,
        told_at=moment.watched,
        told=mark.told or not said.muted,
        easing=None,
        worsening=None,
        at=at,
    )
    return Turned(
        alert=None if what is Turn.CLOSED else said, mark=after, change=AlertChange(turn=what, alert=said, at=at)
    )


def _unread(moment: Moment, alert: Alert, mark: Mark, settled: bool) -> Turned:
    if not settled:
        return Turned(alert=alert, mark=replace(mark, under=None, easing=None))
    under = moment.watched if mark.under is None else mark.under
    if moment.watched - under < moment.limits.close_after_seconds:
        return Turned(alert=alert, mark=replace(mark, under=under))
    return closed(moment, alert, mark, _ended(alert))


def closed(moment: Moment, alert: Alert, mark: Mark, says: str) -> Turned:
    """Return the close of an alert; what was told once is told to be over, muted or not."""
    at = _at(moment, mark)
    lasted = words.duration(max(timedelta(), at - alert.opened_at))
    worst = _worst(alert)
    whole = f"{says}; it was open for {lasted}{f', at worst {worst}' if worst else ''}"
    done = replace(alert, says=whole, muted="" if mark.told else alert.muted)
    found = _told(moment, Turn.CLOSED, done, mark)
    kept = Mark(key=alert.key, closed=moment.watched, at=found.mark.at if found.mark else at)
    return replace(found, mark=kept)


def _worst(alert: Alert) -> str:
    if alert.kind is AlertKind.RISING:  # its value is a forecast
        return ""
    if alert.unit == "s" or alert.kind is AlertKind.RUNNING:
        return words.duration(alert.worst / (1 if alert.unit == "s" else 1000))
    return f"{words.number(alert.worst)} {alert.unit}" if alert.unit else ""


_ENDED = {
    AlertKind.SLOW: "it was hardly called any more",
    AlertKind.RUNNING: "its executions ended",
    AlertKind.HEAVY: "no longer a noticeable part of the database's time, or no longer new",
    AlertKind.RISING: "its mean does not rise towards the limit any more",
    AlertKind.PLAN: "its calls take about as long as before, or its plan is no news any more",
    AlertKind.INDEX: "there is an index again that does the same, or nobody has missed it for long",
    AlertKind.POOL: "the pool is not there any more",
    AlertKind.CONNECTIONS: "there are free connections again",
    AlertKind.TRANSACTION: "the transaction ended",
    AlertKind.IDLE: "the transaction ended or went on",
    AlertKind.BLOCKED: "nobody waits for it any more",
    AlertKind.UNREACHED: "the instance answers again",
}


def label(alert: Alert) -> str:
    """Return what an alert is about, as people call it."""
    if alert.statement is not None:
        return name(alert.statement)
    if alert.kind is AlertKind.BLOCKED:
        return f"the lock of {next((e.value for e in alert.evidence if e.name == HOLDER), 'a session that is gone')}"
    return words.one_line(alert.subject if alert.database else alert.instance)


def _ended(alert: Alert) -> str:
    return f"{label(alert)}: {_ENDED[alert.kind]}"


def _read(moment: Moment, alert: Alert, mark: Mark, reading: Reading) -> Turned:
    if reading.under:
        return _below(moment, alert, mark, reading)
    known = replace(mark, under=None)
    if reading.kind is not alert.kind:
        return _other_kind(moment, alert, known, reading)
    return _over(moment, _unmuted(moment, _figures(alert, reading), reading), known, reading, before=alert)


def _below(moment: Moment, alert: Alert, mark: Mark, reading: Reading) -> Turned:
    under = moment.watched if mark.under is None else mark.under
    if moment.watched - under < moment.limits.close_after_seconds:
        return Turned(alert=alert, mark=replace(mark, under=under))
    shown = replace(alert, value=reading.value, window=reading.window, evidence=reading.evidence)
    same = reading.kind is alert.kind and (reading.window is None or reading.window.calls > 0)
    return closed(moment, shown, mark, reading.says if same else _ended(alert))


def _other_kind(moment: Moment, alert: Alert, mark: Mark, reading: Reading) -> Turned:
    """Return what a running query becomes when it is counted; a slow one that also runs stays what it is."""
    if not (alert.kind is AlertKind.RUNNING and reading.over):
        return Turned(alert=alert, mark=replace(mark, easing=None))
    said = _unmuted(moment, _figures(alert, reading), reading)
    return _told(moment, Turn.WORSE, _urged(moment, said, reading), mark)


def _unmuted(moment: Moment, alert: Alert, reading: Reading) -> Alert:
    """Return the alert with why nobody is told of it now, if nobody is."""
    return replace(alert, muted=choosing.quiet(moment.settings, moment.instance, reading, moment.now))


def _urged(moment: Moment, alert: Alert, reading: Reading) -> Alert:
    """Return the alert with its urgency, which only ever rises: whoever was woken up stays with it until it closes."""
    urgent = alert.urgency is Urgency.PAGE or _urgency(moment, reading) is Urgency.PAGE
    return replace(alert, urgency=Urgency.PAGE if urgent else Urgency.TICKET)


def _over(moment: Moment, alert: Alert, mark: Mark, reading: Reading, *, before: Alert) -> Turned:
    said = _urged(moment, alert, reading)
    if said.urgency is not before.urgency and reading.over:
        return _told(moment, Turn.WORSE, said, mark)
    if not said.muted and not mark.told and reading.over:
        return _told(moment, Turn.WORSE, said, mark)
    if reading.over and reading.value >= moment.limits.worse_factor * max(mark.told_value, 1e-9):
        return _worsening(moment, said, mark)
    steady = replace(mark, worsening=None)
    if reading.value > mark.told_value / moment.limits.worse_factor or mark.told_value <= 0:
        return Turned(alert=said, mark=replace(steady, easing=None))
    easing = moment.watched if mark.easing is None else mark.easing
    if moment.watched - easing < moment.limits.close_after_seconds:
        return Turned(alert=said, mark=replace(steady, easing=easing))
    return _told(moment, Turn.BETTER, said, mark)


def _worsening(moment: Moment, alert: Alert, mark: Mark) -> Turned:
    """Return what becomes of an alert that is worse by the factor: told when that has lasted half a window.

    A window fills slowly.  At once would tell each doubling on the way to what everybody waits for.
    """
    since = moment.watched if mark.worsening is None else mark.worsening
    if moment.watched - since < moment.limits.window_seconds / 2:
        return Turned(alert=alert, mark=replace(mark, worsening=since, easing=None))
    return _told(moment, Turn.WORSE, alert, mark)
