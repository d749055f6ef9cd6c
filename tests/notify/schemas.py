"""What each channel takes, as JSON Schemas of our own, written from the vendors' documentation.

PagerDuty     https://developer.pagerduty.com/docs/send-alert-event and …/send-change-event (fields, 255, 1,024)
Slack         https://docs.slack.dev/reference/block-kit/blocks and …/messaging/sending-messages-using-incoming-webhooks
Alertmanager  api/v2/openapi.yaml of prometheus/alertmanager: postableAlerts
CloudEvents   cloudevents/spec v1.0.2, the attributes and the JSON format
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

_TEXT = {"type": "string", "minLength": 1}
_TIME = {"type": "string", "format": "date-time"}
_LINKS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["href"],
        "additionalProperties": False,
        "properties": {"href": {"type": "string", "pattern": "^https?://"}, "text": {"type": "string"}},
    },
}
_KEY = {"type": "string", "minLength": 1, "maxLength": 32}

PAGERDUTY: dict[str, Any] = {
    "type": "object",
    "required": ["routing_key", "event_action"],
    "additionalProperties": False,
    "properties": {
        "routing_key": _KEY,
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "minLength": 1, "maxLength": 255},
        "client": {"type": "string"},
        "client_url": {"type": "string"},
        "links": _LINKS,
        "payload": {
            "type": "object",
            "required": ["summary", "source", "severity"],
            "additionalProperties": False,
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": _TEXT,
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": _TIME,
                "component": _TEXT,
                "group": _TEXT,
                "class": _TEXT,
                "custom_details": {"type": "object"},
            },
        },
    },
    "if": {"properties": {"event_action": {"const": "trigger"}}},
    "then": {"required": ["payload"]},
    "else": {"required": ["dedup_key"]},
}

PAGERDUTY_CHANGE: dict[str, Any] = {
    "type": "object",
    "required": ["routing_key", "payload"],
    "additionalProperties": False,
    "properties": {
        "routing_key": _KEY,
        "links": _LINKS,
        "payload": {
            "type": "object",
            "required": ["summary"],
            "additionalProperties": False,
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": {"type": "string"},
                "timestamp": _TIME,
                "custom_details": {"type": "object"},
            },
        },
    },
}


def _plain(most: int) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type", "text"],
        "additionalProperties": False,
        "properties": {
            "type": {"const": "plain_text"},
            "text": {"type": "string", "minLength": 1, "maxLength": most},
            "emoji": {"type": "boolean"},
        },
    }


def _mrkdwn(most: int) -> dict[str, Any]:
    """A text of ours: `verbatim`, and escaped, so that Slack makes neither links nor mentions of it."""
    escaped = r"^([^<>&]|&(amp|lt|gt);)*$"
    return {
        "type": "object",
        "required": ["type", "text", "verbatim"],
        "additionalProperties": False,
        "properties": {
            "type": {"const": "mrkdwn"},
            "text": {"type": "string", "minLength": 1, "maxLength": most, "pattern": escaped},
            "verbatim": {"const": True},
        },
    }


def _block(kind: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type"],
        "additionalProperties": False,
        "properties": {"type": {"const": kind}, **properties},
    }


_BUTTON = {
    "type": "object",
    "required": ["type", "text", "url"],
    "additionalProperties": False,
    "properties": {"type": {"const": "button"}, "text": _plain(75), "url": {"type": "string", "maxLength": 3000}},
}

SLACK: dict[str, Any] = {
    "type": "object",
    "required": ["text", "mrkdwn"],
    "additionalProperties": False,
    "properties": {
        "text": {"type": "string", "minLength": 1, "maxLength": 4000, "pattern": r"^([^<>&]|&(amp|lt|gt);)*$"},
        "mrkdwn": {"const": False},
        "unfurl_links": {"const": False},
        "unfurl_media": {"const": False},
        "blocks": {
            "type": "array",
            "minItems": 1,
            "maxItems": 50,
            "items": {
                "oneOf": [
                    _block("header", text=_plain(150)),
                    _block("section", text=_mrkdwn(3000)) | {"required": ["type", "text"]},
                    _block("section", fields={"type": "array", "minItems": 1, "maxItems": 10, "items": _mrkdwn(2000)})
                    | {"required": ["type", "fields"]},
                    _block("actions", elements={"type": "array", "minItems": 1, "maxItems": 25, "items": _BUTTON}),
                    _block(
                        "context", elements={"type": "array", "minItems": 1, "maxItems": 10, "items": _mrkdwn(2000)}
                    ),
                ]
            },
        },
    },
}

_LABELS = ("alertname", "instance", "datname", "fingerprint", "service", "severity")
#: The label set is narrower than Alertmanager's: nothing that moves may be a part of an alert's identity.
ALERTMANAGER: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["labels"],
        "additionalProperties": False,
        "properties": {
            "labels": {
                "type": "object",
                "required": ["alertname", "instance", "severity", "fingerprint"],
                "additionalProperties": False,
                "properties": dict.fromkeys(
                    ("alertname", "instance", "datname", "fingerprint", "service", "severity"), _TEXT
                ),
            },
            "annotations": {
                "type": "object",
                "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"},
                "additionalProperties": _TEXT,
            },
            "startsAt": _TIME,
            "endsAt": _TIME,
            "generatorURL": {"type": "string", "format": "uri"},
        },
    },
}

_TURNS = "test|opened|worse|better|diagnosed|closed"
CLOUDEVENT: dict[str, Any] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "additionalProperties": False,
    "properties": {
        "specversion": {"const": "1.0"},
        "id": _TEXT,
        "source": {"type": "string", "minLength": 1, "format": "uri-reference"},
        "type": {"type": "string", "pattern": rf"^premortem\.(alert\.({_TURNS})|alerts\.digest|deploy\.recorded)$"},
        "subject": _TEXT,
        "time": _TIME,
        "datacontenttype": {"const": "application/json"},
        "data": {"type": "object"},
    },
}


def mistakes(payload: Any, schema: dict[str, Any]) -> list[str]:
    """Return what is wrong with a payload."""
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    return [f"{'/'.join(map(str, error.path))}: {error.message[:300]}" for error in validator.iter_errors(payload)]
