"""What a twin makes of the statement: its plans for several sets of values, the findings, the index that cures it.

Nothing is tried on the live server.  The twin is built of the few relations that the statement needs, as they are now.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from premortem import advisor, check, twin
from premortem.check.patience import Exhausted
from premortem.diagnosis.deadline import Deadline
from premortem.errors import PremortemError, ServerTimeout
from premortem.model import (
    Gap,
    IndexCandidate,
    ParameterSet,
    Plan,
    Planned,
    Profile,
    Query,
    QueryReport,
    RelationName,
)
from premortem.settings import Settings

#: A twin is built in less; when there is less time left it is not begun.
_LEAST_SECONDS = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the twin said: the report of the statement, the types of its parameters, and what was not found out."""

    report: QueryReport | None = None
    types: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()


def judged(query: Query, profile: Profile, settings: Settings, deadline: Deadline) -> Judged:
    """Return what a twin of the profile says of the query, or the gap that says why there is no answer."""
    if not profile.tables:
        return Judged(gaps=(_untried("none of its tables is in the profile"),))
    if deadline.left < _LEAST_SECONDS:
        return Judged(gaps=(_untried("the time was over before it was asked"),))
    try:
        with twin.briefly(profile) as opened:
            return _asked(query, opened, settings, deadline)
    except PremortemError as error:
        return Judged(gaps=(_untried(error.message, error.hint or ""),))


def _asked(query: Query, opened: twin.Twin, settings: Settings, deadline: Deadline) -> Judged:
    types: tuple[str, ...] = ()
    with contextlib.suppress(PremortemError):  # the report says why the query cannot be prepared
        types = opened.parameter_types(query)
    planner = hurried(
        check.Planner(explain=opened.explain, parameter_types=opened.parameter_types, replanner=opened.replanner),
        deadline,
    )
    report = check.run(query, planner=planner, profile=opened.profile, settings=settings)
    gaps = (*opened.gaps, *(_OUT_OF_TIME if gap.subject == "indexes" else gap for gap in report.gaps))
    if report.error is not None:
        gaps = (*gaps, _untried(report.error, report.hint or ""))
    return Judged(report=report, types=types, gaps=gaps)


def hurried(planner: check.Planner, deadline: Deadline) -> check.Planner:
    """Return the planner with a deadline: fewer sets of values when time runs short, and an end when it is over."""

    def choose(query: Query, plan: Plan, types: tuple[str, ...], profile: Profile) -> tuple[ParameterSet, ...]:
        found = planner.choose(query, plan, types, profile)
        return found if deadline.left > 1.0 else found[:2]

    def explain(query: Query, chosen: ParameterSet) -> Planned:
        _in_time(deadline)
        return planner.explain(query, chosen)

    def replanner(query: Query, sets: Sequence[ParameterSet]) -> advisor.Replan:
        replan = planner.replanner(query, sets)

        def in_time(candidates: Sequence[IndexCandidate], without: Sequence[RelationName] = ()) -> tuple[Planned, ...]:
            if deadline.left <= 0:
                raise Exhausted  # the findings stay, and it is said that no index was tried
            return replan(candidates, without)

        return in_time

    return check.Planner(explain=explain, parameter_types=planner.parameter_types, replanner=replanner, choose=choose)


def _in_time(deadline: Deadline) -> None:
    if deadline.left <= 0:
        raise ServerTimeout("the time of the diagnosis was over before the twin had answered")


#: A check has a minute for that, and says so.
_OUT_OF_TIME = Gap(
    subject="indexes",
    says="The time of the diagnosis was over before an index was found.",
    effect="There may be one that cures it.",
    cure="premortem diagnose --budget 60",
)


def _untried(why: str, cure: str = "") -> Gap:
    return Gap(
        subject="twin",
        says=f"No index was tried: {why}.",
        effect="The cause is read from the live server alone.",
        cure=cure,
    )
