"""The answer as JSON, for programs: a written contract (docs/reference/indexing.schema.json).

Fields are only ever added; whoever reads it ignores those that they do not know.  A query stands once in `queries`, and
everything else refers to it by its place there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from premortem.model import (
    Declined,
    Drop,
    Explained,
    FrontierPoint,
    Gain,
    Gap,
    IndexCandidate,
    Indexing,
    Json,
    Kept,
    Query,
    Recommendation,
    RelationName,
    Unreadable,
    Upkeep,
)
from premortem.report.look import Look

#: The number of the contract; it changes only when a field goes away or changes its meaning.
FORMAT = 1


def render(found: Indexing, look: Look) -> str:
    """Return the answer as a JSON document, ended by a newline."""
    return json.dumps(document(found), indent=2, allow_nan=False) + "\n"


@dataclass(slots=True)
class _Queries:
    """The queries that were named so far, in their order."""

    places: dict[tuple[str, str], int] = field(default_factory=dict)
    found: list[Query] = field(default_factory=list)

    def place(self, query: Query) -> int:
        """Return the query's place, a new one for a new query."""
        key = (query.text, str(query.site))
        if key not in self.places:
            self.places[key] = len(self.found)
            self.found.append(query)
        return self.places[key]


def document(found: Indexing) -> dict[str, Json]:
    """Return the answer as JSON values."""
    queries = _Queries()
    told: dict[str, Json] = {
        "format": FORMAT,
        "summary": _summary(found),
        "recommendations": [_recommendation(r, queries) for r in found.recommendations],
        "drops": [_drop(d) for d in found.drops],
        "kept": [_kept(k) for k in found.kept],
        "frontier": [_point(p) for p in found.frontier],
        "declined": [_declined(d) for d in found.declined],
        "asked": [_asked(a, queries) for a in found.asked],
        "slower": _gains(found.slower, queries),
        "refuted": _texts(found.lies),
        "hints": _texts(found.hints),
    }
    return {
        **told,
        "queries": [_query(q) for q in queries.found],
        "unreadable": [_unreadable(u) for u in found.unreadable],
        "gaps": [_gap(g) for g in found.gaps],
        "effort": _effort(found),
        "facts": _facts(found),
    }


def _summary(found: Indexing) -> Json:
    return {
        "workload": found.workload,
        "is_counted": found.is_counted,
        "reads_before_ms": _ms(found.before),
        "reads_after_ms": _ms(found.after),
        "upkeep_ms": _ms(found.upkeep),
        "relative_cost": _finite(found.relative_cost),
        "measured_share": _finite(found.measured),
        "size_bytes": sum(r.size_bytes for r in found.recommendations),
        "freed_bytes": sum(d.size_bytes for d in found.drops),
        "budget_bytes": found.budget_bytes,
        "certainty": found.certainty.name.lower(),
    }


def _recommendation(index: Recommendation, queries: _Queries) -> Json:
    return {
        "name": index.name,
        "index": _candidate(index.candidate),
        "size_bytes": index.size_bytes,
        "build_ms": _ms(index.build_time),
        "lock": index.lock,
        "upkeep": _upkeep(index.upkeep),
        "adds_ms": _ms(index.adds),
        "saves_ms": _ms(index.saves),
        "share": _finite(index.share),
        "enters_at_bytes": index.enters_at,
        "replaces": _names(index.replaces),
        "helps": _gains(index.gains, queries),
        "notes": _texts(index.notes),
        "statements": _texts(index.statements),
        "undo_statements": _texts(index.undo_statements),
        "drop_statements": _texts(index.drop_statements),
        "restore_statements": _texts(index.restore_statements),
    }


def _candidate(index: IndexCandidate) -> Json:
    return {
        "schema": index.table.schema,
        "table": index.table.name,
        "method": index.method,
        "unique": index.unique,
        "keys": [k.sql for k in index.keys],
        "include": _texts(index.include),
        "predicate": index.predicate,
        "definition": index.definition,
    }


