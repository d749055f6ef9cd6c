"""Which findings an index cures, and what becomes of those that it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from premortem.check import proof
from premortem.check.merge import Sighting
from premortem.model import Advice, Effect, Evidence, Finding, IndexCandidate, IndexKey, Proof, Remedy, Severity
from tests.check.values import finding, name, node, planned

PLAN = planned("x", node("Seq Scan", 10, "items")).plan
CANDIDATE = IndexCandidate(table=name("items"), keys=(IndexKey(column="sku"),))


def effect(set_name: str, before: float, after: float, worst: tuple[float, float] | None = None) -> Effect:
    before_worst, after_worst = worst or (before, after)
    return Effect(
        parameters=set_name,
        before=PLAN,
        after=PLAN,
        before_cost=before,
        after_cost=after,
        before_worst=before_worst,
        after_worst=after_worst,
    )


def advice(*effects: Effect, index: str = "items_sku_idx", candidate: IndexCandidate = CANDIDATE) -> Advice:
    return Advice(candidate=candidate, name=index, effects=effects, size_bytes=1, build_seconds=1.0, write_cost="")


def seen(set_name: str, found: Finding | None = None) -> Sighting:
    return Sighting(finding=found or finding(), planned=planned(set_name, node("Seq Scan", 10, "items")), worst_cost=10)


def by_name(*effects: Effect) -> dict[str, Effect]:
    return {e.parameters: e for e in effects}


def test_a_finding_that_is_gone_is_cured_whatever_the_cost() -> None:
    assert proof.cured_sets([seen("hot")], [], by_name(effect("hot", 10, 9))) == {"hot"}


def test_a_finding_that_stays_is_cured_where_the_cost_is_halved() -> None:
    effects = by_name(effect("hot", 100, 60), effect("rare", 100, 40))
    both = [seen("hot"), seen("rare")]
    assert proof.cured_sets(both, both, effects) == {"rare"}


def test_without_an_effect_nothing_is_cured() -> None:
    assert proof.cured_sets([seen("hot")], [], {}) == frozenset()


def test_what_no_index_is_known_to_cure_is_not_cured_by_a_cheaper_plan() -> None:
    effects = by_name(effect("hot", 1000, 10))
    assert proof.cured_sets([seen("hot")], [seen("hot")], effects, by_cost=False) == frozenset()
    assert proof.cured_sets([seen("hot")], [], effects, by_cost=False) == {"hot"}


def test_the_most_usual_set_that_gains_much_tells_it() -> None:
    effects = by_name(effect("hot", 100, 90), effect("typical", 100, 10), effect("absent", 100, 1))
    group = [seen("hot"), seen("typical"), seen("absent")]
    told = proof.with_remedy(group, frozenset(effects), [advice(*effects.values())], effects)
    assert told.parameters == "typical"
    assert told.remedy is not None
    assert (told.remedy.before_cost, told.remedy.after_cost) == (100, 10)
    assert told.remedy.proof is Proof.LIKELY
    assert told.remedy.undo == ("DROP INDEX CONCURRENTLY IF EXISTS public.items_sku_idx;",)


def test_costs_without_early_stops_are_shown_where_only_they_show_it() -> None:
    stops_early = effect("rare", 9.9, 8.0, worst=(43_000.0, 8.0))
    told = proof.with_remedy([seen("rare")], frozenset({"rare"}), [advice(stops_early)], by_name(stops_early))
    assert told.remedy is not None
    assert (told.remedy.before_cost, told.remedy.after_cost) == (43_000.0, 8.0)


def test_the_index_on_the_findings_own_table_is_its_remedy() -> None:
    one = effect("hot", 100, 1)
    other = replace(CANDIDATE, table=name("orders"))
    both = [advice(one), advice(one, index="orders_sku_idx", candidate=other)]
    told = proof.with_remedy([seen("hot")], frozenset({"hot"}), both, by_name(one))
    assert told.remedy is not None
    assert len(told.remedy.sql) == 1
    assert "ON public.items" in told.remedy.sql[0]
    elsewhere = finding(relation="customers")
    told = proof.with_remedy([seen("hot", elsewhere)], frozenset({"hot"}), both, by_name(one))
    assert told.remedy is not None
    assert len(told.remedy.sql) == 2


def test_the_rewrite_that_a_rule_advises_is_kept_beside_the_index() -> None:
    one = effect("hot", 100, 1)
    rewrite = replace(finding(), remedy=Remedy(says="compare the bare column"))
    told = proof.with_remedy([seen("hot", rewrite)], frozenset({"hot"}), [advice(one)], by_name(one))
    assert told.remedy is not None
    assert told.remedy.says == "compare the bare column"
    assert told.remedy.sql


def test_what_no_index_helps_is_information_with_the_reason() -> None:
    told = proof.without_remedy([seen("hot")], "it wants most of the table.")
    assert told.severity is Severity.INFO
    assert told.says.endswith("no index helps: it wants most of the table")


def test_an_index_that_no_rule_asked_for_is_an_error_of_its_own() -> None:
    found = proof.missing_index(
        advice(effect("hot", 10, 9), effect("rare", 5000, 8)), [planned("rare", node("Seq Scan", 5000, "items"))]
    )
    assert (found.rule, found.severity, found.parameters) == ("missing-index", Severity.ERROR, "rare")
    assert found.says == "costs 5,000 without an index on items (sku) and 8 with it"
    assert found.node == ()
    assert found.key == "missing-index:public.items:sku"
    assert Evidence.plan("cost with the index", 8) in found.evidence


@pytest.mark.parametrize(
    ("before", "fixed", "after"),
    [
        ([Severity.WARNING], set(), [Severity.ERROR]),
        ([Severity.WARNING, Severity.ERROR], set(), [Severity.WARNING, Severity.ERROR]),
        ([Severity.WARNING], {"seq-scan-discards-rows"}, [Severity.WARNING]),
    ],
)
def test_a_warning_that_an_index_cures_fails_unless_the_settings_say_otherwise(
    before: list[Severity], fixed: set[str], after: list[Severity]
) -> None:
    cure = Remedy(sql=("CREATE INDEX …;",), proof=Proof.LIKELY)
    findings = [replace(finding(severity=s, key=str(n)), remedy=cure) for n, s in enumerate(before)]
    assert [f.severity for f in proof.promoted(findings, frozenset(fixed))] == after


def test_a_warning_with_mere_advice_stays_a_warning() -> None:
    advised = replace(finding(severity=Severity.WARNING), remedy=Remedy(says="rewrite it"))
    assert proof.promoted([advised], frozenset()) == (advised,)


def test_a_missing_index_whose_gain_no_plan_shows_says_when_it_is_paid() -> None:
    found = proof.missing_index(advice(effect("hot", 4.67, 1.1, worst=(1167, 1.17))), [])
    assert found.says.endswith("when no row stops it early")


def test_beside_an_index_that_helps_it_is_not_said_that_none_does() -> None:
    assert proof.unhelped("reads much", proof.NO_MORE) == "reads much; no further index helps"
