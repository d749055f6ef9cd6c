"""One step: a sample, or the lack of one, into the next state and what is to be told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from premortem import words
from premortem.model import (
    Alert,
    AlertChange,
    AlertKind,
    Diagnosis,
    Event,
    Sample,
    Subject,
    Turn,
    Unreached,
)
from premortem.settings import Watching
from premortem.watch import blocking, choosing, facts, heavy, indexes, places, planning, rising, sessions, slow
from premortem.watch.deltas import Delta, deltas
from premortem.watch.gathering import gathered
from premortem.watch.lifecycle import Moment, Turned, closed, label, turn
from premortem.watch.readings import Found, Reading
from premortem.watch.rings import advance
from premortem.watch.state import Chains, KnownPlan, Mark, State
from premortem.watch.told import Told
from premortem.watch.view import View
from premortem.watch.windows import covered, windows

#: Time in which nobody looked does not count: of a longer pause only so many polls are taken as watched.
_MOST_POLLS = 2.5
#: What the newest poll saw; a poll is never on the second.
_RECENT_POLLS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """What a step comes to: the next state, what is to be told, what history keeps, and what the log does."""

    state: State
    changes: tuple[AlertChange, ...] = ()
    deltas: tuple[Delta, ...] = ()
    events: tuple[Event, ...] = ()


def step(state: State, seen: Sample | Unreached, told: Told, settings: Watching, now: datetime) -> Stepped:
    """Return what becomes of an instance's state and alerts with what was seen of it."""
    if isinstance(seen, Unreached):
        return Stepped(state=state) if facts.is_late(state, seen, now) else _unreached(state, seen, settings, now)
    if facts.is_stale(state, seen, now):
        return Stepped(state=state)
    events = tuple(facts.of_sample(state, seen, now))
    before, changes = _replaced(state, settings, now) if facts.is_replaced(state, seen) else (state, ())
    found = _stepped(_ahead(before, seen, settings, now), seen, told, settings, now)
    every = (*changes, *found.changes)
    logged = (*events, *found.events, *map(facts.of_change, every))
    return replace(found, changes=every, events=logged)


def _unreached(state: State, seen: Unreached, settings: Watching, now: datetime) -> Stepped:
    """Return what a poll without an answer comes to: only that is known, all else stays as it was."""
    before = replace(state, missed=state.missed + 1, missed_at=state.missed_at or now, seen_at=now)
    limit = settings.limits.unreached_polls
    since = before.missed_at or now
    hint = f" ({seen.hint})" if seen.hint else ""
    says = f"{seen.instance} cannot be reached since {since.astimezone(UTC):%H:%M:%S} UTC: {seen.says}{hint}"
    reading = Reading(
        kind=AlertKind.UNREACHED,
        database="",
        subject="instance",
        value=1.0,
        limit=0.0,
        unit="",
        says=words.one_line(says),
        over=before.missed >= limit,
        under=False,
        page=True,
    )
    after, changes = _turned(before, Found(readings=(reading,)), settings, now)
    return Stepped(state=after, changes=changes, events=tuple(map(facts.of_change, changes)))


def _ahead(state: State, sample: Sample, settings: Watching, now: datetime) -> State:
    """Return the state with the time that was watched since the last step."""
    poll = choosing.poll_seconds(settings, state.instance)
    most = _MOST_POLLS * poll
    passed = 0.0 if state.seen_at is None else (now - state.seen_at).total_seconds()
    if passed < 0 and state.at is not None:
        passed = (sample.at - state.at).total_seconds()
    elapsed = poll if passed < 0 else min(passed, most)
    began = {"began_at": now, "began": state.watched} if state.began_at is None else {}
    return replace(state, watched=state.watched + elapsed, **began)  # type: ignore[arg-type]


def _replaced(state: State, settings: Watching, now: datetime) -> tuple[State, tuple[AlertChange, ...]]:
    """Return a state that knows nothing of the new server, and the close of what was open on the old one."""
    there = tuple(a for a in state.alerts if a.kind is not AlertKind.UNREACHED)
    left, changes = _all_closed(state, there, settings, now, "another server answers now")
    known = State(
        instance=state.instance,
        watched=state.watched,
        seen_at=state.seen_at,
        missed=state.missed,
        missed_at=state.missed_at,
        alerts=left.alerts,
        marks=left.marks,
    )
    return known, changes


def _all_closed(
    state: State, alerts: tuple[Alert, ...], settings: Watching, now: datetime, why: str
) -> tuple[State, tuple[AlertChange, ...]]:
    """Return the state without some alerts, and their close."""
    moment = _moment(state, settings, now)
    marks = {mark.key: mark for mark in state.marks}
    done = [
        closed(moment, replace(a, unwatched=why), marks.get(a.key, Mark(key=a.key, told=True)), f"{label(a)}: {why}")
        for a in alerts
    ]
    keys = {a.key for a in alerts}
    kept = tuple(one.mark for one in done if one.mark is not None)
    after = replace(
        state,
        alerts=tuple(a for a in state.alerts if a.key not in keys),
        marks=(*(m for m in state.marks if m.key not in keys), *kept),
    )
    return after, tuple(one.change for one in done if one.change is not None)


