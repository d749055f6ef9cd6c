"""Every payload is one that its channel takes, whatever stands in queries, plans, names and deploys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from premortem.model import (
    Action,
    Alert,
    AlertChange,
    AlertKind,
    Cause,
    Deploy,
    Diagnosis,
    Evidence,
    Gap,
    RelationName,
    Source,
    Statement,
    Suspect,
    Turn,
    Urgency,
)
from premortem.notify import Digest, Message, alertmanager, details, message, pagerduty, slack, text, webhook
from tests.notify import schemas
from tests.notify.incidents import AT, FIRST_SEED, MANY, PENDING, SECOND_SEED, SIX_WEEKS_AGO, cases, change, closed

KEY = "R0" + "x" * 30
NOW = AT + timedelta(minutes=1)


def problems(said: Message) -> dict[str, list[str]]:
    """Return what each channel would find fault with; none where nothing is wrong."""
    body = slack.payload(said)
    found = {
        "slack": [*schemas.mistakes(body, schemas.SLACK), *_slack_says(body)],
        "slack, plain": schemas.mistakes(slack.plain_payload(said), schemas.SLACK),
        "pagerduty": _pagerduty_says(pagerduty.payload(said, KEY)),
        "pagerduty, bare": _pagerduty_says(pagerduty.bare_payload(said, KEY)),
        "alertmanager": schemas.mistakes(alertmanager.payload(said, NOW), schemas.ALERTMANAGER),
        "webhook": _cloudevents_says(webhook.payload(said)),
        "text": [] if len(text.body(said)) <= text.MOST_BODY and "\n" not in text.subject(said) else ["too long"],
    }
    return {channel: those for channel, those in found.items() if those}


def _slack_says(body: dict[str, Any]) -> list[str]:
    """Ask Slack's own SDK, which checks lengths, and add what it does not know: the limit of a whole message."""
    for block in body["blocks"]:
        made = Block.parse(block)
        assert made is not None
        made.validate_json()
    size = len(json.dumps(body, ensure_ascii=False))
    return [] if size <= 13_000 else [f"{size} characters in all"]


def _pagerduty_says(body: bytes) -> list[str]:
    found = schemas.mistakes(json.loads(body), schemas.PAGERDUTY)
    return found if len(body) <= 512_000 else [*found, f"{len(body)} bytes"]


def _cloudevents_says(body: bytes) -> list[str]:
    event = JSONFormat().read(CloudEvent, body)  # raises where the SDK finds fault
    assert event.get_specversion() == "1.0"
    return schemas.mistakes(json.loads(body), schemas.CLOUDEVENT)


@pytest.mark.parametrize("name", sorted(cases()))
def test_every_case_is_taken(name: str) -> None:
    found = problems(message(cases()[name], link="https://pm.example/{key}"))
    assert found == {}


