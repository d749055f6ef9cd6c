"""Where tests have alerts delivered to: real HTTP on loopback, which keeps what it got and answers as it is told."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True)
class Got:
    path: str
    content: Any
    at: float
    answered: int


@dataclass(slots=True)
class Sink:
    """What came, in order; `answers` are handed out first, then 200.  None stands for no answer at all."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    answers: list[int | None] = field(default_factory=list)
    always: int | None = 200
    lock: threading.Condition = field(default_factory=threading.Condition)
    before_answer: Callable[[], None] = lambda: None

    def accepted(self) -> list[Got]:
        """What was answered with success: what a reader would have seen."""
        with self.lock:
            return [one for one in self.got if 200 <= one.answered < 300]

    def wait(self, enough: Callable[[list[Got]], bool], seconds: float = 90) -> list[Got]:
        """Return what was accepted as soon as it is enough; what there is when the time is over."""
        end = time.monotonic() + seconds
        with self.lock:
            while True:
                accepted = [one for one in self.got if 200 <= one.answered < 300]
                left = end - time.monotonic()
                if enough(accepted) or left <= 0:
                    return accepted
                self.lock.wait(left)


@contextlib.contextmanager
def sink() -> Iterator[Sink]:
    """A sink that listens."""
    kept = Sink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with kept.lock:
                status = kept.answers.pop(0) if kept.answers else kept.always
                kept.got.append(Got(path=self.path, content=_read(body), at=time.time(), answered=status or 0))
                kept.lock.notify_all()
            kept.before_answer()
            if status is None:
                self.close_connection = True
                return
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    kept.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
