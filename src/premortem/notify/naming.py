"""How alerts are called: titles that fit a lock screen, and what became of them, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

from premortem import words
from premortem.model import Alert, AlertChange, AlertKind, Cause, Suspect, Turn
from premortem.notify import steps

_MOST_SUBJECT = 60
_NOTHING = timedelta()
MOST_TITLE = 140

#: The cause in two or three words, as a title ends.
CAUSES = {
    Cause.MISSING_INDEX: "missing index",
    Cause.INDEX_VANISHED: "vanished index",
    Cause.INDEX_INVALID: "invalid index",
    Cause.PLAN_CHANGED: "its plan changed",
    Cause.GREW: "the table grew",
    Cause.TRAFFIC: "more calls than ever",
    Cause.LOCKED: "it waits for locks",
    Cause.TRANSACTION: "a transaction left open",
    Cause.CONNECTIONS: "connections taken",
    Cause.POOL: "it waits for a connection",
    Cause.STALE_STATISTICS: "stale statistics",
    Cause.QUERY: "the query itself",
}

_HURTS = {
    AlertKind.SLOW: "{what} slow on {where}: {value} mean",
    AlertKind.RUNNING: "{query} running for {value} on {where}",
    AlertKind.RISING: "{what} slower by the day on {where}, soon over {limit}",
    AlertKind.HEAVY: "new and heavy: {query} on {where}, {value} of database time",
    AlertKind.PLAN: "plan changed for {what} on {where}: {value} mean",
    AlertKind.INDEX: "index {subject} is gone on {where}",
    AlertKind.POOL: "clients wait {value} for pool {subject} on {where}",
    AlertKind.CONNECTIONS: "{instance} runs out of connections: {value} taken",
    AlertKind.TRANSACTION: "transaction of {subject} open for {value} on {where}",
    AlertKind.IDLE: "{subject} idle in transaction for {value} on {where}",
    AlertKind.BLOCKED: "{waiting} {value} for {lock} on {where}",
    AlertKind.UNREACHED: "{instance} cannot be reached",
}
_OVER = {
    AlertKind.SLOW: "{what} no longer slow on {where}",
    AlertKind.RUNNING: "{query} no longer running long on {where}",
    AlertKind.RISING: "{what} no longer slower by the day on {where}",
    AlertKind.HEAVY: "no longer heavy: {query} on {where}",
    AlertKind.PLAN: "plan of {what} is settled on {where}",
    AlertKind.INDEX: "index {subject} no longer missed on {where}",
    AlertKind.POOL: "pool {subject} has room again on {where}",
    AlertKind.CONNECTIONS: "{instance} has free connections again",
    AlertKind.TRANSACTION: "long transaction of {subject} ended on {where}",
    AlertKind.IDLE: "{subject} no longer idle in transaction on {where}",
    AlertKind.BLOCKED: "nobody waits for {lock} any more on {where}",
    AlertKind.UNREACHED: "{instance} answers again",
}


def title(alert: Alert, stage: str) -> str:
    """Return the title of what became of an alert, at most `MOST_TITLE` characters.

    One that is open names the cause and the deploy, as long as they fit.
    """
    if stage in ("closed", "past") and alert.unwatched:
        said = f"{_named(_HURTS, alert)}: closed, for {short(alert.unwatched)}"
    elif stage in ("closed", "past"):
        said = f"{_named(_OVER, alert)} after {lasted(alert)}"
    elif stage == "better":
        said = f"{_named(_HURTS, alert)}, was {amount(alert.worst, alert.unit)}"
    else:
        what_hurts, because = _named(_HURTS, alert), _because(alert)
        said = "; ".join((what_hurts, *because))
        if len(said) > MOST_TITLE:
            said = "; ".join((what_hurts, *because[:1]))
    return words.shortened(said, MOST_TITLE)


def _named(forms: dict[AlertKind, str], alert: Alert) -> str:
    return forms[alert.kind].format(
        what=what(alert),
        query=query(alert),
        where=where(alert),
        instance=short(alert.instance),
        subject=short(alert.subject),
        value=amount(alert.value, alert.unit),
        limit=amount(alert.limit, alert.unit),
        waiting=_waiting(alert),
        lock=_lock(alert),
    )


def _waiting(alert: Alert) -> str:
    """Return how many sessions wait, with the verb."""
    count = _figure(alert, "sessions that wait")
    return "a session waits" if count == "1" else f"{count} sessions wait" if count else "sessions wait"


def _lock(alert: Alert) -> str:
    """Return whose lock it is, as far as anybody saw."""
    holder = short(_figure(alert, "who blocks"))
    return f"the lock of {holder}" if holder else "a lock" if alert.is_open else "that lock"


def _figure(alert: Alert, name: str) -> str:
    """Return a figure of an alert's evidence as text, empty where there is none of that name."""
    found = next((one.value for one in alert.evidence if one.name == name), "")
    return found if isinstance(found, str) else words.number(found)


