"""Queries that read, cost or take more than the settings let them: one finding for each measure that is exceeded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from premortem.model import (
    Advice,
    Evidence,
    Finding,
    Plan,
    Planned,
    Profile,
    Query,
    QueryReport,
    RelationName,
    Remedy,
    Severity,
    Source,
)
from premortem.rules.readings import readings
from premortem.settings import Budget, Settings, Speed
from premortem.settings.places import relative

OVER_BUDGET = "over-budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Excess:
    """A measure that is over its budget; `weak` where only the middle of a prediction is."""

    measure: str
    budget: Budget
    limit: float
    value: float
    says: str
    source: Source
    table: RelationName | None = None
    parameters: str | None = None
    basis: str = ""
    weak: bool = False


def over(report: QueryReport, settings: Settings, profile: Profile) -> tuple[Finding, ...]:
    """Return the findings about what a query's plans read and cost beyond its budgets."""
    query = report.query
    if query is None or not report.planned or not settings.budgets:
        return ()
    speed = settings.speed
    path = relative(report.site.source, settings.here)
    mine = [b for b in settings.budgets if b.admits(query, path)]
    general = [b for b in mine if not b.tables]
    found = [
        _rows(report.planned, general, profile),
        _cost(report.planned, general),
        _time(query, report.planned, general, speed),
        *_of_tables(query, report.planned, [b for b in mine if b.tables], profile, speed),
    ]
    return tuple(_finding(excess, report.advice, profile) for excess in found if excess is not None)


def _last(budgets: Iterable[Budget], measure: str) -> tuple[Budget, float] | None:
    """Return the budget that decides about a measure: the last that names it."""
    named = [(b, limit) for b in budgets if (limit := getattr(b, measure)) is not None]
    return named[-1] if named else None


def _of_tables(
    query: Query, planned: Sequence[Planned], budgets: Sequence[Budget], profile: Profile, speed: Speed | None
) -> Iterator[_Excess | None]:
    """Yield what is over a table's budget; the rows are those of the table, cost and time the whole query's."""
    if not budgets:
        return
    tables = dict.fromkeys(r.relation for p in planned for r in readings(p.plan, profile))
    told: set[tuple[int, str]] = set()
    for table in tables:
        mine = [b for b in budgets if b.admits_table(table)]
        yield _rows(planned, mine, profile, table)
        for excess in (_cost(planned, mine), _time(query, planned, mine, speed)):
            if excess is not None and (excess.budget.place, excess.measure) not in told:
                told.add((excess.budget.place, excess.measure))
                yield excess


def rows_read(plan: Plan, profile: Profile) -> Mapping[RelationName, float]:
    """Return how many rows of each table one execution of a plan reads, partitions counted as their table."""
    rows: dict[RelationName, float] = {}
    for reading in readings(plan, profile):
        rows[reading.relation] = rows.get(reading.relation, 0.0) + reading.read
    return rows


def _rows_of(plan: Plan, profile: Profile, table: RelationName | None) -> float:
    read = rows_read(plan, profile)
    return sum(read.values()) if table is None else read.get(table, 0.0)


def _worst(planned: Sequence[Planned], value: Callable[[Planned], float]) -> tuple[Planned, float]:
    best = max(planned, key=value)
    return best, value(best)


def _rows(
    planned: Sequence[Planned], budgets: Sequence[Budget], profile: Profile, table: RelationName | None = None
) -> _Excess | None:
    decides = _last(budgets, "rows_read")
    if decides is None:
        return None
    budget, limit = decides
    worst, value = _worst(planned, lambda p: _rows_of(p.plan, profile, table))
    of = f" of {table.short}" if table else ""
    return _excess("rows_read", budget, limit, value, f"reads {value:,.0f} rows{of}", worst, table=table)


def _cost(planned: Sequence[Planned], budgets: Sequence[Budget]) -> _Excess | None:
    decides = _last(budgets, "cost")
    if decides is None:
        return None
    budget, limit = decides
    worst, value = _worst(planned, lambda p: p.plan.total_cost)
    return _excess("cost", budget, limit, value, f"costs {value:,.0f}", worst)


