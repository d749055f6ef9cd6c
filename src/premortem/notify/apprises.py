"""E-mail and everything else that Apprise reaches: the message as text, to one address of Apprise's.

Apprise says yes or no and logs the reason; what it logs is taken from its answer, its own log goes nowhere, for at
DEBUG it holds addresses with their passwords.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from premortem import words
from premortem.errors import SettingsError
from premortem.model import Alert, Deploy, Urgency
from premortem.notify import text, wire
from premortem.notify.message import Digest, Message
from premortem.notify.outcome import Outcome, Verdict

if TYPE_CHECKING:
    import apprise

#: How Apprise's own plugins say an HTTP status: "…, error=404."
_STATUS = re.compile(r"\berror=(\d{3})\b")
_LATER = frozenset({408, 425, 429})


@dataclass(slots=True, kw_only=True)
class Apprise:
    """One address of Apprise's, `mailto://…` or any of its other schemes."""

    name: str
    url: str = field(repr=False)
    timeout: float = 10.0
    kind: str = "apprise"
    shows_past: bool = True
    _opened: apprise.Apprise | None = field(repr=False, default=None)

    def __post_init__(self) -> None:
        self._open()

    def send(self, message: Message, now: datetime) -> Outcome:
        """Send a message."""
        urgency = _OVER if message.is_over else _TYPES[message.urgency]
        return self._notify(text.subject(message), text.body(message), urgency)

    def send_digest(self, digest: Digest, now: datetime) -> Outcome:
        """Send several messages in one."""
        return self._notify(digest.title, text.digest_body(digest), "warning")

    def announce(self, deploy: Deploy, id: str, now: datetime) -> Outcome:
        """Send a deploy."""
        said = text.shipped(deploy)
        return self._notify(said, text.harmless(words.plain(deploy.says[:2000])) or said, "info")

    def keep(self, alerts: Sequence[Alert], now: datetime, *, link: str) -> Outcome | None:
        """Do nothing: what is sent stays."""
        return None

    def _notify(self, title: str, body: str, urgency: str) -> Outcome:
        result = self._open().notify(
            body=body, title=title, notify_type=urgency, body_format="text", timeout=3 * self.timeout
        )
        if result:
            return Outcome(verdict=Verdict.DONE, says=f"{self.name} took it")
        said = " ".join(entry.message for entry in result.logs())
        return _failed(self.name, words.one_line(wire.hidden(said[:2000], self._secrets()))[:300])

    def _open(self) -> apprise.Apprise:
        if self._opened is None:
            self._opened = _opened(self.url, self.name)
        return self._opened

    def _secrets(self) -> tuple[str, ...]:
        """Return what must not be said: what stands in the address between separators, but for its host."""
        host = wire.host(self.url)
        pieces = re.split(r"[:/?&=@,]+", self.url)
        return (self.url, *(piece for piece in pieces if piece and piece != host))


_TYPES = {Urgency.PAGE: "failure", Urgency.TICKET: "warning"}
_OVER = "success"


def _failed(name: str, said: str) -> Outcome:
    found = _STATUS.search(said)
    status = int(found[1]) if found else None
    says = f"{name} could not be told" + (f": {said}" if said else "")
    refused = status is not None and 400 <= status < 500 and status not in _LATER
    return Outcome(verdict=Verdict.NEVER if refused else Verdict.LATER, says=says, status=status, whole=status == 429)


def _opened(url: str, name: str) -> apprise.Apprise:
    try:
        import apprise
    except ImportError as error:
        hint = "pip install 'premortem[watch]'"
        raise SettingsError(f"channel {name} is told through Apprise, which is not installed", hint=hint) from error
    log = logging.getLogger("apprise")
    log.propagate = False
    log.addHandler(logging.NullHandler())
    asset = apprise.AppriseAsset(app_id="premortem", app_desc="premortem", app_url="", secure_logging=True)
    opened = apprise.Apprise(asset=asset)
    if not opened.add(url) or len(opened) != 1:
        hint = "the forms of addresses: https://appriseit.com/services/; one address for each channel"
        raise SettingsError(f"the address of channel {name} is none that Apprise knows", hint=hint)
    return opened