NASTY = (
    "",
    "@channel @here <!here> <!channel|x> <@U123ABC> <#C1|general> @everyone <@&456>",
    "*bold* _it_ ~gone~ `code` ```\nfence\n``` > quote",
    "<script>alert(1)</script><img src=x onerror=alert(1)>&lt;&amp;",
    "\x1b[31mred\x1b[0m\x00\x07\x08 \u202eevil\u202c \ud800 \u2028 \ufeff",
    "[a](javascript:alert(1)) ![x](http://evil/x.png) http://evil.example/ |||",
    "🔥" * 1600,
    "&<>" * 1100,
    "a" * 20_500,
    "`" * 3100,
    "\n" * 900,
    "表名" * 500,
)
hostile = st.one_of(st.sampled_from(NASTY), st.text(max_size=200))


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    """An alert in which every text is hostile, as is every number."""
    figure = st.floats(allow_nan=True, allow_infinity=True)
    relation = st.builds(RelationName, schema=hostile, name=hostile)
    deploy = st.builds(
        Deploy,
        service=hostile,
        revision=hostile,
        at=st.just(AT),
        author=hostile,
        url=st.one_of(hostile, st.just("https://git.example/1")),
        says=hostile,
    )
    evidence = st.builds(
        Evidence, name=hostile, value=st.one_of(figure, hostile), unit=hostile, source=st.sampled_from(Source)
    )
    texts = st.lists(hostile, max_size=8).map(tuple)
    diagnosis = st.builds(
        Diagnosis,
        cause=st.sampled_from(Cause),
        says=hostile,
        confidence=st.floats(0, 1),
        table=st.one_of(st.none(), relation),
        index=hostile,
        first_seen=st.sampled_from((None, AT - timedelta(days=42))),
        suspects=st.lists(st.builds(Suspect, deploy=deploy, basis=hostile, confidence=st.floats(0, 1)), max_size=4).map(
            tuple
        ),
        nothing_shipped=hostile,
        actions=st.lists(
            st.builds(Action, says=hostile, sql=texts, undo=texts, command=hostile, proof=hostile), max_size=9
        ).map(tuple),
        evidence=st.lists(evidence, max_size=30).map(tuple),
        plan=hostile,
        plan_basis=hostile,
        gaps=st.lists(st.builds(Gap, subject=hostile, says=hostile), max_size=20).map(tuple),
    )
    kind = draw(st.sampled_from(AlertKind))
    return Alert(
        key=FIRST_SEED.key,
        kind=kind,
        instance=draw(hostile.filter(lambda name: name[:200].strip())),
        database=draw(hostile),
        subject=draw(hostile),
        says=draw(hostile),
        urgency=draw(st.sampled_from(Urgency)),
        opened_at=AT,
        changed_at=AT,
        value=draw(figure),
        limit=draw(figure),
        unit=draw(st.sampled_from(("ms", "s", "share", "%", "", "<!here>"))),
        worst=draw(figure),
        statement=draw(
            st.one_of(
                st.none(),
                st.builds(
                    Statement,
                    fingerprint=st.just("f"),
                    text=hostile,
                    database=hostile,
                    tables=st.lists(relation, max_size=3).map(tuple),
                ),
            )
        ),
        window=FIRST_SEED.window,
        evidence=tuple(draw(st.lists(evidence, max_size=4))),
        diagnosis=draw(st.one_of(st.none(), diagnosis)),
        services=tuple(draw(st.lists(hostile, max_size=3))),
        owners=tuple(draw(st.lists(hostile, max_size=3))),
    )


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@settings(max_examples=25, deadline=None)
@given(alert=alerts(), turn=st.sampled_from(Turn))
def test_nothing_hostile_makes_a_payload_that_is_refused(alert: Alert, turn: Turn) -> None:
    ended = replace(alert, closed_at=AT + timedelta(minutes=1)) if turn is Turn.CLOSED else alert
    said = message(AlertChange(turn=turn, alert=ended, at=NOW), link="https://pm.example/{key}/{instance}")
    found = problems(said)
    assert found == {}
    assert not calls_somebody(said)


_MENTION = re.compile(r"@(channel|here|everyone|group|all)\b|<[@!#][&!]?\w+(?:[|^][^>\n]*)?>", re.IGNORECASE)


def calls_somebody(said: Message) -> bool:
    """Whether a chat system would find a mention in what it is sent."""
    shown = [text.subject(said), text.body(said), json.dumps(slack.payload(said), ensure_ascii=False)]
    return any(_MENTION.search(one) for one in shown)


def test_the_check_for_mentions_finds_one() -> None:
    assert _MENTION.search("go @here now")
    assert _MENTION.search("<!channel|x>")
    assert _MENTION.search("<@U1>")
    assert not _MENTION.search("tags <@ $1")


def test_a_statement_of_a_megabyte_is_cut_where_it_is_shown() -> None:
    assert FIRST_SEED.statement is not None
    long = replace(FIRST_SEED.statement, text="select '" + "x" * 1_000_000 + "'")
    said = message(change(Turn.OPENED, replace(FIRST_SEED, statement=long)))
    assert problems(said) == {}
    assert "CREATE INDEX CONCURRENTLY" in json.dumps(slack.payload(said))
    event = json.loads(pagerduty.payload(said, KEY))
    assert event["payload"]["custom_details"]["diagnosis"]["table"] == "order_items"
    assert event["payload"]["custom_details"]["statement"]["text"].endswith("…")


