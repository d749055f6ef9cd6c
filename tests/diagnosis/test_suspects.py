"""Which deploy brought a statement: the last before it was first seen, unless its comment says better."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from premortem.diagnosis import suspects
from premortem.model import Deploy

ALERT = datetime(2026, 11, 22, 14, 32, tzinfo=UTC)


def shipped(ago: timedelta, revision: str = "a7c3dbe", service: str = "shop", **more: str) -> Deploy:
    return Deploy(service=service, revision=revision, at=ALERT - ago, **more)


def test_the_first_incident_a_deploy_of_six_weeks_ago_and_not_the_newest() -> None:
    ledger = [
        shipped(timedelta(weeks=7), "0000001"),
        shipped(timedelta(weeks=6, minutes=4), "a7c3dbe"),
        shipped(timedelta(weeks=2), "0000003"),
        shipped(timedelta(hours=1), "0000004"),
    ]
    found = suspects(ALERT - timedelta(weeks=6), ledger)
    assert [s.deploy.revision for s in found] == ["a7c3dbe"]
    assert found[0].confidence == 0.9
    assert found[0].basis == "the statement was first seen 4 min after it"


def test_the_second_incident_a_deploy_of_minutes_ago() -> None:
    found = suspects(ALERT - timedelta(minutes=3), [shipped(timedelta(minutes=5)), shipped(timedelta(days=3), "old")])
    assert [s.deploy.revision for s in found] == ["a7c3dbe"]


def test_the_release_that_the_statement_names_wins_over_a_nearer_one() -> None:
    ledger = [shipped(timedelta(days=2), "a7c3dbe5901f"), shipped(timedelta(days=1), "bbbbbbb")]
    found = suspects(ALERT - timedelta(hours=23), ledger, tags={"revision": "a7c3dbe"})
    assert [(s.deploy.revision, s.confidence) for s in found] == [("a7c3dbe5901f", 0.98)]
    assert "own comment" in found[0].basis


def test_a_release_that_is_newer_than_the_statement_did_not_bring_it() -> None:
    """pg_stat_statements notes a text down anew after an eviction, and with it the release of that day."""
    ledger = [shipped(timedelta(days=30), "first00"), shipped(timedelta(hours=2), "newest0")]
    found = suspects(ALERT - timedelta(days=30, minutes=-10), ledger, tags={"revision": "newest0"})
    assert [s.deploy.revision for s in found] == ["first00"]


def test_other_services_and_other_environments_are_no_suspects() -> None:
    ledger = [
        shipped(timedelta(hours=2), "staging", environment="eu-staging"),
        shipped(timedelta(hours=3), "billing", service="billing"),
        shipped(timedelta(hours=4), "shop", environment="production"),
    ]
    assert [s.deploy.revision for s in suspects(ALERT - timedelta(hours=1), ledger, ["Shop"])] == ["shop"]


def test_without_a_list_of_services_the_comment_says_whose_statement_it_is() -> None:
    ledger = [shipped(timedelta(hours=2), "b", service="billing"), shipped(timedelta(hours=3), "s")]
    found = suspects(ALERT - timedelta(hours=1), ledger, tags={"application": "shop"})
    assert [s.deploy.revision for s in found] == ["s"]


def test_the_last_deploy_of_each_service_is_named_the_nearest_first() -> None:
    ledger = [
        shipped(timedelta(hours=9), "s"),
        shipped(timedelta(hours=1, minutes=5), "b", service="billing"),
        shipped(timedelta(hours=3), "c", service="cron"),
    ]
    found = suspects(ALERT - timedelta(hours=1), ledger)
    assert [s.deploy.revision for s in found] == ["b", "c", "s"]
    assert [s.confidence for s in found] == sorted((s.confidence for s in found), reverse=True)


def test_a_statement_that_was_there_when_watching_began_accuses_nobody_loudly() -> None:
    (found,) = suspects(ALERT - timedelta(days=1), [shipped(timedelta(days=1, minutes=2))], appeared=False)
    assert found.confidence < 0.5
    assert "was there when watching began" in found.basis


def test_a_deploy_that_was_recorded_when_it_ended_still_counts() -> None:
    (found,) = suspects(ALERT, [shipped(timedelta(minutes=-2))])
    assert found.basis == "the statement was first seen at that moment"


def test_nobody_is_accused_without_a_first_seen_and_without_a_comment() -> None:
    assert suspects(None, [shipped(timedelta(hours=1))]) == ()


deploys = st.builds(
    shipped,
    st.timedeltas(min_value=timedelta(days=-1), max_value=timedelta(days=90)),
    st.sampled_from(["a7c3dbe", "b7c3dbe", "v12"]),
    st.sampled_from(["shop", "billing", ""]),
)


@given(st.lists(deploys, max_size=12), st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=60)))
def test_a_suspect_never_came_after_what_it_is_accused_of(ledger: list[Deploy], ago: timedelta) -> None:
    first = ALERT - ago
    found = suspects(first, ledger)
    assert all(s.deploy.at <= first + timedelta(minutes=5) for s in found)
    assert all(0 < s.confidence <= 1 for s in found)
    for suspect in found:
        between = [d for d in ledger if d.service == suspect.deploy.service and suspect.deploy.at < d.at <= first]
        assert between == []