def _stepped(before: State, sample: Sample, told: Told, settings: Watching, now: datetime) -> Stepped:
    poll = choosing.poll_seconds(settings, sample.instance)
    moved = deltas(sample, before.rings.last, poll=timedelta(seconds=poll))
    lengths = choosing.lengths(settings, sample.instance)
    keep = timedelta(seconds=2 * max(lengths))
    locked = any(alert.kind is AlertKind.BLOCKED for alert in before.alerts)
    rings = advance(before.rings, sample, moved, told.statements, keep=keep, locked=locked)
    view = View(
        sample=sample,
        before=before,
        told=told,
        settings=settings,
        windows={length: windows(rings, sample.at, timedelta(seconds=length)) for length in lengths},
        covered={length: covered(rings, sample.at, timedelta(seconds=length)) for length in lengths},
        recent=cache(lambda: windows(rings, sample.at, timedelta(seconds=_RECENT_POLLS * poll))),
        watched=before.watched,
        now=now,
    )
    plans = planning.learn(view)
    view = replace(view, plans={known.subject: known for known in plans})
    missed = settings.limits.index_hours * 3600
    inventory = indexes.compare(before.indexes, before.lost, sample, before.watched, missed)
    chains = blocking.chains(view)
    found = _found(view, plans, inventory, chains)
    after, changes = _turned(before, found, settings, now)
    state = replace(
        after,
        rings=rings,
        seen_at=now,
        at=sample.at,
        read_at=sample.read_at,
        server=sample.server,
        missed=0,
        missed_at=None,
        indexes=inventory.indexes,
        lost=inventory.lost,
        chains=tuple(chain for chain, _, _ in chains),
        plans=plans,
        gaps=tuple(gap.says for gap in sample.gaps),
    )
    events = (*facts.of_indexes(before, inventory, now), *facts.of_plans(before, plans, now))
    return Stepped(state=state, changes=changes, deltas=moved, events=events)


def _found(view: View, plans: tuple[KnownPlan, ...], inventory: indexes.Inventory, chains: Chains) -> Found:
    """Return everything that was read, with what is told once only said once."""
    slow_ones = slow.find(view)
    told_already = frozenset(Subject(database=r.database, fingerprint=r.subject) for r in slow_ones.readings if r.over)
    blockers = frozenset(root for _, root, _ in chains)
    running = frozenset(b.pid for _, those in sessions.too_long(view).values() for b in those)
    return _together(
        (
            slow_ones,
            heavy.find(view, told_already),
            rising.find(view, told_already),
            planning.find(view, plans, told_already),
            indexes.find(view, inventory),
            places.find_pools(view),
            places.find_seats(view),
            sessions.find(view, blockers, running),
            blocking.find(view, chains),
            Found(settled=frozenset({AlertKind.UNREACHED})),
        )
    )


def _together(every: Iterable[Found]) -> Found:
    found = tuple(every)
    return Found(
        readings=tuple(r for one in found for r in one.readings),
        settled=frozenset(kind for one in found for kind in one.settled),
    )


def _moment(state: State, settings: Watching, now: datetime) -> Moment:
    limits = choosing.limits_for(settings, state.instance)
    return Moment(
        instance=state.instance,
        settings=settings,
        limits=limits,
        watched=state.watched,
        now=now,
        cold=state.watched - state.began < limits.warm_up_seconds,
    )


def _turned(state: State, found: Found, settings: Watching, now: datetime) -> tuple[State, tuple[AlertChange, ...]]:
    """Return the state with every alert after its turn, and what is to be told."""
    moment = _moment(state, settings, now)
    alerts, marks = {a.key: a for a in state.alerts}, {m.key: m for m in state.marks}
    told = gathered(
        found.readings,
        lambda reading: reading.key(state.instance) in alerts,
        lambda reading: bool(choosing.quiet(settings, state.instance, reading, now)),
        of_a_table=moment.limits.most_of_a_table,
        at_once=moment.limits.most_at_once,
    )
    readings = {reading.key(state.instance): reading for reading in told}
    turned: list[Turned] = [
        turn(moment, alerts.get(key), marks.get(key), readings.get(key), settled=_is_settled(alerts.get(key), found))
        for key in dict.fromkeys((*alerts, *readings, *marks))
    ]
    after = replace(
        state,
        alerts=tuple(one.alert for one in turned if one.alert is not None),
        marks=tuple(one.mark for one in turned if one.mark is not None),
    )
    return after, tuple(one.change for one in turned if one.change is not None)


def _is_settled(alert: Alert | None, found: Found) -> bool:
    return alert is not None and alert.kind in found.settled


def abandoned(state: State, settings: Watching, now: datetime) -> Stepped:
    """Return the close of everything that is open on an instance that is not watched any more."""
    after, changes = _all_closed(state, state.alerts, settings, now, "nobody watches this instance any more")
    return Stepped(state=after, changes=changes, events=tuple(map(facts.of_change, changes)))


def diagnosed(state: State, key: str, opened_at: datetime, diagnosis: Diagnosis, now: datetime) -> Stepped:
    """Return what becomes of an alert that somebody found the reason of; nothing where it closed in the meantime."""
    alert = next((a for a in state.alerts if a.key == key and a.opened_at == opened_at), None)
    if alert is None:
        return Stepped(state=state)
    said = alert.diagnosed(diagnosis, max(now, alert.changed_at))
    change = AlertChange(turn=Turn.DIAGNOSED, alert=said, at=said.changed_at)
    after = replace(
        state,
        alerts=tuple(said if a is alert else a for a in state.alerts),
        marks=tuple(replace(m, at=said.changed_at) if m.key == key else m for m in state.marks),
    )
    return Stepped(state=after, changes=(change,), events=(facts.of_change(change),))
