"""Statements whose mean over the window is too long, and those that run too long before anything is counted.

Both are one alert of one statement.  It may open on executions that still run (`running-query`, provisional), and
becomes `slow-query` when the counters agree; a statement that is slow and running is told once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from premortem import words
from premortem.model import AlertKind, Backend, Confidence, Evidence, Source, Statement, Subject, Window
from premortem.settings import WatchLimits
from premortem.watch import choosing
from premortem.watch.naming import name
from premortem.watch.readings import Found, Reading
from premortem.watch.sessions import age, too_long
from premortem.watch.view import View

#: Below this part of a connection no share of the time and no factor wakes anybody: nothing else runs there.
_BUSY_ENOUGH = 0.1
#: The newest calls are told where they take so many times as long as the window's.
_TELLING = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A statement that may be too slow: its window, and its executions that run for too long."""

    subject: Subject
    statement: Statement
    limits: WatchLimits
    window: Window | None = None
    running: tuple[Backend, ...] = ()


def find(view: View) -> Found:
    """Return how slow the statements are that may be over a limit, or have an open alert."""
    running = too_long(view)
    open_subjects = {
        Subject(database=a.database, fingerprint=a.subject)
        for a in view.before.alerts
        if a.kind in (AlertKind.SLOW, AlertKind.RUNNING)
    }
    lowest = choosing.lowest_mean(view.settings, view.instance)
    longest = view.windows[max(view.windows)] if view.windows else {}
    worth = {s for windows in view.windows.values() for s, w in windows.items() if _above(w, lowest)}
    subjects = worth | running.keys() | (open_subjects & longest.keys())
    statements = statements_of(view, subjects) | {s: found for s, (found, _) in running.items()}
    readings = tuple(
        _reading(view, _candidate(view, subject, statements[subject], running))
        for subject in sorted(subjects)
        if subject in statements and not statements[subject].ours
    )
    return Found(readings=readings, settled=_settled(view))


def _above(window: Window, lowest: float) -> bool:
    return (mean_of(window) or 0.0) > lowest


def _settled(view: View) -> frozenset[AlertKind]:
    """Whether a statement without a window made no call: not so while the samples do not cover enough."""
    return frozenset({AlertKind.SLOW, AlertKind.RUNNING}) if view.is_covered(view.limits()) else frozenset()


def statements_of(view: View, subjects: set[Subject]) -> dict[Subject, Statement]:
    """Return what statements are, as far as anybody knows: told now, or when their alert opened."""
    found = {
        Subject(database=a.database, fingerprint=a.subject): a.statement
        for a in view.before.alerts
        if a.statement is not None and a.statement.fingerprint == a.subject
    }
    missing = subjects - found.keys()
    if missing:
        for statement in (*view.told.statements.values(), *(one.statement for one in view.sample.cancelled)):
            subject = Subject(database=statement.database, fingerprint=statement.fingerprint)
            if subject in missing:
                found.setdefault(subject, statement)
    return found


def _candidate(
    view: View,
    subject: Subject,
    statement: Statement,
    running: Mapping[Subject, tuple[Statement, tuple[Backend, ...]]],
) -> Candidate:
    limits = view.limits(statement)
    return Candidate(
        subject=subject,
        statement=statement,
        limits=limits,
        window=view.windows.get(limits.window_seconds, {}).get(subject),
        running=running[subject][1] if subject in running else (),
    )


def _reading(view: View, found: Candidate) -> Reading:
    slow = is_slow(found.window, found.limits) and not found.statement.utility
    if found.running and not slow:
        return _running(view, found)
    return _slow(view, found, slow)


def mean_of(window: Window) -> float | None:
    """Return how long executions took on average, those that were cancelled and are in no counter among them.

    A statement that a timeout always ends is the slowest there is, and its counted mean is nothing at all.  One that
    waited for a lock is as fast as ever: whoever holds that lock is told.
    """
    count = executions(window)
    return max(0.0, window.total_ms + window.uncounted_ms - window.waited_ms) / count if count else None


def executions(window: Window) -> int:
    """Return how many executions say something of how long the statement takes."""
    return max(0, window.calls - window.waited) + window.uncounted


def is_counted(window: Window | None, limits: WatchLimits) -> bool:
    """Whether a window holds enough to say what a statement's mean is."""
    if window is None or executions(window) < limits.min_calls:
        return False
    return window.covered.total_seconds() >= limits.min_coverage * window.length.total_seconds()


def is_slow(window: Window | None, limits: WatchLimits) -> bool:
    """Whether a statement's mean is over its limit, and the window holds enough to say so."""
    return is_counted(window, limits) and window is not None and (mean_of(window) or 0.0) > limits.mean_ms


def _slow(view: View, found: Candidate, slow: bool) -> Reading:
    mean = (mean_of(found.window) or 0.0) if found.window else 0.0
    limit = found.limits.mean_ms
    return Reading(
        kind=AlertKind.SLOW,
        database=found.subject.database,
        subject=found.subject.fingerprint,
        value=mean,
        limit=limit,
        says=slow_says(view, found),
        over=slow,
        under=_is_under(view, found, mean),
        page=slow and worth_a_page(view, found),
        gathers=True,
        statement=found.statement,
        tables=found.statement.tables,
        window=found.window,
        evidence=evidence(view, found),
    )


def _is_under(view: View, found: Candidate, mean: float) -> bool:
    """Whether it surely does not hurt: fast enough, or hardly called, in a window that is covered."""
    if found.running or not view.is_covered(found.limits):
        return False
    few = found.window is None or executions(found.window) < found.limits.min_calls
    return few or mean < found.limits.close_below * found.limits.mean_ms