def _excess(
    measure: str,
    budget: Budget,
    limit: float,
    value: float,
    says: str,
    worst: Planned,
    table: RelationName | None = None,
) -> _Excess | None:
    if value <= limit:
        return None
    return _Excess(
        measure=measure,
        budget=budget,
        limit=limit,
        value=value,
        says=says,
        source=Source.PLAN,
        table=table,
        parameters=worst.parameters.name,
    )


def _time(query: Query, planned: Sequence[Planned], budgets: Sequence[Budget], speed: Speed | None) -> _Excess | None:
    """Return what is over a budget in milliseconds: as production measured it, else as its speed predicts."""
    decides = _last(budgets, "ms")
    if decides is None:
        return None
    budget, limit = decides
    measured = query.mean_time.total_seconds() * 1000 if query.mean_time else 0.0
    if measured > limit:
        says = f"takes {measured:,.1f} ms on average in production"
        return _Excess(measure="ms", budget=budget, limit=limit, value=measured, says=says, source=Source.WORKLOAD)
    return _predicted(planned, budget, limit, speed) if speed is not None else None


def _predicted(planned: Sequence[Planned], budget: Budget, limit: float, speed: Speed) -> _Excess | None:
    worst, cost = _worst(planned, lambda p: p.plan.total_cost)
    low, middle, high = cost * speed.low, cost * speed.median, cost * speed.high
    if middle <= limit:
        return None
    return _Excess(
        measure="ms",
        budget=budget,
        limit=limit,
        value=middle,
        says=f"is predicted to take {middle:,.1f} ms ({low:,.1f} to {high:,.1f})",
        source=Source.COMPUTED,
        parameters=worst.parameters.name,
        basis=speed.basis,
        weak=low <= limit,
    )


def _finding(excess: _Excess, advice: Sequence[Advice], profile: Profile) -> Finding:
    about = f"{excess.measure}:{excess.table.sql}" if excess.table else excess.measure
    unit = "ms" if excess.measure == "ms" else ""
    evidence = [
        Evidence(name=excess.measure, value=excess.value, unit=unit, source=excess.source),
        Evidence(name="budget", value=excess.limit, unit=unit, source=Source.SETTINGS),
    ]
    if excess.basis:
        evidence.append(Evidence(name="basis", value=excess.basis, source=Source.COMPUTED))
    allowed = f"{excess.limit:,.0f}" if excess.limit == int(excess.limit) else f"{excess.limit:,.2f}"
    return Finding(
        rule=OVER_BUDGET,
        severity=Severity.WARNING if excess.weak else Severity.ERROR,
        says=f"{excess.says}, and its budget is {allowed}{' ms' if unit else ''} (budgets[{excess.budget.place}])",
        key=f"{OVER_BUDGET}:{about}",
        table=excess.table,
        parameters=excess.parameters,
        evidence=tuple(evidence),
        remedy=Remedy(says=_advice(excess, advice, profile)),
    )


def _advice(excess: _Excess, advice: Sequence[Advice], profile: Profile) -> str:
    """Return what to do: create the proposed index where that is enough, else read less or say why not."""
    after = _after(excess, advice, profile)
    if after is not None and after <= excess.limit:
        what = "rows read" if excess.measure == "rows_read" else excess.measure
        return f"with {advice[0].name} it keeps to its budget: {what} {after:,.0f}"
    return "read less, or give it a budget of its own in the settings, or allow it with a reason"


def _after(excess: _Excess, advice: Sequence[Advice], profile: Profile) -> float | None:
    if not advice or excess.source is not Source.PLAN:
        return None
    plans = [e.after for e in advice[0].effects]
    if excess.measure == "cost":
        return max((p.total_cost for p in plans), default=None)
    return max((_rows_of(p, profile, excess.table) for p in plans), default=None)
