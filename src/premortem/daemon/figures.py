"""An instance's figures for the gauges, from a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from premortem import watch
from premortem.daemon.gauges import InstanceFigures
from premortem.model import Alert, Pool, Sample


def figures(seen: Sample, stepped: watch.Stepped, took: float) -> InstanceFigures:
    """Return what is known of an instance after a step; `took` is how long its poll took, in seconds."""
    deltas = [delta for delta in stepped.deltas if delta.key.toplevel]
    total = sum(delta.total_ms for delta in deltas)
    seconds = (seen.at - seen.since).total_seconds() if seen.since else 0.0
    return InstanceFigures(
        busy=total / 1000 / seconds if seconds > 0 else 0.0,
        top_share=max((delta.total_ms for delta in deltas), default=0.0) / total if total > 0 else 0.0,
        poll_seconds=took,
        read_at=seen.read_at,
        up=True,
        open_alerts=_open(stepped.state.alerts),
        pool_waiting=_waiting(seen.pools),
        gaps=len(seen.gaps),
    )


def _open(alerts: Iterable[Alert]) -> Counter[tuple[str, str]]:
    return Counter((one.kind.value, one.urgency.value) for one in alerts if one.is_open)


def _waiting(pools: Iterable[Pool]) -> Counter[str]:
    waiting: Counter[str] = Counter()
    for pool in pools:
        waiting[pool.pooler] += pool.clients_waiting
    return waiting
