"""HTTP to a forge's API: one host, timeouts, and waits as the API asks for them.

What is waited for
    429, or 403 with Retry-After or with no requests left    as long as the API says: nothing was done
    500, 502, 503, 504, no connection, a broken one          a little, twice as long each time
A POST that may have been carried out is not sent again: `Unanswered` tells whoever sent it to look first.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3

from premortem import __version__, proxies
from premortem.errors import ForgeError, ForgeRefused, Unanswered, UsageError

_PASSING = frozenset({500, 502, 503, 504})
_MOVED = frozenset({301, 302, 307, 308})
_NOT_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
#: A whole answer; a list of a hundred comments of 65,536 characters, in JSON, is below it.
_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often a request is sent, the first wait between two and the longest, and how long one may take, in seconds.

    60 s is what GitHub asks to wait after a secondary rate limit that names no time.
    """

    tries: int = 5
    first: float = 1.0
    longest: float = 60.0
    connect: float = 10.0
    read: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: its status, its headers by lower-case name, and its JSON."""

    status: int
    headers: Mapping[str, str]
    content: object

    @property
    def says(self) -> str:
        """What the API says is wrong, in one line, empty where it says nothing."""
        return _said(self.content)[:300]


def waits(status: int, headers: Mapping[str, str], now: float) -> float | None:
    """Return how long an answer asks to wait before the same request, None where it does not ask.

    >>> waits(429, {"retry-after": "7"}, 0), waits(403, {}, 0), waits(200, {"retry-after": "7"}, 0)
    (7.0, None, None)
    >>> waits(403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "130"}, 100.0)
    30.0
    """
    if status not in (403, 429, 503):
        return None
    said = headers.get("retry-after", "")
    if said.isdecimal():
        return float(said)
    reset = headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset") or ""
    left = headers.get("x-ratelimit-remaining") or headers.get("ratelimit-remaining")
    if left == "0" and reset.isdecimal():
        return max(float(reset) - now, 0.0)
    return 60.0 if status == 429 else None


@dataclass(slots=True, kw_only=True)
class Wire:
    """A line to one API: sends requests, with the headers that all of them have."""

    api: str
    headers: Mapping[str, str] = field(repr=False)
    ca_file: str | None = None
    patience: Patience = field(default_factory=Patience)
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time
    _pool: urllib3.PoolManager | None = None

    def send(self, method: str, url: str, payload: Mapping[str, object] | None = None) -> Reply:
        """Send a request, again where that is safe and helps, and return the answer, whatever its status.

        `url` is a path below the API, or a full URL on its host.  Raises ForgeError where there is no answer,
        Unanswered where there is none and the request may have been carried out.
        """
        place = self._place(url)
        wait = self.patience.first
        for last in (n == self.patience.tries for n in range(1, self.patience.tries + 1)):
            try:
                reply = self._once(method, place, payload)
            except _NOT_SENT as error:
                if last:
                    raise self._silent(error) from error
                asked = None
            except urllib3.exceptions.HTTPError as error:
                if method == "POST":
                    raise self._silent(error, Unanswered) from error
                if last:
                    raise self._silent(error) from error
                asked = None
            else:
                if reply.status in _MOVED:
                    place = self._moved(place, reply)
                    continue
                asked = waits(reply.status, reply.headers, self.now())
                if asked is None and reply.status not in _PASSING:
                    return reply
                if asked is None and method == "POST":
                    raise Unanswered(f"{self.host} answered {reply.status}", status=reply.status)
                if last or (asked or 0.0) > self.patience.longest:
                    raise self._impatient(reply, asked)
            self.sleep(wait if asked is None else asked)
            wait = min(wait * 2, self.patience.longest)
        raise ForgeError(f"{self.host} sends requests from one place to another without end")

    @property
    def host(self) -> str:
        """The host, for messages."""
        return urlsplit(self.api).hostname or self.api

    def _place(self, url: str) -> str:
        """Return the full URL; the token goes to the API's own host and to no other."""
        full = url if "://" in url else f"{self.api}{url}"
        if _origin(urlsplit(full)) != _origin(urlsplit(self.api)):
            raise ForgeError(
                f"{self.host} points to another host, {urlsplit(full).hostname}; the token is not sent there"
            )
        return full

    def _moved(self, place: str, reply: Reply) -> str:
        where = reply.headers.get("location", "")
        if not where:
            raise ForgeError(f"{self.host} answered {reply.status} without saying where to")
        return self._place(urljoin(place, where))

    def _once(self, method: str, place: str, payload: Mapping[str, object] | None) -> Reply:
        body = None if payload is None else json.dumps(payload).encode("ascii")
        headers = {"User-Agent": f"premortem/{__version__}", **self.headers}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = self._open().request(
                method, place, body=body, headers=headers, retries=False, redirect=False, preload_content=False
            )
        except urllib3.exceptions.SSLError as error:
            raise ForgeError(
                f"{self.host}: no secure connection: {_reason(error)}",
                hint="name the file of your own certificate authority in SSL_CERT_FILE",
            ) from error
        except urllib3.exceptions.ProxyError as error:
            raise ForgeError(f"the proxy for {self.host} does not work: {_reason(error)}") from error
        except urllib3.exceptions.LocationParseError as error:
            raise UsageError(f"{self.api} is no URL") from error
        try:
            content = answer.read(_MOST_BYTES, decode_content=True)
        finally:
            answer.release_conn()
        named = {k.lower(): v for k, v in answer.headers.items()}
        return Reply(status=answer.status, headers=named, content=self._json(answer.status, content))

    def _json(self, status: int, content: bytes) -> object:
        if not content.strip():
            return None
        try:
            return cast(object, json.loads(content))
        except ValueError:
            if 200 <= status < 300:
                hint = "is the API's URL right? a proxy or a sign-in page may have answered"
                raise ForgeError(f"{self.host} answered {status} with something that is no JSON", hint=hint) from None
            return None

    def _open(self) -> urllib3.PoolManager:
        if self._pool is None:
            timeout = urllib3.Timeout(connect=self.patience.connect, read=self.patience.read)
            secure = urlsplit(self.api).scheme == "https"
            self._pool = proxies.pool(self.api, timeout, _context(self.ca_file) if secure else None)
        return self._pool

    def _silent(self, error: Exception, kind: type[ForgeError] = ForgeError) -> ForgeError:
        return kind(f"{self.host} does not answer: {_reason(error)}", hint="is it reachable from here, and by a proxy?")

    def _impatient(self, reply: Reply, asked: float | None) -> ForgeError:
        if asked is not None:
            kind = ForgeRefused if reply.status == 403 else ForgeError
            return kind(f"{self.host} asks to wait {asked:,.0f} s: too many requests", status=reply.status)
        return ForgeError(f"{self.host} answered {reply.status} {self.patience.tries} times", status=reply.status)


def _context(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"the certificates of {ca_file} cannot be read: {error}") from error
    return context


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _reason(error: Exception) -> str:
    """Return what went wrong without the object addresses and URLs that urllib3 puts into its messages."""
    text = str(error.args[-1] if error.args else error) or type(error).__name__
    return text.split(": ", 1)[1] if text.startswith(("<", "HTTP")) and ": " in text else text


def _said(content: object) -> str:
    """Return the messages of an API's error, whatever its form.

    >>> _said({"message": "Validation Failed", "errors": [{"message": "body is too long"}]})
    'Validation Failed; body is too long'
    >>> _said({"message": {"note": ["is too long"]}}), _said(None)
    ('note is too long', '')
    """
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "; ".join(filter(None, map(_said, content)))
    if not isinstance(content, dict):
        return ""
    named = [_said(content[k]) for k in ("message", "error", "errors", "error_description") if k in content]
    return "; ".join(filter(None, named)) or "; ".join(f"{k} {_said(v)}" for k, v in content.items() if _said(v))
