"""The daemon's door for machines: its figures, whether it is well, and where deploys are told.

The standard library's server is enough: a scrape every few seconds and a deploy now and then, on loopback unless
somebody says otherwise.  It tells nobody a query text, and takes deploys from those who know the token only.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from premortem import __version__
from premortem.daemon import deploys
from premortem.daemon.gauges import CONTENT_TYPE
from premortem.daemon.health import Health
from premortem.errors import InputError, SettingsError, StoreError, UsageError
from premortem.model import Deploy

_MOST_BYTES = 1 << 20
#: Whoever connects and says nothing does not keep a thread for longer.
_SILENCE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the door opens to: verbs of the daemon.

    `token` gives the deploys' token, empty where there is none; `failed` is told of an error that no answer explains.
    """

    metrics: Callable[[], bytes]
    alive: Callable[[], Health]
    ready: Callable[[], Health]
    record: Callable[[Deploy], bool]
    token: Callable[[], str]
    now: Callable[[], datetime]
    failed: Callable[[Exception], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request gets."""

    status: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"


def get(door: Door, path: str) -> Answer:
    """Return the answer to a GET."""
    if path == "/metrics":
        return Answer(status=200, body=door.metrics(), kind=CONTENT_TYPE)
    if path == "/healthz":
        return _health(door.alive())
    if path == "/readyz":
        return _health(door.ready())
    if path == "/deploys":
        return _said(405, "deploys are told by POST")
    return _said(404, "there are /metrics, /healthz, /readyz and POST /deploys")


def post(door: Door, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Return the answer to a POST, whose headers' names are in lower case."""
    if path != "/deploys":
        return _said(404, "only /deploys takes a POST")
    token = door.token()
    if not token:
        return _said(403, "no deploy is taken: the settings name no watch.deploy_token")
    if not admitted(token, headers, body):
        return _said(401, "the token is missing or wrong: send `Authorization: Bearer …`")
    try:
        deploy = deploys.parse(body, door.now(), event=headers.get("x-github-event", ""))
        if isinstance(deploy, deploys.NotShipped):
            return _json(200, {"recorded": False, "says": deploy.says})
        new = door.record(deploy)
    except InputError as error:
        return _json(400, {"error": error.message, "hint": error.hint or ""})
    except StoreError as error:
        return _json(503, {"error": error.message, "hint": error.hint or "send it again"})
    return _json(201 if new else 200, {"recorded": new, "service": deploy.service, "revision": deploy.revision})


def admitted(token: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether a request knows the token, in any of the ways that senders have.

    A bearer token; GitLab's header; GitHub's signature, whose secret it is; a change event's routing key.
    """
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    bearer = bearer.strip() if scheme.lower() == "bearer" else ""
    if _same(bearer, token) or _same(headers.get("x-gitlab-token", ""), token):
        return True
    signed = headers.get("x-hub-signature-256", "")
    if signed:
        return _same(signed, "sha256=" + hmac.new(token.encode(), body, hashlib.sha256).hexdigest())
    return _same(deploys.routing_key(body), token)


def _same(said: str, secret: str) -> bool:
    return hmac.compare_digest(said.encode("utf-8", "replace"), secret.encode())


def _health(health: Health) -> Answer:
    return _said(200 if health.well else 503, "\n".join(health.says) or "ok")


def _said(status: int, text: str) -> Answer:
    return Answer(status=status, body=f"{text}\n".encode("utf-8", "replace"))


def _json(status: int, value: dict[str, object]) -> Answer:
    return Answer(status=status, body=json.dumps(value).encode() + b"\n", kind="application/json")


class _Handler(BaseHTTPRequestHandler):
    door: Door
    protocol_version = "HTTP/1.1"
    server_version = f"premortem/{__version__}"
    sys_version = ""
    timeout = _SILENCE
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        self._answer(lambda: get(self.door, self._path()))

    def do_HEAD(self) -> None:
        self._answer(lambda: get(self.door, self._path()))

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a scrape every few seconds would drown the journal."""

    def _path(self) -> str:
        return self.path.partition("?")[0]

    def _post(self) -> Answer:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self.close_connection = True
            return _said(411, "send Content-Length")
        if int(length) > _MOST_BYTES:
            self.close_connection = True
            return _said(413, "that is too large for a deploy")
        headers = {name.lower(): value for name, value in self.headers.items()}
        return post(self.door, self._path(), headers, self.rfile.read(int(length)))

    def _answer(self, make: Callable[[], Answer]) -> None:
        try:
            answer = make()
        except OSError:
            raise  # whoever asked is gone
        except Exception as error:  # noqa: BLE001  # the door stays open, and whoever runs us reads why
            self.door.failed(error)
            answer = _said(500, "that failed; the log says why")
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of those who hang up."""


class _Server6(_Server):
    address_family = socket.AF_INET6


@contextmanager
def opened(door: Door, listen: str) -> Iterator[tuple[str, int]]:
    """Answer requests at `listen` as long as the context lasts; yields where.

    Raises SettingsError for an address that is none, UsageError for one that cannot be had.
    """
    host, port = address(listen)
    handler = type("Handler", (_Handler,), {"door": door})
    try:
        server = (_Server6 if ":" in host else _Server)((host, port), handler)
    except OSError as error:
        raise UsageError(
            f"{listen} cannot be listened at: {error.strerror or error}", hint='set watch.listen, or to "" for none'
        ) from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, name="http", daemon=True)
    thread.start()
    try:
        yield str(server.server_address[0]), int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def address(listen: str) -> tuple[str, int]:
    """Return host and port of `host:port`.

    >>> address("127.0.0.1:9187"), address("[::1]:0")
    (('127.0.0.1', 9187), ('::1', 0))
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise SettingsError(f"watch.listen is {listen!r}", hint='write "127.0.0.1:9187", or "" for none')
    return host.strip("[]"), int(port)
