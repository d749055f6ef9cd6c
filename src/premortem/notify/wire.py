"""HTTP to a channel: one POST, one answer, no redirect, and no address or token in anything that is said.

A webhook's address is its password.  It stands in no message, error or log of ours, and urllib3's own log, which has
the path of every request, is kept from saying it.

What the answer means
    2xx                              done
    408, 425, 429, 5xx, no answer    later; as late as Retry-After says
    3xx, other 4xx                   never: the same would be answered again
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

import urllib3

from premortem import __version__, proxies, words
from premortem.errors import SettingsError
from premortem.notify.outcome import Outcome, Verdict

_LATER = frozenset({408, 425, 429})
_MOST_ANSWER = 16_384
#: Whoever asks for more is asked again after this: a mistyped header must not silence a channel for a year.
_LONGEST = timedelta(hours=1)
_HIDDEN = "***"
_SHORTEST = 6


class _Quiet(logging.Filter):
    """Lets nothing through below a warning: what urllib3 says there names the path of each request."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


def _hush() -> None:
    log = logging.getLogger("urllib3.connectionpool")
    if not any(isinstance(one, _Quiet) for one in log.filters):
        log.addFilter(_Quiet())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: status, headers by lower-case name, and the beginning of the text."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(slots=True, kw_only=True)