def _because(alert: Alert) -> tuple[str, ...]:
    """Return the cause of an alert and the deploy that brought it, each in a few words."""
    diagnosis = alert.diagnosis
    if diagnosis is None:
        return ()
    cause = CAUSES.get(diagnosis.cause, "")
    if _SAID.get(alert.kind) is diagnosis.cause:
        cause = ""
    elif diagnosis.cause in _OF_INDEXES:
        cause = f"{cause} {short(steps.index(diagnosis))}".strip()
    first = next(iter(diagnosis.suspects), None)
    since = f"since {first.deploy.service} {revision(first.deploy.revision)}" if first and is_likely(first) else ""
    return tuple(part for part in (cause, short(since)) if part)


#: Where the kind of an alert says its cause.
_SAID = {
    AlertKind.INDEX: Cause.INDEX_VANISHED,
    AlertKind.PLAN: Cause.PLAN_CHANGED,
    AlertKind.POOL: Cause.POOL,
    AlertKind.CONNECTIONS: Cause.CONNECTIONS,
    AlertKind.TRANSACTION: Cause.TRANSACTION,
    AlertKind.IDLE: Cause.TRANSACTION,
    AlertKind.BLOCKED: Cause.LOCKED,
}
_OF_INDEXES = (Cause.MISSING_INDEX, Cause.INDEX_VANISHED, Cause.INDEX_INVALID)


def is_likely(suspect: Suspect) -> bool:
    """Return whether a deploy is more likely than not what brought a statement."""
    return suspect.confidence >= 0.5


def ending(alert: Alert, cause: str) -> str:
    """Return how long an alert lasted and how bad it was, with what was behind it."""
    times = f"{clock(alert.opened_at)} to {clock(alert.closed_at or alert.changed_at, alert.opened_at)}"
    worst = f" Worst: {within(alert.worst, alert.limit, alert.unit)}."
    said = f"Lasted {lasted(alert)}, {times}." + (
        worst if alert.worst and alert.limit and not is_forecast(alert) else ""
    )
    return f"{said} What was found: {cause}" if cause else said


def is_forecast(alert: Alert) -> bool:
    """Return whether an alert's figure is of what is to come."""
    return alert.kind is AlertKind.RISING


def spells(alert: Alert, earlier: Sequence[AlertChange]) -> Iterator[str]:
    """Yield a sentence for each time that the alert opened and closed before this time, untold."""
    for one in earlier:
        if one.turn is Turn.CLOSED and one.alert.opened_at != alert.opened_at:
            yield f"Was open before, {clock(one.alert.opened_at)} for {lasted(one.alert)}, untold."


