"""PagerDuty's Events API v2: an incident opens, gets its diagnosis and is resolved under one dedup_key; deploys are
change events, which PagerDuty shows beside an incident.

Limits, https://developer.pagerduty.com/docs/events-api-v2: 512,000 bytes of an event, 1,024 characters of a summary,
255 of a dedup_key.
"""

from __future__ import annotations

from premortem import words
from premortem.model import Deploy, Urgency
from premortem.notify import naming
from premortem.notify.details import Json, deploy_details, details, digest_details, fitted
from premortem.notify.message import Digest, Message
from premortem.notify.text import harmless, shipped

HOST = "https://events.pagerduty.com"
EVENTS = "/v2/enqueue"
CHANGES = "/v2/change/enqueue"
MOST_BYTES = 480_000
MOST_SUMMARY = 1_024
_CLIENT = "premortem"
_SEVERITIES = {Urgency.PAGE: "critical", Urgency.TICKET: "warning"}


def payload(message: Message, key: str) -> bytes:
    """Return the event of a message: `resolve` where it is over, `trigger` else, which also brings the news."""
    return fitted(lambda content: _event(message, key, content), details(message), MOST_BYTES)


def bare_payload(message: Message, key: str) -> bytes:
    """Return the event with what PagerDuty insists on, for where it refuses the whole one."""
    return fitted(lambda content: _event(message, key, {}), {}, MOST_BYTES)


def _event(message: Message, key: str, content: dict[str, Json]) -> dict[str, Json]:
    head: dict[str, Json] = {"routing_key": key, "dedup_key": message.key}
    if message.is_over:
        return {**head, "event_action": "resolve"}
    links: list[Json] = [{"href": one.url, "text": one.text} for one in message.links]
    event = {**head, "event_action": "trigger", "payload": _payload(message, content), "client": _CLIENT}
    return {**event, "links": links, "client_url": message.links[0].url} if links else event


def _payload(message: Message, content: dict[str, Json]) -> Json:
    alert = message.change.alert
    diagnosis = alert.diagnosis
    table = diagnosis.table.short if diagnosis and diagnosis.table else naming.what(alert)
    said: dict[str, Json] = {
        "summary": _summary(message),
        "source": naming.where(alert) or _CLIENT,
        "severity": "info" if message.test else _SEVERITIES[message.urgency],
        "timestamp": alert.opened_at.isoformat(),
        "component": naming.short(table),
        "group": naming.short(", ".join(alert.services)) or naming.short(alert.instance),
        "class": diagnosis.cause.value if diagnosis else alert.kind.value,
    }
    shown: dict[str, Json] = {name: value for name, value in said.items() if value}
    return shown | {"custom_details": content} if content else shown


def _summary(message: Message) -> str:
    mark = "TEST: " if message.test else ""
    first = message.why.split(". ", 1)[0] if message.why else ""
    said = f"{mark}{message.title}. {first}" if first else f"{mark}{message.title}"
    return words.shortened(harmless(words.one_line(said)), MOST_SUMMARY)


def digest_payload(digest: Digest, key: str) -> bytes:
    """Return several messages as one event; a person resolves it, for its alerts resolve on their own."""
    urgent = any(one.urgency is Urgency.PAGE and not one.is_over for one in digest.messages)
    severity = _SEVERITIES[Urgency.PAGE if urgent else Urgency.TICKET]

    def made(content: dict[str, Json]) -> dict[str, Json]:
        said: Json = {
            "summary": words.shortened(f"{digest.title}. {digest.why}", MOST_SUMMARY),
            "source": _CLIENT,
            "severity": severity,
            "timestamp": digest.at.isoformat(),
            "class": "digest",
            "custom_details": content,
        }
        return {"routing_key": key, "dedup_key": digest.id[:255], "event_action": "trigger", "payload": said}

    return fitted(made, digest_details(digest), MOST_BYTES)


def change_payload(deploy: Deploy, key: str) -> bytes:
    """Return a deploy as a change event."""

    def made(content: dict[str, Json]) -> dict[str, Json]:
        said: Json = {
            "summary": words.shortened(shipped(deploy), MOST_SUMMARY),
            "source": naming.short(deploy.service) or _CLIENT,
            "timestamp": deploy.at.isoformat(),
            "custom_details": content,
        }
        links: list[Json] = [{"href": deploy.url, "text": "Deploy"}] if naming.is_web(deploy.url) else []
        return {"routing_key": key, "payload": said, "links": links}

    return fitted(made, deploy_details(deploy), MOST_BYTES)