def worth_a_page(view: View, found: Candidate) -> bool:
    """Whether somebody should get up: by the connections it takes, its share, or how far it is from what is usual."""
    window, limits = found.window, found.limits
    if window is None:
        return False
    if window.busy >= limits.page_busy or len(found.running) >= max(2.0, limits.page_busy):
        return True
    if window.busy < _BUSY_ENOUGH:
        return False
    usual = usual_ms(view, found.subject)
    factor = (mean_of(window) or 0.0) / usual if usual else 0.0
    return (window.share or 0.0) >= limits.page_share or factor >= limits.page_factor


def usual_ms(view: View, subject: Subject) -> float | None:
    """Return the mean that is usual for a statement, None where history does not say."""
    baseline = view.told.baselines.get(subject)
    return baseline.median_ms if baseline else None


def slow_says(view: View, found: Candidate) -> str:
    """Return the sentence of a statement's window: mean, limit, calls, share, connections."""
    window = found.window
    label = name(found.statement)
    if window is None or mean_of(window) is None:
        return f"{label}: no call ended in the last {words.duration(found.limits.window_seconds)}"
    parts = [f"{mean_says(window)} (limit {words.number(found.limits.mean_ms)} ms)", calls_say(window)]
    if window.share is not None:
        parts.append(f"{words.percent(window.share)} of the database's time")
    parts.append(busy_says(view, window))
    parts += _more(view, found)
    return f"{label}: {', '.join(parts)}"


def mean_says(window: Window) -> str:
    """Return a window's mean with the time that it is over."""
    return f"{words.number(mean_of(window) or 0.0)} ms mean over {words.duration(window.covered)}"


def calls_say(window: Window) -> str:
    """Return how many calls there were, and how many of them were cancelled."""
    if window.waited:
        return f"{words.plural(executions(window), 'call')} beside those that waited for a lock"
    if not window.uncounted:
        return words.plural(window.calls, "call")
    return (
        f"{words.plural(window.calls + window.uncounted, 'call')}, {words.number(window.uncounted)} of them cancelled"
    )


def busy_says(view: View, window: Window) -> str:
    """Return how many connections a statement occupies, of how many."""
    seats = view.sample.seats
    of = f" of {seats.most}" if seats else ""
    noun = "connections" if seats or words.number(window.busy) != "1" else "connection"
    return f"occupies {words.number(window.busy)}{of} {noun}"


def _more(view: View, found: Candidate) -> list[str]:
    more = []
    recent = view.recent().get(found.subject)
    now = mean_of(recent) if recent else None
    if recent and now and found.window and now >= _TELLING * (mean_of(found.window) or 0.0):
        more.append(f"{words.number(now)} ms in the last {words.duration(recent.covered)}")
    if found.window and not found.window.toplevel:
        more.append("called inside functions")
    if found.window and found.window.confidence is Confidence.LOW:
        more.append("with low confidence")
    known = view.plans.get(found.subject)
    if known is not None and known.changed is not None:
        more.append(f"its plan changed {words.duration(view.watched - known.changed)} ago")
    usual = usual_ms(view, found.subject)
    if usual is not None:
        more.append(f"usually {words.number(usual)} ms")
    if found.running:
        longest = words.duration(age(view, found.running[0].query_start))
        more.append(f"{words.plural(len(found.running), 'execution')} still running, the longest for {longest}")
    return more


def evidence(view: View, found: Candidate) -> tuple[Evidence, ...]:
    """Return the figures of a statement's window with their sources."""
    window = found.window
    if window is None:
        return ()
    figures: list[tuple[str, float | None, str]] = [
        ("mean", mean_of(window), "ms"),
        ("calls", float(window.calls), ""),
        ("cancelled", float(window.uncounted) or None, ""),
        ("share of the database's time", window.share, ""),
        ("connections occupied", window.busy, ""),
        ("usual mean", usual_ms(view, found.subject), "ms"),
    ]
    return tuple(
        Evidence(name=said, value=value, unit=unit, source=Source.WORKLOAD)
        for said, value, unit in figures
        if value is not None
    )


def _held(view: View, found: Candidate, backend: Backend) -> float:
    """Return for how long an execution may run: a limit may be its service's own."""
    return view.limits(found.statement, view.service(backend)).running_seconds


def _running(view: View, found: Candidate) -> Reading:
    worst = max(found.running, key=lambda b: age(view, b.query_start) / max(_held(view, found, b), 1e-9))
    longest, count, limit = age(view, worst.query_start), len(found.running), _held(view, found, worst)
    services = dict.fromkeys(view.service(b) for b in found.running)
    those = "an execution runs" if count == 1 else f"{words.number(count)} executions run, the longest"
    says = (
        f"{name(found.statement)}: {those} for {words.duration(longest)} (limit {words.duration(limit)}) "
        f"and is not counted yet; {words.listing(list(services), most=3)}"
    )
    return Reading(
        kind=AlertKind.RUNNING,
        database=found.subject.database,
        subject=found.subject.fingerprint,
        value=longest * 1000,
        limit=limit * 1000,
        says=words.one_line(says),
        over=True,
        under=False,
        page=count >= max(2.0, found.limits.page_busy) or longest >= found.limits.page_running_seconds,
        provisional=True,
        gathers=True,
        statement=found.statement,
        tables=found.statement.tables,
        window=found.window,
        evidence=(
            Evidence(name="executions that run", value=float(count), source=Source.MEASURED),
            Evidence(name="the longest runs for", value=longest, unit="s", source=Source.MEASURED),
        ),
    )
