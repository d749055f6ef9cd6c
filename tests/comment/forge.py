"""A stand-in of the two APIs: real HTTP on loopback, pages with Link headers, and faults by script.

It keeps comments as the forges do, answers in their shapes, and refuses what they refuse; a fault is handed to the
next request that it is meant for, once.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "ghs_secretsecretsecret"


@dataclass(slots=True, kw_only=True)
class Fault:
    """What the next request of a method gets in place of its answer; `acts` carries it out all the same."""

    method: str
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    content: Any = None
    acts: bool = False
    silence: float | None = None


@dataclass(slots=True, kw_only=True)
class Note:
    id: int
    body: str
    by: str = "github-actions[bot]"


@dataclass(slots=True)
class Api:
    """What the stand-in knows, and what it was asked."""

    notes: list[Note] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    authorised: list[str | None] = field(default_factory=list)
    page: int = 100
    most: int = 65_536
    me: str = "github-actions[bot]"
    writable: bool = True
    pulls: dict[int, str] = field(default_factory=dict)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    before_write: Callable[[], None] = lambda: None
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 10**6)))

    def add(self, body: str, by: str | None = None) -> Note:
        note = Note(id=next(self.numbers), body=body, by=by or self.me)
        self.notes.append(note)
        return note

    def wrote(self) -> list[str]:
        return [method for method, _ in self.asked if method != "GET"]

    def bodies(self) -> list[str]:
        return [note.body for note in self.notes]


_GITHUB = re.compile(r"/repos/acme/shop/issues/(?:7/comments|comments/(?P<id>\d+))\Z")
_GITLAB = re.compile(r"/projects/42/merge_requests/7/notes(?:/(?P<id>\d+))?\Z")
_PULL = re.compile(r"/repos/acme/shop/pulls(?:/(?P<n>\d+))?\Z")


class Handler(BaseHTTPRequestHandler):
    api: Api
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer is one packet, so that nobody waits for an acknowledgement

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.answered()

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815  # the names that http.server calls

    def answered(self) -> None:
        path, _, query = self.path.partition("?")
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
        if self.command != "GET":
            self.api.before_write()
        with self.api.lock:
            self.api.asked.append((self.command, path))
            self.api.authorised.append(self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN"))
            fault = next((f for f in self.api.faults if f.method == self.command), None)
            if fault:
                self.api.faults.remove(fault)
            if fault is None or fault.acts:
                status, content, headers = self.outcome(path, query, body)
        if fault is not None:
            if fault.silence is not None:
                time.sleep(fault.silence)
                self.close_connection = True
                return
            status, content, headers = fault.status, fault.content, fault.headers
        self.reply(status, content, headers)

    def reply(self, status: int, content: Any, headers: dict[str, str]) -> None:
        raw = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def outcome(self, path: str, query: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        if path == "/user":
            app = self.api.authorised[-1] == f"Bearer {TOKEN}"
            return (403, {"message": "Resource not accessible by integration"}, {}) if app else (200, self.user(), {})
        pull = _PULL.match(path)
        if pull:
            found = [{"number": n, "head": {"sha": s}} for n, s in self.api.pulls.items()]
            one = [f for f in found if str(f["number"]) == pull["n"]]
            return 200, one[0] if pull["n"] and one else found, {}
        place = _GITHUB.match(path) or _GITLAB.match(path)
        if place is None:
            return 404, {"message": "Not Found"}, {}
        if self.command == "GET":
            return self.listed(path, query)
        if not self.api.writable:
            return 403, {"message": "Resource not accessible by integration"}, {}
        return self.written(place["id"], body)

    def user(self) -> dict[str, Any]:
        return {"login": self.api.me, "id": hash(self.api.me) % 1000, "type": "User"}

    def listed(self, path: str, query: str) -> tuple[int, Any, dict[str, str]]:
        page = int((re.search(r"\bpage=(\d+)", query) or [0, "1"])[1])
        shown = self.api.notes[(page - 1) * self.api.page : page * self.api.page]
        more = len(self.api.notes) > page * self.api.page
        link = f'<{self.api.url}{path}?page={page + 1}>; rel="next", <{self.api.url}{path}?page=9>; rel="last"'
        headers = {"X-Next-Page": str(page + 1)} if _GITLAB.match(path) else {"Link": link}
        return 200, [self.shown(n) for n in shown], headers if more else {}

    def shown(self, note: Note) -> dict[str, Any]:
        kind = "Bot" if note.by.endswith("[bot]") else "User"
        author = {"login": note.by, "type": kind, "id": hash(note.by) % 1000}
        return {"id": note.id, "body": note.body, "user": author, "author": author, "system": False}

    def written(self, id: str | None, body: Any) -> tuple[int, Any, dict[str, str]]:
        if body and len(body["body"]) > self.api.most:
            says = [{"message": f"body is too long (maximum is {self.api.most} characters)"}]
            return 422, {"message": "Validation Failed", "errors": says}, {}
        if id is None:
            return 201, self.shown(self.api.add(body["body"])), {}
        note = next((n for n in self.api.notes if n.id == int(id)), None)
        if note is None:
            return 404, {"message": "Not Found"}, {}
        if self.command == "DELETE":
            self.api.notes.remove(note)
            return 204, None, {}
        note.body = body["body"]
        return 200, self.shown(note), {}


@contextmanager
def running(certificate: str | None = None) -> Iterator[Api]:
    """A stand-in on a free port of loopback, over TLS where it is given a certificate with its key."""
    api = Api()
    handler = type("Bound", (Handler,), {"api": api})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    api.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
