"""HTTP to channels, against a real server: what an answer means, and that nothing secret is ever said."""

from __future__ import annotations

import io
import json
import logging
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from premortem.errors import SettingsError
from premortem.model import Turn
from premortem.notify import Outcome, Postman, Sender, Verdict, message, sender, try_out
from premortem.settings import Channel
from tests.notify import schemas
from tests.notify.incidents import AT, FIRST_SEED, SIX_WEEKS_AGO, change, closed
from tests.notify.outbox import Memory
from tests.notify.sink import Reply, Sink

PATH = "/services/T0SECRET/B0SECRET/abcdefghSECRET"
TOKEN = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0"
PATIENT = 60.0  # seconds: a busy machine may take its time to answer
ROUTING = "R0SECRETSECRETSECRETSECRETSECRET"


def slack(sink: Sink, seconds: float = PATIENT, **others: object) -> Sender:
    return sender(Channel(name="ops", kind="slack", timeout_seconds=seconds, **others), url=sink.url + PATH)  # type: ignore[arg-type]


def every(sink: Sink) -> dict[str, Sender]:
    host = sink.url.removeprefix("http://")
    return {
        "slack": slack(sink),
        "pagerduty": sender(Channel(name="pd", kind="pagerduty", timeout_seconds=PATIENT), url=sink.url, token=ROUTING),
        "alertmanager": sender(
            Channel(name="am", kind="alertmanager", timeout_seconds=PATIENT), url=f"http://me:passSECRETword@{host}"
        ),
        "webhook": sender(
            Channel(name="hook", kind="webhook", timeout_seconds=PATIENT),
            url=sink.url + "/in?key=SECRETkey",
            token=TOKEN,
        ),
        "apprise": sender(
            Channel(name="mail", kind="apprise", timeout_seconds=PATIENT),
            url=f"json://me:passSECRETword@{host}/SECRETpath",
        ),
    }


def told(one: Sender) -> Outcome:
    return one.send(message(change(Turn.OPENED, FIRST_SEED)), AT)


@pytest.mark.parametrize(
    ("reply", "verdict", "after"),
    [
        (Reply(status=200), Verdict.DONE, None),
        (Reply(status=202), Verdict.DONE, None),
        (Reply(status=429, headers={"Retry-After": "30"}), Verdict.LATER, 30.0),
        (Reply(status=429, headers={"Retry-After": "99999999"}), Verdict.LATER, 3600.0),
        (Reply(status=429, headers={"Retry-After": "Tue, 24 Mar 2026 14:38:12 GMT"}), Verdict.LATER, 60.0),
        (Reply(status=429), Verdict.LATER, None),
        (Reply(status=503, headers={"Retry-After": "nonsense"}), Verdict.LATER, None),
        (Reply(status=500), Verdict.LATER, None),
        (Reply(status=408), Verdict.LATER, None),
        (Reply(status=401), Verdict.NEVER, None),
        (Reply(status=403), Verdict.NEVER, None),
        (Reply(status=404, text="no_service"), Verdict.NEVER, None),
        (Reply(status=410), Verdict.NEVER, None),
        (Reply(status=413), Verdict.NEVER, None),
        (Reply(status=302, headers={"Location": "http://127.0.0.1:1/elsewhere"}), Verdict.NEVER, None),
        (Reply(breaks=True), Verdict.LATER, None),
        (Reply(silence=30), Verdict.LATER, None),
    ],
)
def test_what_an_answer_means(sink: Sink, reply: Reply, verdict: Verdict, after: float | None) -> None:
    sink.usual = reply
    outcome = told(slack(sink, 0.5 if reply.silence else PATIENT))
    assert outcome.verdict is verdict
    assert outcome.after == (None if after is None else timedelta(seconds=after))
    assert len(sink.asked) == 1


def test_nobody_there_is_later(sink: Sink) -> None:
    gone = sender(Channel(name="ops", kind="slack", timeout_seconds=PATIENT), url="http://127.0.0.1:1/SECRETpath")
    outcome = told(gone)
    assert outcome.verdict is Verdict.LATER
    assert outcome.whole
    assert "does not answer" in outcome.says
    assert "SECRET" not in outcome.says


def test_slack_is_told_without_blocks_where_it_refuses_them(sink: Sink) -> None:
    sink.replies = [Reply(status=400, text="invalid_blocks")]
    assert told(slack(sink)).verdict is Verdict.DONE
    first, second = sink.bodies
    assert "blocks" in first
    assert "blocks" not in second
    assert "CREATE INDEX CONCURRENTLY" in second["text"]


def test_pagerduty_is_sent_the_least_where_it_refuses_the_whole(sink: Sink) -> None:
    sink.replies = [Reply(status=400, text='{"status":"invalid event"}')]
    sink.usual = Reply(status=202)
    assert told(every(sink)["pagerduty"]).verdict is Verdict.DONE
    first, second = sink.bodies
    assert "custom_details" in first["payload"]
    assert "custom_details" not in second["payload"]
    assert schemas.mistakes(second, schemas.PAGERDUTY) == []
    assert [one.path for one in sink.asked] == ["/v2/enqueue", "/v2/enqueue"]


