"""The facts of a message as pairs: table, index, deploy, figures; each figure with where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from premortem import words
from premortem.model import Alert, AlertKind, Confidence, Diagnosis, Evidence, Suspect, Window
from premortem.notify import naming, steps

_MOST_VALUE = 300
_MOST_FACTS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact: its name and its value, as they are shown."""

    name: str
    value: str


def facts(alert: Alert, *, over: bool) -> tuple[Fact, ...]:
    """Return the facts of an alert, the most useful first; an alert that is `over` needs fewer."""
    found: dict[str, Fact] = {}
    for name, value in (*_diagnosed(alert), *(() if over else _measured(alert)), *_standing(alert)):
        if value:
            found.setdefault(name.lower(), Fact(name=_one(name, 60), value=_one(value, _MOST_VALUE)))
    return tuple(found.values())[:_MOST_FACTS]


def _diagnosed(alert: Alert) -> Iterator[tuple[str, str]]:
    diagnosis = alert.diagnosis
    if diagnosis is None:
        if alert.statement is not None:
            yield "Tables", words.listing([one.short for one in alert.statement.tables], most=4)
        return
    yield "Table", diagnosis.table.short if diagnosis.table else ""
    yield _index_name(diagnosis), steps.index(diagnosis)
    yield from _deploy(diagnosis)
    if diagnosis.first_seen is not None:
        yield "Query first seen", f"{naming.day(diagnosis.first_seen)} ({_before(alert, diagnosis.first_seen)})"


def _before(alert: Alert, then: datetime) -> str:
    """Return how long before an alert something was; within a minute it is the same moment to whoever reads it."""
    ago = alert.opened_at - then
    return "just before this alert" if ago < timedelta(minutes=1) else f"{words.duration(ago)} before this alert"


def _index_name(diagnosis: Diagnosis) -> str:
    """Return what the index of a diagnosis is called, by what is the matter with it."""
    return _INDEXES.get(diagnosis.cause.value, "Index to create")


_INDEXES = {
    "missing-index": "Missing index",
    "index-vanished": "Index that is gone",
    "index-invalid": "Invalid index",
}


def _deploy(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    if not diagnosis.suspects:
        yield "Deploy", diagnosis.nothing_shipped
        return
    first, *others = diagnosis.suspects
    yield "Introduced by" if naming.is_likely(first) else "Perhaps by", _suspect(first)
    if others:
        yield "Or by", words.listing([_shipped(one) for one in others], most=2)


def _suspect(suspect: Suspect) -> str:
    who = f" by {suspect.deploy.author}" if suspect.deploy.author else ""
    sure = f"{words.percent(round(suspect.confidence, 2))} sure"
    why = f"{suspect.basis}, {sure}" if suspect.basis else sure
    return f"{_shipped(suspect)}{who} ({why})"


def _shipped(suspect: Suspect) -> str:
    deploy = suspect.deploy
    return f"{deploy.service} {naming.revision(deploy.revision)}, {naming.day(deploy.at)}".strip()


def _measured(alert: Alert) -> Iterator[tuple[str, str]]:
    if alert.window is not None:
        yield from _window(alert, alert.window)
    elif alert.limit and not naming.is_forecast(alert):
        yield "Measured", naming.within(alert.value, alert.limit, alert.unit)
    for evidence in (*alert.evidence, *(alert.diagnosis.evidence if alert.diagnosis else ())):
        if alert.window is None or evidence.name not in _OF_WINDOW:
            yield _upper(evidence.name), _shown(evidence)


#: Evidence that the window says already, as watching and as diagnosing call it.
_OF_WINDOW = frozenset(
    (
        *("mean", "mean time", "calls", "connections occupied"),
        *("share of the database's time", "share of database time"),
    )
)


def _window(alert: Alert, window: Window) -> Iterator[tuple[str, str]]:
    length = words.duration(window.length)
    limit = f", limit {naming.amount(alert.limit, alert.unit)}" if alert.limit and alert.unit == "ms" else ""
    mean = alert.value if alert.kind is AlertKind.SLOW else window.mean_ms
    if mean is not None:
        yield "Mean", f"{words.duration(mean / 1000)} over {length}{limit}"
    yield "Calls", f"{words.number(window.calls)} in {length}"
    if window.share is not None:
        yield "Share of the database's time", words.percent(round(window.share, 3))
    yield "Connections occupied", f"{words.number(_rounded(window.busy))} on average"
    if window.confidence is Confidence.LOW:
        yield "Figures", f"of low confidence; {words.percent(round(window.covered / window.length, 2))} covered"


def _rounded(value: float) -> float:
    return round(value, 1) if value < 10 else round(value)


def _standing(alert: Alert) -> Iterator[tuple[str, str]]:
    yield "Where", f"{alert.instance}, database {alert.database}" if alert.database else alert.instance
    yield "Services", words.listing(list(alert.services), most=4)
    yield "Owners", words.listing(list(alert.owners), most=4)
    yield "Open since", f"{naming.clock(alert.opened_at)}" if alert.is_open else ""


def _shown(evidence: Evidence) -> str:
    value = evidence.value if isinstance(evidence.value, str) else naming.amount(evidence.value, evidence.unit)
    return f"{value} ({evidence.source.value})"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _one(text: str, most: int) -> str:
    return words.shortened(words.one_line(text[: 4 * most]), most)
