"""A watcher as a process of its own, with its settings, its log, and what it is told and asked."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.signals import heed_interrupts

TOKEN = "token-of-the-tests"


@dataclass(slots=True)
class Watcher:
    """`premortem watch` as somebody runs it; its settings are `premortem.toml` in its folder."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    begins: int = 0

    @property
    def settings(self) -> Path:
        return self.folder / "premortem.toml"

    @property
    def log(self) -> str:
        """What it said since it was started last."""
        path = self.folder / "watch.log"
        return path.read_bytes()[self.begins :].decode() if path.exists() else ""

    def start(self, *arguments: str) -> None:
        with (self.folder / "watch.log").open("ab") as log:
            self.begins = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "premortem", "watch", "--settings", str(self.settings), *arguments],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                preexec_fn=heed_interrupts,
            )

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, seconds: float = 90) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self, seconds: float = 90) -> int:
        """Stop it as systemd does, and return its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def says(self, pattern: str, seconds: float = 90, *, times: int = 1) -> str:
        """Wait until its log says something; the line."""
        end = time.monotonic() + seconds
        while True:
            found = [line for line in self.log.splitlines() if re.search(pattern, line)]
            if len(found) >= times:
                return found[times - 1]
            running = self.process is not None and self.process.poll() is None
            if time.monotonic() > end or not running:
                raise AssertionError(f"it never said {pattern} ({'running' if running else 'ended'}):\n{self.log}")
            time.sleep(0.05)

    @property
    def port(self) -> int:
        line = [line for line in self.log.splitlines() if "event=http.listens" in line][-1]
        return int(line.rpartition(":")[2])

    def ask(self, method: str, path: str, told: Any = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            body = json.dumps(told).encode() if told is not None else b""
            connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def gauge(self, name: str, **labels: str) -> float | None:
        """What /metrics says of a figure."""
        from prometheus_client.parser import text_string_to_metric_families

        for family in text_string_to_metric_families(self.ask("GET", "/metrics")[1]):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return None


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder that the user who runs our servers can enter, which pytest's are not where we are root."""
    path = Path(tempfile.mkdtemp(prefix="pmwatch-", dir="/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def watcher(folder: Path, settings: str, **environment: str) -> Iterator[Watcher]:
    """A watcher that is not started yet, and that does not outlive the test."""
    one = Watcher(folder=folder, environment=environment)
    one.settings.write_text(settings)
    try:
        yield one
    finally:
        one.stop()


@dataclass(slots=True)
class Load:
    """Sessions that run one statement again and again; `first` is when the first call began, `calls` how many ended."""

    first: float | None = None
    calls: int = 0
    failures: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextlib.contextmanager
def load(
    dsn: str,
    statement: str,
    values: Callable[[int], tuple[object, ...]],
    *,
    sessions: int = 2,
    pause: float = 0.05,
    application: str = "orders",
) -> Iterator[Load]:
    """Run a statement from several sessions, which connect again whenever their connection is lost."""
    kept = Load()

    def run(number: int) -> None:
        while not kept.stop.is_set():
            with (
                contextlib.suppress(psycopg.Error),
                psycopg.connect(dsn, autocommit=True, application_name=application) as db,
            ):
                _run(db, number)
            kept.stop.wait(0.1)

    def _run(db: psycopg.Connection[Any], number: int) -> None:
        while not kept.stop.wait(pause):
            number += 1
            with kept.lock:
                kept.first = kept.first or time.time()
            try:
                db.execute(statement.encode(), values(number)).fetchall()
            except psycopg.errors.QueryCanceled:
                with kept.lock:
                    kept.failures += 1
                    kept.calls += 1
            else:
                with kept.lock:
                    kept.calls += 1

    threads = [threading.Thread(target=run, args=(number * 1000,), daemon=True) for number in range(sessions)]
    for thread in threads:
        thread.start()
    try:
        yield kept
    finally:
        kept.stop.set()
        for thread in threads:
            thread.join(90)


def toml(value: str) -> str:
    """A text as TOML has it."""
    return json.dumps(value)