def test_what_each_channel_is_sent(sink: Sink) -> None:
    for one in every(sink).values():
        assert told(one).verdict is Verdict.DONE
    paths = [one.path for one in sink.asked]
    assert paths == [PATH, "/v2/enqueue", "/api/v2/alerts", "/in?key=SECRETkey", "/SECRETpath"]
    pagerduty, alertmanager, hook, mail = sink.asked[1:]
    assert pagerduty.json["routing_key"] == ROUTING
    assert alertmanager.headers["authorization"].startswith("Basic ")
    assert hook.headers["content-type"].startswith("application/cloudevents+json")
    assert hook.headers["webhook-id"] == hook.json["id"] == change(Turn.OPENED, FIRST_SEED).id
    assert hook.headers["webhook-signature"].startswith("v1,")
    assert mail.json["title"].startswith("[PAGE] order_items slow")
    assert "CREATE INDEX CONCURRENTLY" in mail.json["message"]


def test_deploys_go_where_deploys_go(sink: Sink) -> None:
    for one in every(sink).values():
        assert one.announce(SIX_WEEKS_AGO, "deploy-1", AT).verdict is Verdict.DONE
    assert [one.path for one in sink.asked] == [PATH, "/v2/change/enqueue", "/in?key=SECRETkey", "/SECRETpath"]


def test_a_test_is_marked_and_leaves_nothing_open(sink: Sink) -> None:
    for name, one in every(sink).items():
        sink.asked.clear()
        outcomes = try_out(Channel(name=name, kind=name), one, AT)
        assert {outcome.verdict for outcome in outcomes} == {Verdict.DONE}
        said = json.dumps(sink.bodies)
        assert "only a test" in said
        assert len(sink.asked) == (2 if name in ("pagerduty", "alertmanager") else 1)
    assert [one["event_action"] for one in _tested(sink, "pagerduty")] == ["trigger", "resolve"]
    fired, ended = (body[0] for body in _tested(sink, "alertmanager"))
    assert fired["labels"] == ended["labels"]
    assert ended["endsAt"] <= AT.isoformat() < fired["endsAt"]


def _tested(sink: Sink, name: str) -> list[Any]:
    sink.asked.clear()
    try_out(Channel(name=name, kind=name), every(sink)[name], AT)
    return sink.bodies


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Return everything that anybody logs, at the lowest level."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield said
    root.removeHandler(handler)
    root.setLevel(before)


FAULTS = (
    Reply(),
    Reply(status=404, echoes=True),
    Reply(status=429, headers={"Retry-After": "60"}, echoes=True),
    Reply(status=500, echoes=True),
    Reply(status=302, headers={"Location": "/SECRETelsewhere"}, echoes=True),
    Reply(breaks=True),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.status}{'-breaks' * fault.breaks}")
def test_no_secret_is_ever_said(sink: Sink, log: io.StringIO, fault: Reply) -> None:
    outbox = Memory()
    said: list[str] = []
    for name, one in every(sink).items():
        sink.usual = fault
        channel = Channel(name=name, kind=name)
        outbox.put(replace(change(Turn.OPENED, FIRST_SEED), at=AT), channel=name)
        row = next(iter(outbox.rows.values()))
        postman = Postman(channel=channel, sender=one, outbox=outbox)
        said += [
            repr(postman),
            str(postman),
            repr(one),
            repr(postman.deliver(AT)),
            repr(row),
            repr(try_out(channel, one, AT)),
        ]
        said += [repr(one.announce(SIX_WEEKS_AGO, "d", AT)), repr(one.keep([FIRST_SEED], AT, link=""))]
        outbox.rows.clear()
    everything = "\n".join([*said, log.getvalue()])
    assert "SECRET" not in everything
    assert "c2VjcmV0" not in everything  # the token
    assert "bWU6cGFzc1NFQ1JFVHdvcmQ" not in everything  # a name and password, as HTTP sends them


@pytest.mark.parametrize("kind", ["slack", "alertmanager", "webhook", "apprise", "pagerduty"])
@pytest.mark.parametrize(
    "url", ["", "SECRETnonsense", "ftp://SECRET", "http://", "https://h:SECRET/x", "http://a b/SECRET"]
)
def test_an_address_that_cannot_work_is_told_without_showing_it(kind: str, url: str) -> None:
    if kind == "pagerduty" and not url:
        return
    with pytest.raises(SettingsError) as caught:
        sender(Channel(name="ops", kind=kind), url=url, token="SECRETtoken" if kind == "pagerduty" else "")
    shown = "".join(traceback.format_exception(caught.value)) + str(caught.value.hint)
    assert "SECRET" not in "\n".join(line for line in shown.splitlines() if "token=" not in line)
    assert "ops" in caught.value.message


def test_two_addresses_are_not_one_channel(sink: Sink) -> None:
    two = f"{sink.url.replace('http', 'json')}/a, {sink.url.replace('http', 'json')}/b"
    with pytest.raises(SettingsError, match="none that Apprise knows"):
        sender(Channel(name="mail", kind="apprise"), url=two)


def test_an_end_says_so_everywhere(sink: Sink) -> None:
    for one in every(sink).values():
        assert one.send(message(closed(FIRST_SEED)), AT + timedelta(hours=1)).verdict is Verdict.DONE
    texts = [json.dumps(body) for body in sink.bodies]
    assert '"resolve"' in texts[1]
    assert "CLOSED: order_items no longer slow" in texts[0].replace("\\n", " ")
    assert "premortem.alert.closed" in texts[3]
    assert "[CLOSED] order_items no longer slow" in texts[4]
