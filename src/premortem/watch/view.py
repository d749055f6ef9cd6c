"""What the looks for alerts are given: one sample, what was before, and what is known besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from premortem.model import Backend, Sample, Statement, Subject, Window
from premortem.settings import Watching, WatchLimits
from premortem.watch import choosing
from premortem.watch.state import KnownPlan, State
from premortem.watch.told import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One step: `windows` are by length in seconds, and `covered` is how much of each the samples are about.

    `recent` works out the window of the newest samples only, which tells what a long window does not yet show.
    `watched` is the state's clock in this step, `plans` are those that are known with it.
    """

    sample: Sample
    before: State
    told: Told
    settings: Watching
    windows: Mapping[float, Mapping[Subject, Window]]
    covered: Mapping[float, timedelta]
    recent: Callable[[], Mapping[Subject, Window]]
    watched: float
    now: datetime
    plans: Mapping[Subject, KnownPlan] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def instance(self) -> str:
        """The name of the instance."""
        return self.sample.instance

    def limits(self, statement: Statement | None = None, *services: str) -> WatchLimits:
        """Return the limits that hold for a statement, or for the instance."""
        return choosing.limits_for(self.settings, self.instance, statement, services)

    def is_covered(self, limits: WatchLimits) -> bool:
        """Whether the samples are about enough of a window to say what was not in it."""
        covered = self.covered.get(limits.window_seconds, timedelta()).total_seconds()
        return covered >= limits.min_coverage * limits.window_seconds

    def database(self, backend: Backend) -> str:
        """Return the name of a session's database."""
        return "" if backend.dbid is None else self.sample.databases.get(backend.dbid, str(backend.dbid))

    def role(self, backend: Backend) -> str:
        """Return the name of a session's role."""
        return "" if backend.userid is None else self.sample.roles.get(backend.userid, str(backend.userid))

    def service(self, backend: Backend) -> str:
        """Return what a session calls itself: its application, else its role."""
        return backend.application or self.role(backend) or "unnamed"

    @property
    def poll(self) -> float:
        """How often the instance is looked at, in seconds."""
        return choosing.poll_seconds(self.settings, self.instance)
