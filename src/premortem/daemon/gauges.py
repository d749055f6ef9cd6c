"""The daemon's figures for Prometheus: a few per instance and channel, and never one per statement.

A label per queryid is what makes exporters' memory grow without end; which statement it is stands in the alert.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from premortem import __version__
from premortem.errors import InstallationError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFigures:
    """What is known of an instance now; `read_at` is when it was last read, None until it was."""

    busy: float = 0.0
    top_share: float = 0.0
    poll_seconds: float = 0.0
    read_at: datetime | None = None
    up: bool = False
    open_alerts: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    pool_waiting: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    gaps: int = 0


class Board:
    """The newest figures, which workers write and a scrape reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._instances: dict[str, InstanceFigures] = {}
        self._undelivered: dict[str, int] = {}
        self._counts: Counter[str] = Counter()
        self._settings_refused = False

    def instance(self, name: str, figures: InstanceFigures) -> None:
        """Write what is known of an instance."""
        with self._lock:
            self._instances[name] = figures

    def unreached(self, name: str) -> None:
        """Write that an instance could not be read; what was known of it stays, and ages."""
        with self._lock:
            self._instances[name] = replace(self._instances.get(name, InstanceFigures()), up=False)

    def forget(self, name: str) -> None:
        """Forget an instance that is somebody else's now."""
        with self._lock:
            self._instances.pop(name, None)

    def waits(self, channel: str, letters: int) -> None:
        """Write how many letters wait for a channel."""
        with self._lock:
            self._undelivered[channel] = letters

    def count(self, what: str) -> None:
        """Count one more of `store_failures`, `polls`, `poll_failures`, `glance_failures` or `diagnoses_late`."""
        with self._lock:
            self._counts[what] += 1

    def settings(self, *, refused: bool) -> None:
        """Write whether the settings file says something that could not be taken over."""
        with self._lock:
            self._settings_refused = refused

    def snapshot(self) -> Figures:
        """Return everything as it is now."""
        with self._lock:
            return Figures(
                instances=dict(self._instances),
                undelivered=dict(self._undelivered),
                counts=dict(self._counts),
                settings_refused=self._settings_refused,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything that a scrape is told."""

    instances: Mapping[str, InstanceFigures]
    undelivered: Mapping[str, int]
    counts: Mapping[str, int]
    settings_refused: bool


COUNTS = {
    "polls": "Polls that succeeded",
    "poll_failures": "Polls that failed",
    "glance_failures": "Looks at pg_stat_activity between polls that failed",
    "store_failures": "Attempts to write the state that failed",
    "diagnoses_late": "Diagnoses that came after the alert's message had to go",
}


def exposition(board: Board, now: Callable[[], datetime]) -> Callable[[], bytes]:
    """Return the verb that renders the figures as Prometheus reads them.

    Raises InstallationError where the library for that is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, generate_latest
    except ImportError as error:
        raise InstallationError(
            "/metrics needs prometheus_client", hint="pip install 'premortem[watch]', or set watch.listen to \"\""
        ) from error
    registry: CollectorRegistry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(board, now))

    def render() -> bytes:
        return bytes(generate_latest(registry))

    return render


class _Collector:
    """What prometheus_client asks at every scrape."""

    def __init__(self, board: Board, now: Callable[[], datetime]) -> None:
        self._board = board
        self._now = now

    def describe(self) -> Iterable[Metric]:
        """Return nothing: a registry that asks would collect at registration."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

        figures = self._board.snapshot()
        yield InfoMetricFamily("premortem", "Which premortem this is", {"version": __version__})
        for name, says, value in _per_instance(self._now()):
            family = GaugeMetricFamily(f"premortem_{name}", says, labels=("instance",))
            for instance, known in figures.instances.items():
                family.add_metric((instance,), value(known))
            yield family
        yield _alerts(figures, GaugeMetricFamily)
        yield _pools(figures, GaugeMetricFamily)
        waiting = GaugeMetricFamily("premortem_undelivered", "Messages that wait to be delivered", labels=("channel",))
        for channel, count in figures.undelivered.items():
            waiting.add_metric((channel,), count)
        yield waiting
        refused = "1 while the settings file says something that was refused, and the older settings hold"
        yield GaugeMetricFamily("premortem_settings_refused", refused, value=float(figures.settings_refused))
        for name, says in COUNTS.items():
            yield CounterMetricFamily(f"premortem_{name}", says, value=figures.counts.get(name, 0))


def _per_instance(now: datetime) -> tuple[tuple[str, str, Callable[[InstanceFigures], float]], ...]:
    """Return name, help and value of each gauge that has an instance and nothing else."""
    return (
        ("up", "Whether the last poll of the instance succeeded", lambda known: float(known.up)),
        ("busy", "Connections that statements occupied on average since the poll before", lambda known: known.busy),
        (
            "top_share",
            "Part of the database time since the poll before that the heaviest statement took",
            lambda known: known.top_share,
        ),
        ("poll_seconds", "How long the last poll took", lambda known: known.poll_seconds),
        ("poll_lag_seconds", "How long ago the instance was last read", lambda known: _lag(known, now)),
        ("gaps", "Things that could not be read in the last poll", lambda known: known.gaps),
    )


def _lag(known: InstanceFigures, now: datetime) -> float:
    return max(0.0, (now - known.read_at).total_seconds()) if known.read_at else float("nan")


def _alerts(figures: Figures, family: type) -> Metric:
    alerts: Metric = family("premortem_open_alerts", "Alerts that are open", labels=("instance", "kind", "urgency"))
    for instance, known in figures.instances.items():
        for (kind, urgency), count in known.open_alerts.items():
            alerts.add_metric((instance, kind, urgency), count)  # type: ignore[attr-defined]
    return alerts


def _pools(figures: Figures, family: type) -> Metric:
    pools: Metric = family(
        "premortem_pool_waiting", "Clients that wait for a connection of a pooler", labels=("instance", "pooler")
    )
    for instance, known in figures.instances.items():
        for pooler, count in known.pool_waiting.items():
            pools.add_metric((instance, pooler), count)  # type: ignore[attr-defined]
    return pools