class Wire:
    """A line to one address; `name` is what it is called in messages, `secrets` what must stand in none."""

    name: str
    url: str = field(repr=False)
    timeout: float = 10.0
    secrets: tuple[str, ...] = field(repr=False, default=())
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    _pool: urllib3.PoolManager | None = field(repr=False, default=None)

    def post(self, body: bytes, headers: Mapping[str, str], now: datetime, *, path: str = "") -> Outcome:
        """Send a body and return what became of it; it never raises over the network."""
        _hush()
        try:
            answer = self._answer(body, headers, path)
        except urllib3.exceptions.HTTPError as error:
            return Outcome(verdict=Verdict.LATER, says=self._silent(error), whole=True)
        except (OSError, ValueError) as error:
            said = f"{self.name} could not be asked: {type(error).__name__}"
            return Outcome(verdict=Verdict.LATER, says=said, whole=True)
        return judged(answer, self.name, self.hidden, now)

    def _answer(self, body: bytes, headers: Mapping[str, str], path: str) -> Answer:
        sent = {"User-Agent": f"premortem/{__version__}", "Content-Type": "application/json"}
        reply = self._open().request(
            "POST",
            joined(self.url, path),
            body=body,
            headers={**sent, **self.headers, **headers},
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            text = _beginning(reply, self.clock() + self.timeout, self.clock)
        finally:
            reply.close()
        return Answer(status=reply.status, headers={k.lower(): v for k, v in reply.headers.items()}, text=text)

    def _open(self) -> urllib3.PoolManager:
        if self._pool is None:
            self._pool = proxies.pool(self.url, urllib3.Timeout(connect=self.timeout, read=self.timeout))
        return self._pool

    def hidden(self, text: str) -> str:
        """Return a text without the address' secret parts and the tokens."""
        return hidden(text, (*secret_parts(self.url), *self.secrets))

    def _silent(self, error: Exception) -> str:
        return self.hidden(f"{self.name} does not answer: {_reason(error)}")


def judged(answer: Answer, name: str, hide: Callable[[str], str], now: datetime) -> Outcome:
    """Return what an answer means."""
    said = words.one_line(hide(answer.text[:400]))[:200]
    says = f"{name} answered {answer.status}" + (f": {said}" if said else "")
    if 200 <= answer.status < 300:
        return Outcome(verdict=Verdict.DONE, says=says, status=answer.status)
    if answer.status in _LATER or answer.status >= 500:
        after = waits(answer.headers.get("retry-after", ""), now)
        whole = answer.status == 429 or after is not None
        return Outcome(verdict=Verdict.LATER, says=says, status=answer.status, after=after, whole=whole)
    if 300 <= answer.status < 400:
        says = f"{name} answered {answer.status}, a redirect, which is not followed: a token is sent nowhere else"
    return Outcome(verdict=Verdict.NEVER, says=says, status=answer.status)


def waits(said: str, now: datetime) -> timedelta | None:
    """Return how long a Retry-After header asks to wait: seconds or a date; None where it says nothing readable.

    >>> from datetime import UTC
    >>> at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> waits("30", at), waits("Sun, 01 Mar 2026 12:00:10 GMT", at).total_seconds(), waits("soon", at)
    (datetime.timedelta(seconds=30), 10.0, None)
    """
    said = said.strip()
    if said.isdecimal() and len(said) < 10:
        return min(timedelta(seconds=int(said)), _LONGEST)
    try:
        then = parsedate_to_datetime(said)
        asked = then - now
    except (TypeError, ValueError):
        return None
    return min(max(asked, timedelta()), _LONGEST)


def checked(url: str, what: str) -> str:
    """Return an address that can be posted to; raises SettingsError, which does not show it."""
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or words.plain(url.strip()) != url.strip() or " " in url.strip():
        raise SettingsError(f"{what} is no http:// or https:// address", hint="look at it where the settings have it")
    return url.strip()


def joined(url: str, path: str) -> str:
    """Return an address with a path appended, and without the name and password that stand in it.

    >>> joined("http://u:p@am:9093/prefix/", "/api/v2/alerts"), joined("https://h/x?k=v", "")
    ('http://am:9093/prefix/api/v2/alerts', 'https://h/x?k=v')
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    full = parts.path.rstrip("/") + path if path else parts.path
    return parts._replace(netloc=host, path=full, fragment="").geturl()


def credentials(url: str) -> dict[str, str]:
    """Return the header of the name and password that stand in an address."""
    parts = urlsplit(url)
    if not parts.username:
        return {}
    name = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return dict(urllib3.make_headers(basic_auth=name))


def host(url: str) -> str:
    """Return the host of an address, empty where it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def secret_parts(url: str) -> tuple[str, ...]:
    """Return what of an address must not be said: all of it but the host.

    >>> secret_parts("https://hooks.example/services/T0/B0/abcdefgh")
    ('https://hooks.example/services/T0/B0/abcdefgh', '/services/T0/B0/abcdefgh', 'abcdefgh')
    """
    parts = urlsplit(url)
    rest = f"{parts.path}?{parts.query}" if parts.query else parts.path
    last = parts.path.rstrip("/").rpartition("/")[2]
    pieces = (url, rest, parts.path, last, parts.query, parts.password or "", parts.username or "")
    found = {piece: None for piece in pieces if len(piece) >= _SHORTEST}
    return tuple(dict.fromkeys(sorted(found, key=len, reverse=True)))


def hidden(text: str, secrets: Iterable[str]) -> str:
    """Return a text without these, the longest taken out first.

    >>> hidden("POST /services/T0/abcdefgh failed", ["abcdefgh", "/services/T0/abcdefgh"])
    'POST *** failed'
    """
    forms = {form for one in secrets for form in (one, unquote(one), one.removeprefix("Basic "))}
    for secret in sorted((form for form in forms if len(form) >= _SHORTEST), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def _beginning(reply: urllib3.BaseHTTPResponse, until: float, clock: Callable[[], float]) -> str:
    """Return the beginning of an answer's text; one that drips is left when the time is over."""
    got = b""
    while len(got) < _MOST_ANSWER and clock() < until:
        more = reply.read1(_MOST_ANSWER - len(got))
        if not more:
            break
        got += more
    return got.decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    """Return what went wrong without the addresses that urllib3 puts into its messages."""
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "no answer in time"
    text = str(error.args[-1] if error.args else "") or type(error).__name__
    text = text.split(": ", 1)[1] if text.startswith(("<", "HTTP")) and ": " in text else text
    return words.one_line(text)[:200]
