"""Statements that are not too slow yet, and will be: the mean of each day climbs towards the limit.

The slope is the median of the slopes between all pairs of days (Theil 1950, Sen 1968), so that one bad day bends
nothing; a rise is told only where most pairs agree that it is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from statistics import median

from premortem import words
from premortem.model import AlertKind, Baseline, Day, Evidence, Source, Statement, Subject
from premortem.settings import WatchLimits
from premortem.watch.naming import name
from premortem.watch.readings import Found, Reading
from premortem.watch.slow import is_counted, mean_of, statements_of
from premortem.watch.view import View

#: Fewer days are no trend; more than these only slow down what the last weeks say.
_FEWEST_DAYS = 4
_MOST_DAYS = 42
#: The part of the pairs of days that have to rise.
_AGREE = 0.75
#: A mean that fell to so little of what the trend says is no longer on it.
_ON_TREND = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A line through daily means: `level` at the last day, `slope` in ms a day, where it began, over how many days."""

    level: float
    slope: float
    first: float
    days: int

    def after(self, hours: float) -> float:
        """Return the mean that the line reaches so many hours after the last day."""
        return self.level + self.slope * hours / 24

    def hours_to(self, limit: float) -> float:
        """Return in how many hours the line reaches a limit; 0 where it has."""
        return max(0.0, (limit - self.level) / self.slope * 24) if self.slope > 0 else float("inf")


def trend(days: Sequence[Day]) -> Trend | None:
    """Return the line through the means of some days, None where they do not rise, or are too few to say.

    >>> from datetime import date
    >>> found = trend([Day(day=date(2026, 3, d), calls=9, mean_ms=m) for d, m in ((1, 3), (2, 9), (3, 80), (4, 21))])
    >>> found and (found.slope, found.level)
    (6.0, 21.0)
    """
    known = days[-_MOST_DAYS:]
    if len(known) < _FEWEST_DAYS:
        return None
    points = [((day.day - known[-1].day).days, day.mean_ms) for day in known]
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x2 != x1]
    if not slopes or sum(slope > 0 for slope in slopes) < _AGREE * len(slopes):
        return None
    slope = median(slopes)
    level = median(y - slope * x for x, y in points)
    return Trend(level=level, slope=slope, first=max(0.0, level + slope * points[0][0]), days=1 - points[0][0])


def find(view: View, told_already: frozenset[Subject]) -> Found:
    """Return the statements whose mean will reach the limit at the pace of the last weeks."""
    rising = {s: b for s, b in view.told.baselines.items() if s not in told_already and len(b.days) >= _FEWEST_DAYS}
    trends = {s: found for s, b in rising.items() if (found := trend(_steady(view, s, b))) is not None}
    statements = statements_of(view, set(trends))
    readings = (
        reading
        for subject, found in sorted(trends.items(), key=lambda one: one[0])
        if subject in statements
        for reading in _readings(view, subject, statements[subject], found)
    )
    known = frozenset({AlertKind.RISING}) if view.told.baselines else frozenset()
    return Found(readings=tuple(readings), settled=known)


def _steady(view: View, subject: Subject, baseline: Baseline) -> Sequence[Day]:
    """Return the days of a statement since its plan changed: before, it was another statement."""
    changed = next((p.changed for p in view.before.plans if p.subject == subject), None)
    if changed is None:
        return baseline.days
    since = (view.now - timedelta(seconds=max(0.0, view.watched - changed))).date()
    return tuple(day for day in baseline.days if day.day > since)


def _readings(view: View, subject: Subject, statement: Statement, found: Trend) -> Iterator[Reading]:
    limits = view.limits(statement)
    if statement.utility or statement.ours:
        return
    coming = found.after(limits.rising_hours)
    fell = _fell(view, subject, limits, found)
    grew = found.level >= limits.rising_factor * max(found.first, 1e-9)
    yield Reading(
        kind=AlertKind.RISING,
        database=subject.database,
        subject=subject.fingerprint,
        value=coming,
        limit=limits.mean_ms,
        says=_says(view, statement, limits, found),
        over=grew and not fell and found.level < limits.mean_ms <= coming,
        under=fell or not grew or coming < limits.close_below * limits.mean_ms,
        statement=statement,
        tables=statement.tables,
        evidence=(
            Evidence(name="mean now", value=found.level, unit="ms", source=Source.WORKLOAD),
            Evidence(name="rise a day", value=found.slope, unit="ms", source=Source.COMPUTED),
            Evidence(
                name="reaches the limit in", value=found.hours_to(limits.mean_ms), unit="h", source=Source.COMPUTED
            ),
        ),
    )


def _fell(view: View, subject: Subject, limits: WatchLimits, found: Trend) -> bool:
    """Whether the window shows that the trend is over: somebody made the index."""
    window = view.windows.get(limits.window_seconds, {}).get(subject)
    return is_counted(window, limits) and window is not None and (mean_of(window) or 0.0) < _ON_TREND * found.level


def _says(view: View, statement: Statement, limits: WatchLimits, found: Trend) -> str:
    hours = found.hours_to(limits.mean_ms)
    when = view.now + timedelta(hours=min(hours, 1e6))
    return (
        f"{name(statement)}: its mean rose from {words.number(found.first)} to {words.number(found.level)} ms in "
        f"{found.days} days; at this pace it reaches the limit of {words.number(limits.mean_ms)} ms in "
        f"{words.duration(hours * 3600)}, on {when:%d %B}"
    )
