"""The sentences about costs name the values whose plan is shown, and compare nothing that costs next to nothing."""

from __future__ import annotations

from premortem.check import telling
from premortem.check.figures import Figures
from premortem.model import ParameterSet, Plan, Planned
from premortem.plans import parse_json


def plan(cost: float) -> Plan:
    return parse_json([{"Plan": {"Node Type": "Result", "Total Cost": cost, "Plan Rows": 1.0, "Startup Cost": 0.0}}])


def planned(name: str, cost: float) -> Planned:
    return Planned(parameters=ParameterSet(name=name), plan=plan(cost))


def figures(name: str, cost: float, first: float | None = None) -> Figures:
    return Figures(cost=cost, rows_read=1.0, worst=planned(name, cost if first is None else first))


def test_the_values_are_named() -> None:
    assert (
        telling.times(figures("hot", 18_767), 12, planned("hot", 12))
        == "costs 1,564 times more (from 12 to 18,767 with the hot values)"
    )
    assert "from 12 with the rare values to 18,767 with the hot values" in telling.times(
        figures("hot", 18_767), 12, planned("rare", 12)
    )
    assert telling.times(figures("literal", 30), 15) == "costs 2.0 times more (from 15 to 30)"
    assert "with the generic plan" in telling.times(figures("generic", 30), 15)


def test_a_cost_that_is_not_on_the_plans_first_line_is_told_apart() -> None:
    said = telling.times(figures("rare", 18_767, first=12.2), 6)
    assert "to 18,767 with the rare values, where nothing stops early; 12 if it does" in said


def test_what_costs_next_to_nothing_is_not_compared() -> None:
    said = telling.edited(figures("hot", 0.9), 0.4, planned("hot", 0.4), least=1_000)
    assert said == "the new text costs as little as the one before"
    assert "from 0.4 to 3,000" in telling.edited(figures("hot", 3_000), 0.4, planned("hot", 0.4), least=1_000)
