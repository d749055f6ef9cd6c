"""What hurts now as JSON, for programs: fields are only ever added, and times are UTC."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

from premortem.model import Action, Deploy, Diagnosis, Gap, Hurt, Json, Now, Pool, Ran, Seats, Statement, Window
from premortem.report.look import Look

#: The number of the contract; it changes only when a field goes away or changes its meaning.
FORMAT = 1


def render(now: Now, look: Look) -> str:
    """Return the look as a JSON document, ended by a newline."""
    return json.dumps(document(now), indent=2, allow_nan=False) + "\n"


def document(now: Now) -> dict[str, Json]:
    """Return the look as JSON values."""
    return {
        "format": FORMAT,
        "verdict": now.verdict.value,
        "exit_code": now.verdict.exit_code,
        "place": now.place,
        "at": _at(now.at),
        "version": now.version,
        "in_recovery": now.in_recovery,
        "looked_seconds": _seconds(now.looked),
        "took_seconds": _seconds(now.took),
        "blind": now.blind,
        "active_sessions": now.sessions,
        "connections": _seats(now.seats) if now.seats else None,
        "pools": [_pool(p) for p in now.pools],
        "hurts": [_hurt(h) for h in now.hurts],
        "ran": [_ran(r) for r in now.ran],
        "gaps": [_gap(g) for g in now.gaps],
    }


def _hurt(hurt: Hurt) -> dict[str, Json]:
    return {
        "kind": hurt.kind.value,
        "subject": hurt.subject,
        "says": hurt.says,
        "database": hurt.database,
        "busy": _figure(hurt.busy),
        "sessions": hurt.sessions,
        "statement": _statement(hurt.statement) if hurt.statement else None,
        "window": _window(hurt.window) if hurt.window else None,
        "texts": list(hurt.texts),
        "why": why(hurt.why) if hurt.why else None,
    }


def why(found: Diagnosis) -> dict[str, Json]:
    """Return a diagnosis as JSON values."""
    return {
        "cause": found.cause.value,
        "says": found.says,
        "confidence": _figure(found.confidence),
        "table": str(found.table) if found.table else None,
        "index": found.index or None,
        "first_seen": _at(found.first_seen) if found.first_seen else None,
        "suspects": [
            {"deploy": _deploy(s.deploy), "basis": s.basis, "confidence": _figure(s.confidence)} for s in found.suspects
        ],
        "nothing_shipped": found.nothing_shipped,
        "actions": [_action(a) for a in found.actions],
        "evidence": [
            {"name": e.name, "value": e.value if isinstance(e.value, str) else _figure(e.value), "unit": e.unit,
             "source": e.source.value}
            for e in found.evidence
        ],
        "plan": found.plan,
        "plan_basis": found.plan_basis,
        "gaps": [_gap(g) for g in found.gaps],
        "took_seconds": _seconds(found.took),
    }  # fmt: skip


def _action(action: Action) -> dict[str, Json]:
    return {
        "says": action.says,
        "sql": list(action.sql),
        "undo": list(action.undo),
        "command": action.command,
        "proof": action.proof,
        "takes_seconds": _seconds(action.takes),
    }


def _deploy(deploy: Deploy) -> dict[str, Json]:
    return {
        "service": deploy.service,
        "revision": deploy.revision,
        "at": _at(deploy.at),
        "author": deploy.author,
        "url": deploy.url,
        "says": deploy.says,
        "environment": deploy.environment,
        "source": deploy.source,
    }


def _statement(statement: Statement) -> dict[str, Json]:
    return {
        "fingerprint": statement.fingerprint,
        "text": statement.text,
        "database": statement.database,
        "role": statement.role,
        "tables": [str(t) for t in statement.tables],
        "tags": dict(statement.tags),
    }


def _window(window: Window) -> dict[str, Json]:
    return {
        "seconds": _seconds(window.covered),
        "calls": window.calls,
        "mean_ms": _figure(window.mean_ms),
        "total_ms": _figure(window.total_ms),
        "rows": window.rows,
        "shared_read": window.shared_read,
        "busy": _figure(window.busy),
        "share": _figure(window.share),
        "toplevel": window.toplevel,
    }


def _ran(one: Ran) -> dict[str, Json]:
    return {
        "fingerprint": one.statement.fingerprint,
        "text": one.statement.text,
        "database": one.statement.database,
        "calls": one.calls,
        "mean_ms": _figure(one.mean_ms),
        "busy": _figure(one.busy),
        "share": _figure(one.share),
    }


def _seats(seats: Seats) -> dict[str, Json]:
    return {
        "most": seats.most,
        "reserved": seats.reserved,
        "taken": seats.taken,
        "active": seats.active,
        "idle_in_transaction": seats.idle_in_transaction,
        "by_application": [
            {"database": of[0], "role": of[1], "application": of[2], "count": count}
            for of, count in seats.by_application
        ],
    }


def _pool(pool: Pool) -> dict[str, Json]:
    return {
        "pooler": pool.pooler,
        "database": pool.database,
        "user": pool.user,
        "mode": pool.mode,
        "size": pool.size,
        "clients_active": pool.clients_active,
        "clients_waiting": pool.clients_waiting,
        "servers_active": pool.servers_active,
        "servers_idle": pool.servers_idle,
        "longest_wait_seconds": _seconds(pool.longest_wait),
    }


def _gap(gap: Gap) -> dict[str, Json]:
    return {"subject": gap.subject, "says": gap.says, "effect": gap.effect, "cure": gap.cure}


def _at(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else round(length.total_seconds(), 3)


def _figure(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)
