"""Statements that nobody had seen a day ago and that take a noticeable part of the server already."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from premortem import words
from premortem.model import AlertKind, Evidence, Source, Statement, Subject, Window
from premortem.watch.naming import name
from premortem.watch.readings import Found, Reading
from premortem.watch.slow import busy_says, calls_say, is_counted, mean_says, statements_of
from premortem.watch.view import View


def find(view: View, told_already: frozenset[Subject]) -> Found:
    """Return the new statements with a noticeable share; those that are told as slow already are left out."""
    limits = view.limits()
    started = view.told.watched_since or view.before.began_at
    # On a server that we have not known for that long everything is new, and nothing is.
    if started is None or view.now - started < timedelta(hours=limits.new_hours):
        return Found(settled=frozenset({AlertKind.HEAVY}))
    windows = view.windows.get(limits.window_seconds, {})
    new = {s: w for s, w in windows.items() if s not in told_already and _is_new(view, s, w)}
    statements = statements_of(view, set(new))
    readings = (_readings(view, statements[s], s, w) for s, w in sorted(new.items()) if s in statements)
    return Found(readings=tuple(r for found in readings for r in found), settled=frozenset({AlertKind.HEAVY}))


def _is_new(view: View, subject: Subject, window: Window) -> bool:
    first = view.told.first_seen.get(subject.fingerprint)
    return (
        window.toplevel and bool(window.total_ms) and first is not None and _age(view, first) < view.limits().new_hours
    )


def _age(view: View, first: datetime) -> float:
    return max(0.0, (view.now - first).total_seconds() / 3600)


def _readings(view: View, statement: Statement, subject: Subject, window: Window) -> Iterator[Reading]:
    limits = view.limits(statement)
    if statement.utility or statement.ours or not is_counted(window, limits):
        return
    share, age = window.share or 0.0, _age(view, view.told.first_seen[subject.fingerprint])
    heavy = share >= limits.new_heavy_share and window.busy >= limits.new_heavy_busy
    says = (
        f"{name(statement)}: first seen {words.duration(age * 3600)} ago, now {words.percent(share)} of the "
        f"database's time: {calls_say(window)}, {mean_says(window)}, {busy_says(view, window)}"
    )
    low = min(share / limits.new_heavy_share, window.busy / max(limits.new_heavy_busy, 1e-9))
    yield Reading(
        kind=AlertKind.HEAVY,
        database=subject.database,
        subject=subject.fingerprint,
        value=share * 100,
        limit=limits.new_heavy_share * 100,
        unit="%",
        says=says,
        over=heavy,
        under=low < limits.close_below,
        page=heavy and window.busy >= limits.page_busy,
        gathers=True,
        statement=statement,
        tables=statement.tables,
        window=window,
        evidence=(
            Evidence(name="share of the database's time", value=share, source=Source.WORKLOAD),
            Evidence(name="connections occupied", value=window.busy, source=Source.WORKLOAD),
            Evidence(name="first seen before", value=age * 3600, unit="s", source=Source.MEASURED),
        ),
    )
