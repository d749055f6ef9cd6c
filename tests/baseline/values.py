"""Accepted queries, made by hand."""

from __future__ import annotations

from datetime import date

from premortem import sources
from premortem.model import Accepted, AcceptedFinding, Query, RelationName, Severity, Site


def query(sql: str, source: str = "q.sql", line: int = 1, name: str | None = None) -> Query:
    (found,) = sources.text(sql, Site(source=source, line=line, name=name))
    assert isinstance(found, Query)
    return found


def accepted(
    sql: str, source: str = "q.sql", line: int | None = 1, name: str | None = None, **more: object
) -> Accepted:
    made = query(sql)
    return Accepted(
        fingerprint=made.fingerprint,
        text=made.text,
        site=Site(source=source, line=line, name=name),
        shape=("Limit", "  Index Scan using orders_pkey on orders"),
        rows_read=120.0,
        cost=8.6,
        tables=((RelationName(schema="public", name="orders"), 2_100_000.0),),
        indexes=(RelationName(schema="public", name="orders_pkey"),),
        facts=f"0.1 rules:a query:{made.fingerprint} server:c schema:d statistics:e",
        findings=(finding(),),
        **more,  # type: ignore[arg-type]
    )


def finding(until: date | None = None, severity: Severity = Severity.ERROR) -> AcceptedFinding:
    return AcceptedFinding(
        key="seq-scan-discards-rows:public.orders:status", severity=severity, reason="adopted 2026-01-01", until=until
    )
