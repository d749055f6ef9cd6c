"""What a watcher would commit, in few words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from premortem.model import (
    Alert,
    AlertChange,
    AlertKind,
    Confidence,
    RelationName,
    Statement,
    StatementKey,
    Turn,
    Urgency,
    alert_key,
)
from premortem.watch.deltas import Delta

NOON = datetime(2026, 3, 24, 12, 0, 0, tzinfo=UTC)
POLL = timedelta(seconds=15)


def key(number: int, *, toplevel: bool = True) -> StatementKey:
    return StatementKey(dbid=16384, userid=10, toplevel=toplevel, queryid=number)


def statement(number: int, text: str = "", *, database: str = "shop", table: str = "orders") -> Statement:
    return Statement(
        fingerprint=f"{number:016x}",
        text=text or f"select * from {table} where column_{number} = $1",
        database=database,
        tables=(RelationName(schema="public", name=table),),
    )


def statements(*numbers: int) -> dict[StatementKey, Statement]:
    return {key(number, toplevel=top): statement(number) for number in numbers for top in (True, False)}


def delta(
    number: int,
    end: datetime,
    *,
    calls: int = 1,
    mean: float = 2.0,
    is_new: bool = False,
    toplevel: bool = True,
    doubts: tuple[str, ...] = (),
) -> Delta:
    return Delta(
        key=key(number, toplevel=toplevel),
        start=end - POLL,
        end=end,
        calls=calls,
        total_ms=calls * mean,
        squares=calls * mean * mean,
        rows=calls,
        is_new=is_new,
        doubts=doubts,
        confidence=Confidence.LOW if doubts else Confidence.HIGH,
    )


def alert(*, opened_at: datetime = NOON, turns: int = 1, subject: str = "a", instance: str = "db-1") -> Alert:
    return Alert(
        key=alert_key(instance, "shop", AlertKind.SLOW, subject),
        kind=AlertKind.SLOW,
        instance=instance,
        database="shop",
        subject=subject,
        says="it is slow",
        urgency=Urgency.PAGE,
        opened_at=opened_at,
        changed_at=opened_at + (turns - 1) * POLL,
        turns=turns,
        statement=statement(1),
    )


def change(turn: Turn = Turn.OPENED, *, turns: int = 1, subject: str = "a", instance: str = "db-1") -> AlertChange:
    found = alert(turns=turns, subject=subject, instance=instance)
    if turn is Turn.CLOSED:
        found = closed(found)
    return AlertChange(turn=turn, alert=found, at=found.changed_at)


def closed(found: Alert) -> Alert:
    from dataclasses import replace

    return replace(found, closed_at=found.changed_at)