def what(alert: Alert) -> str:
    """Return what an alert is about, as a title begins: tables, for nobody knows a fingerprint.

    The table of the diagnosis comes first, for that is where something is to be done.
    """
    if is_of_many(alert):
        on = f" on {alert.subject.removeprefix(_TABLE)}" if alert.subject.startswith(_TABLE) else ""
        return short(f"many statements{on}")
    tables = short(words.listing(_tables(alert), most=2))
    if tables or alert.statement is not None or alert.kind in _OF_QUERIES:
        return tables or f"query {short(alert.subject)}".strip()
    return short(_figure(alert, "who blocks") or alert.subject)


_OF_QUERIES = (AlertKind.SLOW, AlertKind.RUNNING, AlertKind.RISING, AlertKind.HEAVY, AlertKind.PLAN)


def query(alert: Alert) -> str:
    """Return the same for where a query is meant and not its tables."""
    return f"query on {what(alert)}" if _tables(alert) and not is_of_many(alert) else what(alert)


def is_of_many(alert: Alert) -> bool:
    """Return whether an alert is of several statements that hurt together; it shows the worst of them."""
    return alert.statement is not None and alert.subject != alert.statement.fingerprint


#: What the subject of such an alert begins with where they have a table in common.
_TABLE = "table "


def _tables(alert: Alert) -> list[str]:
    tables = [table.short for table in alert.statement.tables] if alert.statement else []
    if alert.diagnosis is not None and alert.diagnosis.table is not None:
        first = alert.diagnosis.table.short
        return [first, *(one for one in tables if one != first)]
    return tables


def where(alert: Alert) -> str:
    """Return the instance, with the database where one is meant."""
    return short(f"{alert.instance}/{alert.database}" if alert.database else alert.instance)


def short(text: str) -> str:
    """Return a name on one line, cut where it is long."""
    return words.shortened(words.one_line(text[: 4 * _MOST_SUBJECT]), _MOST_SUBJECT)


def lasted(alert: Alert) -> str:
    """Return how long an alert has been open, or was."""
    return words.duration(max((alert.closed_at or alert.changed_at) - alert.opened_at, _NOTHING))


def amount(value: float, unit: str) -> str:
    """Return a figure in its unit.

    >>> amount(2812.4, "ms"), amount(0.71, "share"), amount(14, "connections"), amount(640, "s")
    ('2.8 s', '71 %', '14 connections', '10 min 40 s')
    """
    if unit == "ms":
        return words.duration(value / 1000)
    if unit in ("s", "seconds"):
        return words.duration(value)
    if unit in ("share", "%"):
        return words.percent(value if unit == "share" else value / 100)
    if unit == "bytes":
        return words.size(value)
    return f"{words.number(value)} {short(unit)}".strip()


def within(value: float, limit: float, unit: str) -> str:
    """Return a figure and its limit.

    >>> within(2812.4, 100, "ms"), within(5, 1, "clients waiting")
    ('2.8 s (limit 100 ms)', '5 clients waiting (limit 1)')
    """
    is_count = unit not in ("ms", "s", "seconds", "share", "%")
    return f"{amount(value, unit)} (limit {words.number(limit) if is_count else amount(limit, unit)})"


def clock(at: datetime, beside: datetime | None = None) -> str:
    """Return a time as a message says it; without its day where that is the day of `beside`."""
    form = "%H:%M UTC" if beside is not None and beside.date() == at.date() else "%-d %b %H:%M UTC"
    return _utc(at).strftime(form)


def day(at: datetime) -> str:
    """Return a day with its year, for what may be long ago."""
    return _utc(at).strftime("%-d %b %Y %H:%M UTC")


def revision(said: str) -> str:
    """Return a revision as people say it: the beginning of a commit's hash, a tag as it is."""
    said = words.one_line(said[:200])
    is_hash = len(said) >= 20 and all(c in "0123456789abcdef" for c in said)
    return said[:8] if is_hash else words.shortened(said, 40)


def is_web(url: str) -> bool:
    """Whether a channel may offer the URL to be opened."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and len(url) <= 2000 and words.plain(url) == url


def in_url(value: str) -> str:
    """Return a value as a part of a URL."""
    return quote(value[:100], safe="", errors="replace")


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)
