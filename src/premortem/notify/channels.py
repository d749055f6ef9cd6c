"""One sender for each kind of channel: what is sent where, and what to send instead where that is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

from premortem.errors import SettingsError
from premortem.model import Alert, Deploy
from premortem.notify import alertmanager, apprises, pagerduty, slack, webhook, wire
from premortem.notify.details import Json, encoded, listed
from premortem.notify.message import Digest, Message
from premortem.notify.outcome import Outcome, Verdict
from premortem.notify.wire import Wire
from premortem.settings import Channel

KINDS = ("slack", "pagerduty", "alertmanager", "webhook", "apprise")


class Sender(Protocol):
    """Tells one channel; never raises over the network, and says nothing secret."""

    @property
    def kind(self) -> str:
        """What kind of channel it is, as settings name it."""
        ...

    @property
    def shows_past(self) -> bool:
        """Whether the channel is to be told of what opened and closed before it could be told."""
        ...

    def send(self, message: Message, now: datetime) -> Outcome:
        """Tell a message."""
        ...

    def send_digest(self, digest: Digest, now: datetime) -> Outcome:
        """Tell several messages in one."""
        ...

    def announce(self, deploy: Deploy, id: str, now: datetime) -> Outcome:
        """Tell a deploy."""
        ...

    def keep(self, alerts: Sequence[Alert], now: datetime, *, link: str) -> Outcome | None:
        """Tell once more what is open, where the channel forgets; None where it does not."""
        ...


def sender(channel: Channel, *, url: str = "", token: str = "") -> Sender:
    """Return what tells a channel; `url` and `token` are its secrets, read.

    Raises SettingsError where the channel cannot work, without showing a secret.
    """
    what = f"the address of channel {channel.name}"
    if channel.kind == "apprise":
        return apprises.Apprise(name=_named(channel), url=_given(url, what), timeout=channel.timeout_seconds)
    if channel.kind == "pagerduty":
        key = _given(token, f"the token (integration key) of channel {channel.name}")
        return PagerDuty(wire=_wire(channel, wire.checked(url or pagerduty.HOST, what), token), key=key)
    if channel.kind not in KINDS:
        raise SettingsError(f"channel {channel.name} is of kind {channel.kind}", hint=f"kinds are {', '.join(KINDS)}")
    line = _wire(channel, wire.checked(_given(url, what), what), token)
    if channel.kind == "slack":
        return Slack(wire=line)
    if channel.kind == "webhook":
        return Webhook(wire=line, token=token)
    if token:
        line.headers = {**line.headers, "Authorization": f"Bearer {token}"}
    return Alertmanager(wire=line)


def _wire(channel: Channel, url: str, token: str) -> Wire:
    headers = wire.credentials(url)
    secrets = (token, *headers.values()) if token else tuple(headers.values())
    return Wire(name=_named(channel), url=url, timeout=channel.timeout_seconds, secrets=secrets, headers=headers)


def _named(channel: Channel) -> str:
    return f"{channel.name} ({channel.kind})" if channel.kind not in channel.name else channel.name


def _given(value: str, what: str) -> str:
    if not value:
        raise SettingsError(
            f"{what} is not given", hint='give it in the settings as { env = "NAME" } or { file = "…" }'
        )
    return value


def _refused(outcome: Outcome, status: int) -> bool:
    return outcome.verdict is Verdict.NEVER and outcome.status == status


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """An incoming webhook of Slack, or of what understands it."""

    wire: Wire
    kind: str = "slack"
    shows_past: bool = True

    def send(self, message: Message, now: datetime) -> Outcome:
        """Post a message; without blocks where Slack finds fault with them."""
        outcome = self._post(slack.payload(message), now)
        return self._post(slack.plain_payload(message), now) if _refused(outcome, 400) else outcome

    def send_digest(self, digest: Digest, now: datetime) -> Outcome:
        """Post several messages in one."""
        return self._post(slack.digest_payload(digest), now)

    def announce(self, deploy: Deploy, id: str, now: datetime) -> Outcome:
        """Post a deploy."""
        return self._post(slack.deploy_payload(deploy), now)

    def keep(self, alerts: Sequence[Alert], now: datetime, *, link: str) -> Outcome | None:
        """Do nothing: what is posted stays."""
        return None

    def _post(self, payload: dict[str, Json], now: datetime) -> Outcome:
        return self.wire.post(encoded(payload), {}, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDuty:
    """A service of PagerDuty; whether an event was taken twice is its dedup_key's business."""

    wire: Wire
    key: str = field(repr=False)
    kind: str = "pagerduty"
    shows_past: bool = False

    def send(self, message: Message, now: datetime) -> Outcome:
        """Send an event; the bare one where PagerDuty finds fault with the whole."""
        outcome = self._post(pagerduty.payload(message, self.key), now)
        return self._post(pagerduty.bare_payload(message, self.key), now) if _refused(outcome, 400) else outcome

    def send_digest(self, digest: Digest, now: datetime) -> Outcome:
        """Send several messages as one event."""
        return self._post(pagerduty.digest_payload(digest, self.key), now)

    def announce(self, deploy: Deploy, id: str, now: datetime) -> Outcome:
        """Send a change event."""
        return self._post(pagerduty.change_payload(deploy, self.key), now, pagerduty.CHANGES)

    def keep(self, alerts: Sequence[Alert], now: datetime, *, link: str) -> Outcome | None:
        """Do nothing: an incident stays."""
        return None

    def _post(self, body: bytes, now: datetime, path: str = pagerduty.EVENTS) -> Outcome:
        return self.wire.post(body, {}, now, path=path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alertmanager:
    """An Alertmanager; several of a cluster are several channels."""

    wire: Wire
    kind: str = "alertmanager"
    shows_past: bool = False

    def send(self, message: Message, now: datetime) -> Outcome:
        """Post an alert."""
        return self._post(alertmanager.payload(message, now), now)

    def send_digest(self, digest: Digest, now: datetime) -> Outcome:
        """Post every alert: grouping them is what Alertmanager is for."""
        return self._post([one for message in digest.messages for one in alertmanager.payload(message, now)], now)

    def announce(self, deploy: Deploy, id: str, now: datetime) -> Outcome:
        """Do nothing: Alertmanager knows no deploys."""
        return Outcome(verdict=Verdict.DONE, says=f"{self.wire.name} is told no deploys")

    def keep(self, alerts: Sequence[Alert], now: datetime, *, link: str) -> Outcome | None:
        """Post what is open once more."""
        return self._post(alertmanager.again(alerts, now, link=link), now) if alerts else None

    def _post(self, alerts: list[Json], now: datetime) -> Outcome:
        return self.wire.post(listed(alerts), {}, now, path=_path(self.wire.url))


def _path(url: str) -> str:
    """Return what is to be appended to Alertmanager's address; nothing where the whole one is given."""
    return "" if urlsplit(url).path.rstrip("/").endswith(alertmanager.ALERTS) else alertmanager.ALERTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Any web service that takes CloudEvents."""

    wire: Wire
    token: str = field(repr=False, default="")
    kind: str = "webhook"
    shows_past: bool = True

    def send(self, message: Message, now: datetime) -> Outcome:
        """Send the event of a message."""
        return self._post(message.id, webhook.payload(message), now)

    def send_digest(self, digest: Digest, now: datetime) -> Outcome:
        """Send several messages as one event."""
        return self._post(digest.id, webhook.digest_payload(digest), now)

    def announce(self, deploy: Deploy, id: str, now: datetime) -> Outcome:
        """Send the event of a deploy."""
        return self._post(id, webhook.deploy_payload(deploy, id), now)

    def keep(self, alerts: Sequence[Alert], now: datetime, *, link: str) -> Outcome | None:
        """Do nothing: an event has happened."""
        return None

    def _post(self, id: str, body: bytes, now: datetime) -> Outcome:
        signed = webhook.signature(id, now, body, self.token) if self.token else {}
        return self.wire.post(body, {"Content-Type": webhook.CONTENT_TYPE, **signed}, now)
