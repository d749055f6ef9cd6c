"""A real Alertmanager: what it makes of our alerts, over its restarts and ours."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3

from premortem.model import Alert, AlertChange, Turn, Urgency
from premortem.notify import Message, Postman, Verdict, message, sender
from premortem.settings import Channel
from tests.notify.incidents import FIRST_SEED
from tests.notify.outbox import Memory
from tests.notify.sink import Sink
from tests.ports import free_port

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
CHANNEL = Channel(name="alertmanager", kind="alertmanager")
CONFIG = """
route:
  receiver: hook
  group_by: [alertname, instance]
  group_wait: 100ms
  group_interval: 300ms
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs:
      - url: {url}/hook
        send_resolved: true
"""


@dataclass(slots=True)
class Manager:
    """An Alertmanager with its own folder and port, which can be stopped and started again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        assert PROGRAM is not None
        self.process = subprocess.Popen(
            [
                PROGRAM,
                f"--config.file={self.folder / 'config.yml'}",
                f"--storage.path={self.folder / 'state'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--cluster.listen-address=",
                "--log.level=warn",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._is_ready)

    def _is_ready(self) -> bool:
        try:
            return urllib3.request("GET", f"{self.url}/-/ready", retries=False, timeout=10).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def stop(self) -> None:
        """End it as an upgrade does: it writes down what it has notified of, and forgets the alerts."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(90)
            self.process = None

    def alerts(self) -> list[Any]:
        answer = urllib3.request("GET", f"{self.url}/api/v2/alerts", retries=False, timeout=60)
        return json.loads(answer.data)  # type: ignore[no-any-return]


def wait_for(happened: Callable[[], object], seconds: float = 90.0) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


@contextmanager
def running(folder: Path, sink: Sink) -> Iterator[Manager]:
    port = free_port()
    (folder / "config.yml").write_text(CONFIG.format(url=sink.url))
    one = Manager(folder, port)
    one.start()
    try:
        yield one
    finally:
        one.stop()


@pytest.fixture
def manager(tmp_path: Path, sink: Sink, request: pytest.FixtureRequest) -> Iterator[Manager]:
    if PROGRAM is None:
        missing = "Alertmanager is not on this machine (Debian: prometheus-alertmanager)"
        if request.config.getoption("--require-pg"):
            pytest.fail(missing)
        pytest.skip(missing)
    with running(tmp_path, sink) as one:
        yield one


def now() -> datetime:
    return datetime.now(UTC)


def opened(**others: object) -> Alert:
    at = now() - timedelta(seconds=5)
    return replace(FIRST_SEED, opened_at=at, changed_at=at, **others)  # type: ignore[arg-type]


def told(turn: Turn, alert: Alert) -> Message:
    ended = replace(alert, closed_at=now(), changed_at=now(), turns=9) if turn is Turn.CLOSED else alert
    return message(AlertChange(turn=turn, alert=ended, at=now()), link="https://pm.example/{key}")


def states(sink: Sink) -> list[tuple[str, str]]:
    """Return what Alertmanager told its own receiver: status and severity of each alert, in order."""
    return [(one["status"], one["labels"]["severity"]) for body in sink.bodies for one in body["alerts"]]


def test_it_fires_once_is_updated_and_resolves(manager: Manager, sink: Sink) -> None:
    one = sender(CHANNEL, url=manager.url)
    alert = opened()
    assert one.send(told(Turn.OPENED, alert), now()).verdict is Verdict.DONE
    wait_for(lambda: len(sink.asked) == 1)
    (fired,) = sink.bodies[0]["alerts"]
    assert fired["status"] == "firing"
    assert fired["labels"]["alertname"] == "PremortemSlowQuery"
    assert fired["annotations"]["missing_index"] == "order_items (product_sku, status)"
    assert fired["annotations"]["introduced_by"].startswith("order-api 9f2b7c1d")
    assert "CREATE INDEX CONCURRENTLY" in fired["annotations"]["sql"]
    assert fired["generatorURL"] == f"https://pm.example/{alert.key}"

    assert one.send(told(Turn.WORSE, replace(alert, value=9_000.0)), now()).verdict is Verdict.DONE
    (held,) = manager.alerts()
    assert "9.0 s mean" in held["annotations"]["summary"]
    assert len({alert["fingerprint"] for alert in manager.alerts()}) == 1

    assert one.send(told(Turn.CLOSED, alert), now()).verdict is Verdict.DONE
    wait_for(lambda: ("resolved", "critical") in states(sink))
    assert [status for status, severity in states(sink) if severity == "critical"] == ["firing", "resolved"]
    assert manager.alerts() == []


def test_it_is_told_again_after_its_restart_and_ours_and_tells_nobody_twice(manager: Manager, sink: Sink) -> None:
    alert = opened()
    outbox = Memory()
    outbox.put(AlertChange(turn=Turn.OPENED, alert=alert, at=now()), channel=CHANNEL.name)
    assert postman(manager, outbox).deliver(now()).delivered == 1
    wait_for(lambda: len(sink.asked) == 1)
    time.sleep(0.3)  # it writes down what it told after it was answered

    manager.stop()
    assert postman(manager, outbox).keep([alert], now()).verdict is Verdict.LATER  # type: ignore[union-attr]
    manager.start()
    assert manager.alerts() == []
    ours = postman(manager, outbox)
    assert ours.deliver(now()).delivered == 0
    assert ours.keep([alert], now()).verdict is Verdict.DONE  # type: ignore[union-attr]
    assert ours.keep([alert], now()) is None  # not before a minute is over
    (held,) = manager.alerts()
    assert datetime.fromisoformat(held["startsAt"]) == alert.opened_at.replace(
        microsecond=alert.opened_at.microsecond // 1000 * 1000
    )
    assert datetime.fromisoformat(held["endsAt"]) > now() + timedelta(minutes=9)
    another = replace(opened(), instance="db-2", key="other")
    assert sender(CHANNEL, url=manager.url).send(told(Turn.OPENED, another), now()).verdict is Verdict.DONE
    wait_for(lambda: len(sink.asked) == 2)  # that of db-2 was told, so that of db-1 would have been told by now
    assert [body["groupLabels"]["instance"] for body in sink.bodies] == ["db-1", "db-2"]


def postman(manager: Manager, outbox: Memory) -> Postman:
    return Postman(channel=CHANNEL, sender=sender(CHANNEL, url=manager.url), outbox=outbox)


def test_a_ticket_that_becomes_a_page_is_one_alert_and_not_two(manager: Manager, sink: Sink) -> None:
    one = sender(CHANNEL, url=manager.url)
    ticket = opened(urgency=Urgency.TICKET)
    one.send(told(Turn.OPENED, ticket), now())
    wait_for(lambda: len(sink.asked) == 1)
    one.send(told(Turn.WORSE, replace(ticket, urgency=Urgency.PAGE)), now())
    wait_for(lambda: ("firing", "critical") in states(sink) and ("resolved", "warning") in states(sink))
    assert [alert["labels"]["severity"] for alert in manager.alerts()] == ["critical"]


def test_it_takes_every_hostile_text(manager: Manager) -> None:
    nasty = "<script>\x1b[31m@here <!here> {{ .Labels }} \u202e" + "🔥" * 200
    odd = opened(instance=nasty, database=nasty, says=nasty, services=(nasty,), owners=(nasty,))
    assert sender(CHANNEL, url=manager.url).send(told(Turn.OPENED, odd), now()).verdict is Verdict.DONE
    assert len(manager.alerts()) == 1


def test_where_its_whole_address_is_given(manager: Manager) -> None:
    one = sender(CHANNEL, url=f"{manager.url}/api/v2/alerts/")
    assert one.send(told(Turn.OPENED, opened()), now()).verdict is Verdict.DONE