def test_much_that_is_long_is_cut_before_anything_is_dropped() -> None:
    assert FIRST_SEED.diagnosis is not None
    actions = tuple(replace(FIRST_SEED.diagnosis.actions[0], sql=("x" * 300_000,)) for _ in range(6))
    heavy = replace(FIRST_SEED, diagnosis=replace(FIRST_SEED.diagnosis, actions=actions, plan="y" * 900_000))
    body = pagerduty.payload(message(change(Turn.OPENED, heavy)), KEY)
    assert len(body) <= pagerduty.MOST_BYTES
    content = json.loads(body)["payload"]["custom_details"]["diagnosis"]
    assert len(content["actions"]) == 6
    assert content["index"] == "order_items_product_sku_status_idx"


def test_pagerduty_opens_and_resolves_under_one_key() -> None:
    opened = json.loads(pagerduty.payload(message(change(Turn.OPENED, FIRST_SEED)), KEY))
    found = json.loads(pagerduty.payload(message(change(Turn.DIAGNOSED, FIRST_SEED)), KEY))
    ended = json.loads(pagerduty.payload(message(closed(FIRST_SEED)), KEY))
    assert [one["event_action"] for one in (opened, found, ended)] == ["trigger", "trigger", "resolve"]
    assert {one["dedup_key"] for one in (opened, found, ended)} == {FIRST_SEED.key}
    payload = opened["payload"]
    assert (payload["severity"], payload["class"], payload["component"]) == ("critical", "missing-index", "order_items")
    assert "order-api 9f2b7c1d" in payload["summary"]


def test_a_deploy_is_a_change_event() -> None:
    body = json.loads(pagerduty.change_payload(SIX_WEEKS_AGO, KEY))
    assert schemas.mistakes(body, schemas.PAGERDUTY_CHANGE) == []
    assert body["payload"]["summary"] == "order-api 9f2b7c1d was deployed by dana"
    assert schemas.mistakes(json.loads(webhook.deploy_payload(SIX_WEEKS_AGO, "d-1")), schemas.CLOUDEVENT) == []
    assert schemas.mistakes(slack.deploy_payload(SIX_WEEKS_AGO), schemas.SLACK) == []


@given(service=hostile, revision=hostile, author=hostile)
@settings(max_examples=15, deadline=None)
def test_a_hostile_deploy_is_taken(service: str, revision: str, author: str) -> None:
    deploy = replace(SIX_WEEKS_AGO, service=service, revision=revision, author=author)
    assert schemas.mistakes(json.loads(pagerduty.change_payload(deploy, KEY)), schemas.PAGERDUTY_CHANGE) == []
    assert schemas.mistakes(json.loads(webhook.deploy_payload(deploy, "d-1")), schemas.CLOUDEVENT) == []
    assert schemas.mistakes(slack.deploy_payload(deploy), schemas.SLACK) == []


def test_a_digest_is_taken_whatever_its_length() -> None:
    some = tuple(message(one) for one in cases().values()) * 4
    digest = Digest(id="digest-1", at=AT, most_per_hour=30, messages=some)
    assert schemas.mistakes(slack.digest_payload(digest), schemas.SLACK) == []
    assert _pagerduty_says(pagerduty.digest_payload(digest, KEY)) == []
    assert _cloudevents_says(webhook.digest_payload(digest)) == []
    shown = json.dumps(slack.digest_payload(digest))
    assert "more alert" in shown
    assert len(shown) < 16_000


