"""The door for machines: what it shows, whom it lets tell of deploys, and what it survives."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from premortem.daemon import gauges
from premortem.daemon import http as doors
from premortem.errors import SettingsError, StoreError, UsageError
from premortem.model import Deploy

NOW = datetime(2026, 1, 31, 14, 3, tzinfo=UTC)
TOKEN = "a-token-of-some-length"
SHIPPED = {"service": "shop", "revision": "a7c3dbe"}


class House:
    """What is behind the door in these tests."""

    def __init__(self) -> None:
        self.recorded: list[Deploy] = []
        self.failures: list[Exception] = []
        self.token = TOKEN
        self.health = doors.Health(well=True)
        self.store_is_down = False
        self.board = gauges.Board()

    def record(self, deploy: Deploy) -> bool:
        if self.store_is_down:
            raise StoreError("the store is down")
        new = deploy not in self.recorded
        self.recorded.append(deploy)
        return new

    def door(self) -> doors.Door:
        return doors.Door(
            metrics=gauges.exposition(self.board, lambda: NOW),
            alive=lambda: self.health,
            ready=lambda: self.health,
            record=lambda deploy: self.record(deploy),
            token=lambda: self.token,
            now=lambda: NOW,
            failed=self.failures.append,
        )


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def port(house: House) -> Iterator[int]:
    with doors.opened(house.door(), "127.0.0.1:0") as (_, port):
        yield port


def ask(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def tell(port: int, told: Any = SHIPPED, **headers: str) -> tuple[int, str]:
    return ask(port, "POST", "/deploys", json.dumps(told).encode(), **headers)


def test_figures_are_read_by_prometheus(house: House, port: int) -> None:
    house.board.instance(
        "db-1",
        gauges.InstanceFigures(
            busy=14.0,
            top_share=0.71,
            poll_seconds=0.02,
            read_at=NOW - timedelta(seconds=7),
            up=True,
            open_alerts={("slow-query", "page"): 2},
            pool_waiting={"bouncer": 5},
        ),
    )
    house.board.unreached("db-2")
    house.board.waits("ops", 3)
    house.board.count("store_failures")
    status, text = ask(port, "GET", "/metrics")
    assert status == 200
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["premortem_busy", "db-1"] == 14
    assert samples["premortem_poll_lag_seconds", "db-1"] == 7
    assert samples["premortem_open_alerts", "db-1", "slow-query", "page"] == 2
    assert samples["premortem_pool_waiting", "db-1", "bouncer"] == 5
    assert (samples["premortem_up", "db-1"], samples["premortem_up", "db-2"]) == (1, 0)
    assert samples["premortem_undelivered", "ops"] == 3
    assert samples["premortem_store_failures_total",] == 1


def test_no_figure_has_a_label_per_statement(house: House, port: int) -> None:
    house.board.instance("db-1", gauges.InstanceFigures(open_alerts={("slow-query", "page"): 2}))
    _, text = ask(port, "GET", "/metrics")
    labels = {
        name for family in text_string_to_metric_families(text) for sample in family.samples for name in sample.labels
    }
    assert labels <= {"instance", "kind", "urgency", "pooler", "channel", "version"}


def test_health(house: House, port: int) -> None:
    assert ask(port, "GET", "/healthz") == (200, "ok\n")
    house.health = doors.Health(well=False, says=("the store is down",))
    assert ask(port, "GET", "/readyz?verbose=1") == (503, "the store is down\n")
    assert ask(port, "HEAD", "/healthz") == (503, "")
    assert ask(port, "GET", "/nothing")[0] == 404


def test_a_deploy_is_recorded_once(house: House, port: int) -> None:
    assert tell(port, authorization=f"Bearer {TOKEN}")[0] == 201
    assert tell(port, authorization=f"bearer  {TOKEN}")[0] == 200
    assert house.recorded[0] == Deploy(service="shop", revision="a7c3dbe", at=NOW, source="webhook")


def test_whoever_does_not_know_the_token_is_turned_away(house: House, port: int) -> None:
    for headers in ({}, {"authorization": "Bearer no"}, {"authorization": f"Basic {TOKEN}"}, {"x_gitlab_token": "é"}):
        assert tell(port, **headers)[0] == 401
    house.token = ""
    assert tell(port, authorization="Bearer ")[0] == 403
    assert house.recorded == []


def test_forges_and_pagers_know_it_in_their_own_ways(house: House, port: int) -> None:
    body = json.dumps(SHIPPED).encode()
    signature = "sha256=" + hmac.new(TOKEN.encode(), body, hashlib.sha256).hexdigest()
    assert ask(port, "POST", "/deploys", body, x_hub_signature_256=signature)[0] == 201
    assert ask(port, "POST", "/deploys", body + b" ", x_hub_signature_256=signature)[0] == 401
    assert tell(port, x_gitlab_token=TOKEN)[0] == 200
    event = {"routing_key": TOKEN, "payload": {"summary": "ship it", "source": "shop"}}
    assert tell(port, event)[0] == 201
    assert tell(port, event | {"routing_key": "no"})[0] == 401


def test_bad_deploys_get_the_reason(house: House, port: int) -> None:
    status, text = tell(port, {"service": "shop"}, authorization=f"Bearer {TOKEN}")
    assert status == 400
    assert "does not say its revision" in json.loads(text)["error"]
    assert ask(port, "POST", "/deploys", b"", content_length=str(1 << 21), authorization=f"Bearer {TOKEN}")[0] == 413
    assert ask(port, "POST", "/elsewhere", b"{}")[0] == 404
    assert ask(port, "GET", "/deploys")[0] == 405
    house.store_is_down = True
    assert tell(port, authorization=f"Bearer {TOKEN}")[0] == 503


def test_what_nobody_foresaw_is_an_answer_and_a_line_in_the_log(house: House, port: int) -> None:
    house.record = lambda deploy: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    assert tell(port, authorization=f"Bearer {TOKEN}")[0] == 500
    assert isinstance(house.failures[0], ZeroDivisionError)
    assert ask(port, "GET", "/healthz")[0] == 200


def test_nonsense_on_the_socket_does_not_close_the_door(port: int) -> None:
    for nonsense in (b"\x16\x03\x01" * 50, b"GET / HTTP/9.9\r\n\r\n", b"POST /deploys HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(nonsense)
    assert ask(port, "GET", "/healthz")[0] == 200


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:", "127.0.0.1:99999", ":x"])
def test_an_address_that_is_none_is_named(house: House, listen: str) -> None:
    with pytest.raises(SettingsError, match=r"watch\.listen"), doors.opened(house.door(), listen):
        pass


def test_an_address_that_is_taken_is_named(house: House, port: int) -> None:
    with pytest.raises(UsageError, match="in use"), doors.opened(house.door(), f"127.0.0.1:{port}"):
        pass
