"""One finding for one thing, however many parameter sets show it."""

from __future__ import annotations

from dataclasses import replace

from premortem.check.merge import Sighting, by_key, merged
from premortem.model import Finding, Severity
from tests.check.values import finding, node, planned


def sighting(set_name: str, cost: float, found: Finding | None = None) -> Sighting:
    return Sighting(
        finding=found or finding(), planned=planned(set_name, node("Seq Scan", cost, "items")), worst_cost=cost
    )


def test_the_dearest_parameter_set_tells_it() -> None:
    told = merged([sighting("hot", 10), sighting("rare", 1000), sighting("absent", 100)])
    assert told.parameters == "rare"
    assert told.evidence[-1].value == "hot, rare, absent"


def test_real_values_tell_it_before_the_generic_plan() -> None:
    assert merged([sighting("hot", 10), sighting("generic", 1000)]).parameters == "hot"


def test_severity_counts_more_than_cost() -> None:
    warned = replace(finding(), severity=Severity.WARNING)
    assert merged([sighting("hot", 10), sighting("rare", 1000, warned)]).parameters == "hot"


def test_a_finding_of_one_set_names_no_others() -> None:
    assert merged([sighting("literal", 10)]).evidence == ()


def test_different_things_stay_apart() -> None:
    other = finding(key="another")
    assert list(by_key([sighting("hot", 1), sighting("hot", 1, other), sighting("rare", 1)])) == [
        finding().key,
        "another",
    ]
