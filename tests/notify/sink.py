"""A web service on loopback that keeps what it is sent and answers by script: Slack's, PagerDuty's, anybody's."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True, kw_only=True)
class Reply:
    """What the next request is answered; `silence` seconds pass first, `breaks` ends without an answer.

    One that `echoes` says all that it was sent: address, headers and the beginning of the body.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    text: str = "ok"
    silence: float = 0.0
    breaks: bool = False
    echoes: bool = False


@dataclass(slots=True)
class Asked:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Sink:
    """What was asked, in order, and what is to be answered: the replies one after the other, then the usual one."""

    asked: list[Asked] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    usual: Reply = field(default_factory=Reply)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, asked: Asked) -> Reply:
        with self.lock:
            self.asked.append(asked)
            return self.replies.pop(0) if self.replies else self.usual

    @property
    def bodies(self) -> list[Any]:
        return [one.json for one in self.asked]


@contextmanager
def serving() -> Iterator[Sink]:
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = sink.next(Asked(self.path, headers, body))
            time.sleep(reply.silence)
            if reply.breaks:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            echo = f"{self.path} {dict(self.headers)} ".encode() + body[:500]
            said = echo if reply.echoes else reply.text.encode()
            self.send_header("Content-Length", str(len(said)))
            with contextlib.suppress(ConnectionError):  # who asked does not wait for ever
                self.end_headers()
                self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sink.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
