"""Any web service: CloudEvents 1.0 in structured mode, signed as Standard Webhooks asks where there is a token.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and https://www.standardwebhooks.com: the signature
is of `id.timestamp.body`, so that a receiver can refuse what is forged and what is replayed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from premortem.model import Deploy
from premortem.notify import naming
from premortem.notify.details import Json, deploy_details, details, digest_details, fitted
from premortem.notify.message import Digest, Message, Stage

#: What CloudEvents asks intermediaries to carry at least is 64 kB; receivers of alerts take more, queues may not.
MOST_BYTES = 256_000
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
_PREFIX = "whsec_"


def payload(message: Message) -> bytes:
    """Return the event of a message; its `id` is the change's, by which a receiver knows it again."""
    alert = message.change.alert
    head: dict[str, Json] = {
        "id": message.id,
        "type": f"premortem.alert.{'test' if message.test else _turn(message)}",
        "source": f"/premortem/{naming.in_url(alert.instance)}",
        "subject": alert.key,
        "time": message.change.at.isoformat(),
    }
    return _event(head, details(message))


def _turn(message: Message) -> str:
    """Return what became of the alert as this receiver sees it: the first that it hears is that it opened."""
    return "closed" if message.stage is Stage.PAST else message.stage.value


def digest_payload(digest: Digest) -> bytes:
    """Return several messages as one event."""
    head: dict[str, Json] = {"id": digest.id, "type": "premortem.alerts.digest", "source": "/premortem"}
    return _event({**head, "time": digest.at.isoformat()}, digest_details(digest))


def deploy_payload(deploy: Deploy, id: str) -> bytes:
    """Return the event of a deploy."""
    head: dict[str, Json] = {
        "id": id,
        "type": "premortem.deploy.recorded",
        "source": "/premortem",
        "subject": naming.in_url(deploy.service) or "service",
        "time": deploy.at.isoformat(),
    }
    return _event(head, deploy_details(deploy))


def _event(head: dict[str, Json], content: dict[str, Json]) -> bytes:
    fixed: dict[str, Json] = {"specversion": "1.0", "datacontenttype": "application/json"}
    return fitted(lambda fit: {**fixed, **head, "data": fit}, content, MOST_BYTES)


def signature(id: str, now: datetime, body: bytes, token: str) -> dict[str, str]:
    """Return the headers by which a receiver knows that a body is ours and of now."""
    stamp = str(int(now.timestamp()))
    signed = hmac.new(_key(token), f"{id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    shown = base64.b64encode(signed).decode("ascii")
    return {"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{shown}"}


def _key(token: str) -> bytes:
    """Return the key's bytes: `whsec_` and base64, as Standard Webhooks writes it, or the token itself."""
    if token.startswith(_PREFIX):
        try:
            return base64.b64decode(token.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            pass
    return token.encode()