def test_an_alert_of_alertmanager_is_the_same_until_it_ends() -> None:
    one = alertmanager.payload(message(change(Turn.OPENED, FIRST_SEED)), NOW)[0]
    later = alertmanager.again([replace(FIRST_SEED, value=9_000.0, diagnosis=None)], NOW + timedelta(minutes=1))[0]
    ended = alertmanager.payload(message(closed(FIRST_SEED)), NOW + timedelta(hours=1))[0]
    assert isinstance(one, dict)
    assert isinstance(later, dict)
    assert isinstance(ended, dict)
    assert one["labels"] == later["labels"] == ended["labels"]
    assert one["labels"] == {
        "alertname": "PremortemSlowQuery",
        "severity": "critical",
        "instance": "db-1",
        "datname": "shop",
        "fingerprint": "a3f1c09be2d47781",
        "service": "order-api",
    }
    assert str(one["endsAt"]) > NOW.isoformat()
    assert str(ended["endsAt"]) <= (NOW + timedelta(hours=1)).isoformat()


def test_an_alert_that_opened_on_what_still_runs_stays_the_same() -> None:
    counted = replace(SECOND_SEED, kind=AlertKind.SLOW, provisional=False)
    assert alertmanager.labels(SECOND_SEED) == alertmanager.labels(counted)
    assert PENDING.fingerprint == alertmanager.labels(counted)["fingerprint"]


def test_an_alert_of_many_stays_the_same_when_another_is_the_worst() -> None:
    other = replace(MANY, statement=PENDING)
    assert alertmanager.labels(MANY) == alertmanager.labels(other)


def test_a_ticket_that_becomes_a_page_ends_as_a_ticket() -> None:
    page, ticket = alertmanager.payload(message(change(Turn.WORSE, FIRST_SEED, after=timedelta(minutes=9))), NOW)
    assert isinstance(page, dict)
    assert isinstance(ticket, dict)
    assert (page["labels"] or {})["severity"] == "critical"  # type: ignore[index,call-overload]
    assert (ticket["labels"] or {})["severity"] == "warning"  # type: ignore[index,call-overload]
    assert str(ticket["endsAt"]) < NOW.isoformat() < str(page["endsAt"])


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The vector of https://github.com/standard-webhooks/standard-webhooks, and the same made anew."""
    at = datetime.fromtimestamp(1614265330, UTC)
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed = webhook.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}', secret)
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    plain = webhook.signature("id", at, b"body", "not base64 at all")
    mine = hmac.new(b"not base64 at all", b"id.1614265330.body", hashlib.sha256).digest()
    assert plain["webhook-signature"] == "v1," + base64.b64encode(mine).decode()


def test_json_has_no_word_for_what_is_no_number() -> None:
    odd = replace(FIRST_SEED, value=float("nan"), worst=float("inf"), limit=float("-inf"))
    body = details.fitted(lambda fit: fit, details.details(message(change(Turn.OPENED, odd))), 400_000)
    found = json.loads(body)
    assert (found["value"], found["worst"], found["limit"]) == (None, None, None)


def test_the_first_event_that_a_receiver_gets_of_an_alert_is_that_it_opened() -> None:
    opened, worse = change(Turn.OPENED, FIRST_SEED), change(Turn.WORSE, FIRST_SEED)
    joined = json.loads(webhook.payload(message(worse, earlier=(opened,))))
    assert (joined["type"], joined["data"]["stage"], joined["id"]) == ("premortem.alert.opened", "opened", worse.id)
    past = json.loads(webhook.payload(message(closed(FIRST_SEED), earlier=(opened,))))
    assert (past["type"], past["data"]["stage"]) == ("premortem.alert.closed", "past")


def test_a_process_is_no_quantity_and_a_lock_is_called_by_its_holder() -> None:
    said = message(change(Turn.OPENED, cases()["blocked-sessions-opened"].alert))
    assert ("Pid that blocks", "932 (measured)") in [(one.name, one.value) for one in said.facts]
    assert said.title.startswith("7 sessions wait 41 s for the lock of migrate")
    assert json.loads(pagerduty.payload(said, "k" * 32))["payload"]["component"] == "migrate"