def _upkeep(cost: Upkeep) -> Json:
    return {
        "ms": _ms(cost.time),
        "entries": _finite(cost.entries),
        "wal_bytes": _finite(cost.wal_bytes),
        "lost_hot_updates": _finite(cost.lost_hot_updates),
        "vacuum_ms": _ms(cost.vacuum),
        "source": cost.source,
    }


def _gains(gains: Iterable[Gain], queries: _Queries) -> list[Json]:
    return [
        {
            "query": queries.place(g.query),
            "cost_before": _finite(g.before_cost),
            "cost_after": _finite(g.after_cost),
            "before_ms": _ms(g.before),
            "after_ms": _ms(g.after),
            "share": _finite(g.share),
        }
        for g in gains
    ]


def _drop(drop: Drop) -> Json:
    return {
        "index": _name(drop.index),
        "table": _name(drop.table),
        "kind": drop.kind.value,
        "size_bytes": drop.size_bytes,
        "says": drop.says,
        "proof": drop.proof,
        "upkeep": _upkeep(drop.upkeep),
        "instead": drop.instead,
        "caution": _texts(drop.caution),
        "statements": _texts(drop.statements),
        "undo_statements": _texts(drop.undo_statements),
    }


def _kept(kept: Kept) -> Json:
    return {"index": _name(kept.index), "table": _name(kept.table), "says": kept.says}


def _point(point: FrontierPoint) -> Json:
    return {
        "size_bytes": point.size_bytes,
        "reads_ms": _ms(point.reads),
        "upkeep_ms": _ms(point.upkeep),
        "relative_cost": _finite(point.relative_cost),
        "indexes": _texts(point.indexes),
        "added": _texts(point.added),
        "removed": _texts(point.removed),
        "chosen": point.chosen,
    }


def _declined(declined: Declined) -> Json:
    return {"index": _candidate(declined.candidate), "reason": declined.reason}


def _asked(asked: Explained, queries: _Queries) -> Json:
    return {
        "name": asked.name,
        "index": _candidate(asked.candidate),
        "standing": asked.standing.name.lower(),
        "says": asked.says,
        "reasons": _texts(asked.reasons),
        "size_bytes": asked.size_bytes,
        "build_ms": _ms(asked.build_time),
        "lock": asked.lock,
        "upkeep": _upkeep(asked.upkeep),
        "readers": asked.readers,
        "alone": _gains(asked.alone, queries),
        "beside": _gains(asked.beside, queries),
        "better": _texts(asked.better),
        "statements": _texts(asked.statements),
    }


def _query(query: Query) -> Json:
    return {
        "site": str(query.site),
        "fingerprint": query.fingerprint,
        "text": query.text,
        "calls_per_second": _finite(query.calls_per_second),
        "mean_ms": None if query.mean_time is None else _ms(query.mean_time),
    }


def _unreadable(one: Unreadable) -> Json:
    return {"site": str(one.site), "says": one.says, "hint": one.hint}


def _gap(gap: Gap) -> Json:
    return {"subject": gap.subject, "says": gap.says, "effect": gap.effect, "cure": gap.cure}


def _effort(found: Indexing) -> Json:
    effort = found.effort
    return {
        "queries": effort.demands,
        "candidates": effort.candidates,
        "asked": effort.asked,
        "inferred": effort.inferred,
        "seconds": _finite(effort.seconds),
        "finished": effort.finished,
    }


def _facts(found: Indexing) -> Json:
    facts = found.facts
    if facts is None:
        return None
    return {
        "profile": facts.profile_name,
        "profile_taken_at": facts.profile_taken_at.isoformat() if facts.profile_taken_at else None,
        "production_version": facts.production_version,
        "planner_version": facts.twin_version,
        "planner_is_exact": facts.twin_is_exact,
        "premortem_version": facts.premortem_version,
    }


def _name(name: RelationName) -> str:
    return name.sql


def _names(names: Iterable[RelationName]) -> list[Json]:
    return [n.sql for n in names]


def _texts(texts: Iterable[str]) -> list[Json]:
    return list(texts)


def _ms(time: timedelta) -> float:
    return round(time.total_seconds() * 1000, 3)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
