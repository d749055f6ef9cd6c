"""The message as JSON: what PagerDuty shows under an incident and what webhooks are sent (docs/reference/alert.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeAlias

from premortem import words
from premortem.model import Action, Alert, Deploy, Diagnosis, Evidence, Statement, Suspect, Window
from premortem.notify.message import Digest, Message

VERSION = 1
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
#: What strings are cut to, one after the other, until the whole fits.
_CUTS = (20_000, 5_000, 1_000, 200, 60)
#: What lists are cut to, along with strings.
_MOST_ITEMS = 100


def details(message: Message) -> dict[str, Json]:
    """Return the whole of a message as JSON."""
    alert = message.change.alert
    return {
        "version": VERSION,
        "test": message.test,
        "stage": message.stage.value,
        "title": message.title,
        "why": message.why,
        "says": message.says,
        "notes": list(message.notes),
        "late": message.late,
        "links": [{"text": one.text, "url": one.url} for one in message.links],
        "facts": {one.name: one.value for one in message.facts},
        **_alert(alert),
        "statement": _statement(alert.statement) if alert.statement else None,
        "window": _window(alert.window) if alert.window else None,
        "diagnosis": _diagnosis(alert.diagnosis) if alert.diagnosis else None,
    }


def digest_details(digest: Digest) -> dict[str, Json]:
    """Return several messages in one as JSON: of each what tells it apart."""
    return {
        "version": VERSION,
        "title": digest.title,
        "why": digest.why,
        "alerts": [_brief(one) for one in digest.messages],
    }


def _brief(message: Message) -> Json:
    return {
        "id": message.id,
        "stage": message.stage.value,
        "title": message.title,
        "why": message.why,
        **_alert(message.change.alert),
    }


def _alert(alert: Alert) -> dict[str, Json]:
    return {
        "key": alert.key,
        "kind": alert.kind.value,
        "instance": alert.instance,
        "database": alert.database,
        "subject": alert.subject,
        "urgency": alert.urgency.value,
        "opened_at": _time(alert.opened_at),
        "changed_at": _time(alert.changed_at),
        "closed_at": _time(alert.closed_at),
        "value": alert.value,
        "limit": alert.limit,
        "unit": alert.unit,
        "worst": alert.worst,
        "provisional": alert.provisional,
        "services": list(alert.services),
        "owners": list(alert.owners),
        "evidence": [_evidence(one) for one in alert.evidence],
    }


def _statement(statement: Statement) -> Json:
    return {
        "fingerprint": statement.fingerprint,
        "text": words.shortened(statement.text, _CUTS[0]),
        "tables": [one.short for one in statement.tables],
        "role": statement.role,
        "tags": dict(statement.tags),
    }


def _window(window: Window) -> Json:
    return {
        "ends_at": _time(window.ends_at),
        "seconds": window.length.total_seconds(),
        "covered_seconds": window.covered.total_seconds(),
        "calls": window.calls,
        "mean_ms": window.mean_ms,
        "share": window.share,
        "busy": window.busy,
        "confidence": window.confidence.value,
        "doubts": list(window.doubts),
    }


def _diagnosis(diagnosis: Diagnosis) -> Json:
    return {
        "cause": diagnosis.cause.value,
        "says": diagnosis.says,
        "confidence": diagnosis.confidence,
        "table": diagnosis.table.short if diagnosis.table else None,
        "index": diagnosis.index,
        "first_seen": _time(diagnosis.first_seen),
        "introduced_by": [_suspect(one) for one in diagnosis.suspects],
        "nothing_shipped": diagnosis.nothing_shipped,
        "actions": [_action(one) for one in diagnosis.actions],
        "evidence": [_evidence(one) for one in diagnosis.evidence],
        "plan": diagnosis.plan,
        "plan_basis": diagnosis.plan_basis,
        "gaps": [{"subject": one.subject, "says": one.says, "cure": one.cure} for one in diagnosis.gaps],
    }


def _suspect(suspect: Suspect) -> Json:
    return {**deploy_details(suspect.deploy), "basis": suspect.basis, "confidence": suspect.confidence}


def deploy_details(deploy: Deploy) -> dict[str, Json]:
    """Return a deploy as JSON."""
    return {
        "service": deploy.service,
        "revision": deploy.revision,
        "at": _time(deploy.at),
        "author": deploy.author,
        "url": deploy.url,
        "environment": deploy.environment,
        "says": deploy.says,
    }


def _action(action: Action) -> Json:
    return {
        "says": action.says,
        "sql": list(action.sql),
        "undo": list(action.undo),
        "command": action.command,
        "proof": action.proof,
        "takes_seconds": action.takes.total_seconds() if action.takes else None,
    }


def _evidence(evidence: Evidence) -> Json:
    return {"name": evidence.name, "value": evidence.value, "unit": evidence.unit, "source": evidence.source.value}


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def encoded(payload: Mapping[str, Json]) -> bytes:
    """Return JSON that every reader takes: ASCII, no NaN, no half of a surrogate pair."""
    return json.dumps(payload, allow_nan=False, separators=(",", ":")).encode("ascii")


def listed(payload: list[Json]) -> bytes:
    """Return a list as JSON, as `encoded` does."""
    return json.dumps(payload, allow_nan=False, separators=(",", ":")).encode("ascii")


def fitted(made: Callable[[dict[str, Json]], dict[str, Json]], content: dict[str, Json], most: int) -> bytes:
    """Return `made(content)` encoded in at most `most` bytes: long texts are cut, the longest first.

    What stands around the content is not cut; it is short.
    """
    for cut in _CUTS:
        said = encoded(made({name: _cut(value, cut) for name, value in content.items()}))
        if len(said) <= most:
            return said
    return encoded(made({"left_out": "everything: it is too long for this channel"}))


def _cut(value: Json, most: int) -> Json:
    """Return JSON with its strings made visible and cut, and its lists cut, each with a word on what is missing."""
    if isinstance(value, str):
        return words.plain(words.shortened(value, most))
    if isinstance(value, float):
        return value if abs(value) < 1e300 else None  # also inf and nan, which JSON has no word for
    if isinstance(value, list):
        kept = [_cut(one, most) for one in value[:_MOST_ITEMS]]
        return kept if len(value) <= _MOST_ITEMS else [*kept, f"… {len(value) - _MOST_ITEMS} more"]
    if isinstance(value, dict):
        return {words.plain(words.shortened(k, 200)): _cut(v, most) for k, v in list(value.items())[:_MOST_ITEMS]}
    return value
