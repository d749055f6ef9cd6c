"""What a sample says of its server that is no alert and must not be forgotten: restarts, resets, replacements, gaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from premortem import words
from premortem.model import AlertChange, Event, InstanceFacts, Sample, Unreached, codec
from premortem.watch.indexes import Inventory
from premortem.watch.planning import changed_now
from premortem.watch.state import KnownPlan, State

#: A clock that is so little behind was only read before the last answer arrived.
_JITTER = timedelta(seconds=1)


def is_stale(before: State, sample: Sample, now: datetime) -> bool:
    """Whether a sample was taken before the last one, or is the last one: out of order, or delivered twice."""
    if before.seen_at is None or before.at is None or before.read_at is None or now < before.seen_at:
        return False
    return sample.read_at <= before.read_at and sample.at <= before.at


def is_late(before: State, seen: Unreached, now: datetime) -> bool:
    """Whether a poll that had no answer began before one that had; its news is no news."""
    if before.seen_at is None or before.read_at is None or now < before.seen_at:
        return False
    return seen.read_at < before.read_at


def is_turned_back(before: State, sample: Sample) -> bool:
    """Whether the server's clock was turned back: windows by the old clock mean nothing by the new one."""
    return before.at is not None and sample.at < before.at - _JITTER


def is_replaced(before: State, sample: Sample) -> bool:
    """Whether another server answers at the instance's address: another cluster, not a restart or an upgrade of it."""
    was, now = before.server, sample.server
    return was is not None and was.identity is not None and now.identity is not None and was.identity != now.identity


def of_sample(before: State, sample: Sample, now: datetime) -> Iterator[Event]:
    """Yield what a sample says of its server that it did not say before."""
    made = _Maker(sample.instance, now)
    if is_turned_back(before, sample) and before.at is not None:
        behind = {"seconds": (before.at - sample.at).total_seconds()}
        yield made("instance.clock-turned-back", f"{sample.at:%Y%m%dT%H%M%S%f}", behind)
    if before.server is not None:
        yield from _of_server(made, before.server, sample.server, is_replaced(before, sample))
    for gap in sample.gaps:
        if gap.says not in before.gaps:
            said = {"subject": gap.subject, "says": gap.says, "effect": gap.effect, "cure": gap.cure}
            yield made("instance.gap", f"{now:%Y%m%dT%H%M%S%f}-{gap.subject}", said, gap.subject)


class _Maker:
    """Makes events of one instance and moment; an event's name says what makes it one and no other."""

    def __init__(self, instance: str, now: datetime) -> None:
        self.instance = instance
        self.now = now

    def __call__(
        self, kind: str, which: str, payload: Mapping[str, object], subject: str = "", database: str = ""
    ) -> Event:
        return Event(
            id=f"{self.instance}-{kind}-{which}",
            at=self.now,
            kind=kind,
            instance=self.instance,
            database=database,
            subject=subject,
            payload=dict(payload),
        )


def _of_server(made: _Maker, was: InstanceFacts, now: InstanceFacts, replaced: bool) -> Iterator[Event]:
    started = f"{now.started_at:%Y%m%dT%H%M%S}"
    if replaced:
        yield made("instance.replaced", str(now.identity), {"before": str(was.identity), "now": str(now.identity)})
    elif abs(now.started_at - was.started_at) > _JITTER:
        yield made("instance.restarted", started, {"started_at": now.started_at.isoformat()})
    if now.version_num // 10_000 != was.version_num // 10_000:
        yield made("instance.upgraded", str(now.version_num), {"before": was.version_num, "now": now.version_num})
    if now.in_recovery != was.in_recovery:
        yield made(f"instance.{'demoted' if now.in_recovery else 'promoted'}", f"{made.now:%Y%m%dT%H%M%S%f}", {})
    if now.reset_at is not None and was.reset_at is not None and now.reset_at != was.reset_at:
        reset = now.reset_at.isoformat()
        yield made("statistics.reset", f"{now.reset_at:%Y%m%dT%H%M%S%f}", {"reset_at": reset})


def of_indexes(before: State, inventory: Inventory, now: datetime) -> Iterator[Event]:
    """Yield the indexes that are lost, or went without harm, since the step before."""
    made = _Maker(before.instance, now)
    known = {one.index for one in before.lost}
    for lost in inventory.lost:
        if lost.index not in known:
            which = f"{lost.at:%Y%m%dT%H%M%S%f}-{lost.index.name.sql}"
            said = {"definition": lost.index.definition, "table": lost.index.table.sql}
            yield made("index.vanished", which, said, lost.index.name.sql, lost.index.database)
    for index, why in inventory.gone:
        said = {"definition": index.definition, "table": index.table.sql, "why": why}
        yield made("index.dropped", f"{now:%Y%m%dT%H%M%S%f}-{index.name.sql}", said, index.name.sql, index.database)


def of_plans(before: State, plans: tuple[KnownPlan, ...], now: datetime) -> Iterator[Event]:
    """Yield the plans that changed since the step before."""
    made = _Maker(before.instance, now)
    for known in changed_now(before.plans, plans):
        which = f"{now:%Y%m%dT%H%M%S%f}-{known.subject.fingerprint}"
        said = {"before": known.before_shape, "now": known.shape, "mean_before_ms": known.before_ms}
        yield made("plan.changed", which, said, known.subject.fingerprint, known.subject.database)


def of_change(change: AlertChange) -> Event:
    """Return what became of an alert as an event of the log."""
    alert = change.alert
    return Event(
        id=f"alert-{change.id}",
        at=change.at,
        kind=f"alert.{change.turn.value}",
        instance=alert.instance,
        database=alert.database,
        subject=alert.subject,
        payload={"alert": codec.encode(alert), "says": words.plain(alert.says)},
    )
