"""Plans that changed: remembered for every statement that a plan was seen of, told where calls got slower with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from premortem import words
from premortem.model import AlertKind, Evidence, PlanSeen, Source, Statement, Subject, Window
from premortem.watch.naming import name
from premortem.watch.readings import Found, Reading
from premortem.watch.slow import calls_say, is_counted, mean_of, mean_says, statements_of, usual_ms
from premortem.watch.state import KnownPlan
from premortem.watch.view import View

#: For so many seconds watched a plan is news; after that what it does is usual.
NEWS = 86_400.0


def learn(view: View) -> tuple[KnownPlan, ...]:
    """Return the plans that are known after this step."""
    before = {known.subject: known for known in view.before.plans}
    told = {subject: _learned(view, before.get(subject), subject, plan) for subject, plan in view.told.plans.items()}
    kept = {s: known for s, known in before.items() if view.watched - known.seen < NEWS}
    return tuple(sorted((kept | told).values(), key=lambda known: known.subject))


def _learned(view: View, known: KnownPlan | None, subject: Subject, plan: PlanSeen) -> KnownPlan:
    mean = _mean(view, subject)
    if known is None:
        return KnownPlan(subject=subject, shape=plan.shape, seen=view.watched, steady_ms=mean)
    if known.shape != plan.shape:
        return _changed(view, known, plan)
    steady = known.steady_ms if mean is None or known.changed is not None else mean
    forgotten = known.changed is not None and view.watched - known.changed >= NEWS
    found = replace(known, seen=view.watched, steady_ms=steady)
    return replace(found, changed=None, before_shape="", before_ms=None, steady_ms=mean) if forgotten else found


def _changed(view: View, known: KnownPlan, plan: PlanSeen) -> KnownPlan:
    """Return what is known after a change; back to the plan of before, nothing happened."""
    if plan.shape == known.before_shape:
        return KnownPlan(subject=known.subject, shape=plan.shape, seen=view.watched, steady_ms=known.before_ms)
    news = known.changed is not None
    return replace(
        known,
        shape=plan.shape,
        seen=view.watched,
        changed=view.watched,
        before_shape=known.before_shape if news else known.shape,
        before_ms=known.before_ms if news else (usual_ms(view, known.subject) or known.steady_ms),
    )


def _mean(view: View, subject: Subject) -> float | None:
    limits = view.limits()
    window = view.windows.get(limits.window_seconds, {}).get(subject)
    return mean_of(window) if window is not None and is_counted(window, limits) else None


def changed_now(before: tuple[KnownPlan, ...], after: tuple[KnownPlan, ...]) -> Iterator[KnownPlan]:
    """Yield the plans that are not what they were a step before."""
    shapes = {known.subject: known.shape for known in before}
    yield from (known for known in after if shapes.get(known.subject, known.shape) != known.shape)


def find(view: View, plans: tuple[KnownPlan, ...], told_already: frozenset[Subject]) -> Found:
    """Return the statements that became slower with a plan that changed."""
    changed = {k.subject: k for k in plans if k.changed is not None and k.before_ms and k.subject not in told_already}
    statements = statements_of(view, set(changed))
    readings = tuple(
        reading
        for subject, known in changed.items()
        if subject in statements
        for reading in _readings(view, known, statements[subject])
    )
    return Found(readings=readings, settled=frozenset({AlertKind.PLAN}))


def _readings(view: View, known: KnownPlan, statement: Statement) -> Iterator[Reading]:
    limits = view.limits(statement)
    window = view.windows.get(limits.window_seconds, {}).get(known.subject)
    if window is None or statement.utility or statement.ours or not is_counted(window, limits):
        return
    limit, mean = limits.plan_factor * (known.before_ms or 0.0), mean_of(window) or 0.0
    noticed = window.busy >= limits.new_heavy_busy
    yield Reading(
        kind=AlertKind.PLAN,
        database=known.subject.database,
        subject=known.subject.fingerprint,
        value=mean,
        limit=limit,
        says=_says(view, known, statement, window),
        over=mean >= limit and noticed,
        under=mean < limit * limits.close_below or window.busy < limits.new_heavy_busy * limits.close_below,
        gathers=True,
        statement=statement,
        tables=statement.tables,
        window=window,
        evidence=(
            Evidence(name="mean before", value=known.before_ms or 0.0, unit="ms", source=Source.WORKLOAD),
            Evidence(name="mean now", value=mean, unit="ms", source=Source.WORKLOAD),
            Evidence(name="plan before", value=known.before_shape, source=Source.PLAN),
            Evidence(name="plan now", value=known.shape, source=Source.PLAN),
        ),
    )


def _says(view: View, known: KnownPlan, statement: Statement, window: Window) -> str:
    ago = words.duration(view.watched - (known.changed or 0.0))
    times = (mean_of(window) or 0.0) / (known.before_ms or 1.0)
    return (
        f"{name(statement)}: its plan changed {ago} ago and calls take {words.number(times)} times as long: "
        f"{words.number(known.before_ms or 0.0)} ms before, {mean_says(window)}, {calls_say(window)}"
    )
