"""The sentences about a query's past: what it cost and costs, and with which values, so that the plans can be found."""

from __future__ import annotations

from collections.abc import Sequence

from premortem import baseline
from premortem.check.budgets import OVER_BUDGET
from premortem.check.figures import Figures
from premortem.model import Accepted, Evidence, Finding, Planned, Source

#: Parameter sets that have no values to name.
_UNNAMED = frozenset({"literal", "pasted"})
#: From this factor on, what a plan costs if nothing in it stops early is told apart from what its first line says.
_STOPS_EARLY = 1.05
#: The lock's figures have two digits.
_NO_MORE = 1.05


def near_tie(now: Figures, was: Accepted) -> str:
    """Return why a finding of an unedited query does not count: nothing that matters changed."""
    return f"nothing that matters changed since it was accepted: its plan costs {now.cost:,.0f}, then {was.cost:,.0f}"


def regressed(
    why: Sequence[str],
    changed: frozenset[str],
    costs: tuple[Figures, Accepted],
    new: Sequence[Finding],
    again: Sequence[Finding],
    *,
    is_worse: bool,
) -> str:
    """Return what happened to a query that nobody edited, now and when it was accepted."""
    now, was = costs
    parts = list(why)
    if is_worse:
        parts.append(f"its plan {times(now, was.cost)} than when it was accepted")
    elif baseline.RULES in changed:
        parts.append(_of_rules(now, was, new))
    elif again:
        parts = ["the time for which it was accepted is over"]
    return listed(parts or ["it shows what it did not show when it was accepted"])


def _of_rules(now: Figures, was: Accepted, new: Sequence[Finding]) -> str:
    """Return which settings changed: a query that reads what it read is over a budget that is new, or was higher."""
    grown = now.rows_read > _NO_MORE * was.rows_read or now.cost > _NO_MORE * was.cost
    if new and not grown and all(f.rule == OVER_BUDGET for f in new):
        return "a budget was set or lowered"
    return "the rules or their settings changed since it was accepted"


def edited(now: Figures, cost: float, before: Planned | None, *, least: float) -> str:
    """Return what an edit does to the cost; what costs less than `least` either way is not compared."""
    if max(now.cost, cost) < least:
        return "the new text costs as little as the one before"
    return f"the new text {times(now, cost, before)}"


def times(now: Figures, was: float, before: Planned | None = None) -> str:
    """Return how a cost compares, as `costs 12 times more (from 290 to 3,550 with the hot values)`.

    `before` is the plan that cost what it `was`, where it was made today.
    """
    figures = f"(from {_from(was, before, now)} to {_number(now.cost)}{_values(now.worst)}{_bet(now)})"
    if was <= 0:
        return f"costs more {figures}"
    factor = now.cost / was
    if 1 / 1.05 < factor < 1.05:
        return f"costs no more {figures}"
    shown = factor if factor > 1 else 1 / factor
    many = f"{shown:,.0f} times" if shown >= 9.5 else f"{shown:.1f} times"
    return f"costs {many} {'more' if factor > 1 else 'less'} {figures}"


def _from(was: float, before: Planned | None, now: Figures) -> str:
    other = before is not None and before.parameters.name != now.worst.parameters.name
    return f"{_number(was)}{_values(before) if before is not None and other else ''}"


def _values(planned: Planned) -> str:
    if planned.parameters.is_generic:
        return " with the generic plan"
    name = planned.parameters.name
    return "" if name in _UNNAMED else f" with the {name} values"


def _bet(now: Figures) -> str:
    """Return that a cost is not the one on the first line of its plan, and what that one is."""
    first = now.worst.plan.total_cost
    return f", where nothing stops early; {_number(first)} if it does" if now.cost > _STOPS_EARLY * first else ""


def _number(cost: float) -> str:
    return f"{cost:,.0f}" if cost >= 10 else f"{cost:.2g}"


def listed(parts: Sequence[str]) -> str:
    """Return parts of a sentence as one."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"


def then_and_now(cost: float, rows: float, now: Figures, source: Source) -> tuple[Evidence, ...]:
    """Return the figures of a query, then and now."""
    return (
        Evidence(name="cost then", value=cost, source=source),
        Evidence.plan("cost now", now.cost),
        Evidence(name="rows read then", value=rows, unit="rows", source=source),
        Evidence.plan("rows read now", now.rows_read, "rows"),
    )
