"""The report as JSON, for programs: a written contract (docs/reference/report.schema.json).

Fields are only ever added; whoever reads it ignores those that they do not know.  The text is ASCII, so that it passes
through any pipe, and numbers are finite (null where a figure is unknown).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

from premortem.model import (
    Accepted,
    Advice,
    Allow,
    Change,
    Declined,
    Difference,
    Effect,
    Evidence,
    Executed,
    Execution,
    Facts,
    Finding,
    Gap,
    Json,
    Planned,
    Query,
    QueryReport,
    Remedy,
    Repeats,
    Report,
    Site,
    Suppressed,
    Verdict,
)
from premortem.report import story
from premortem.report.look import Look

#: The number of the contract; it changes only when a field goes away or changes its meaning.
FORMAT = 1
#: Indentation doubles the size of what nobody reads: plans of thousands of queries.
_MOST_INDENTED = 100


def render(report: Report, *, look: Look) -> str:
    """Return the report as a JSON document, ended by a newline; a long one has a line for each query."""
    told = document(report)
    if len(report.queries) > _MOST_INDENTED:
        return "{\n" + ",\n".join(f"{json.dumps(name)}: {_part(value)}" for name, value in told.items()) + "\n}\n"
    return json.dumps(told, indent=2, allow_nan=False) + "\n"


def _part(value: Json) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(json.dumps(item, allow_nan=False) for item in value) + "\n]"
    return json.dumps(value, allow_nan=False)


def document(report: Report) -> dict[str, Json]:
    """Return the report as JSON values."""
    return {
        "format": FORMAT,
        "verdict": report.verdict.value,
        "summary": _summary(report),
        "queries": [_query(q) for q in report.queries],
        "findings": [_finding(f) for f in report.findings],
        "unchanged": report.unchanged,
        "gone": [_accepted(a) for a in report.gone],
        "gaps": _gaps(report.gaps),
        "facts": _facts(report.facts),
        "seconds": _finite(report.seconds),
    }


def _summary(report: Report) -> dict[str, Json]:
    judged = [q for q in report.queries if not story.is_skipped(q)]
    counts = {verdict: sum(q.verdict is verdict for q in judged) for verdict in Verdict}
    return {
        "queries": len(judged),
        "failed": counts[Verdict.FAIL],
        "unknown": counts[Verdict.UNKNOWN],
        "passed": counts[Verdict.PASS],
        "skipped": len(report.queries) - len(judged),
        **_changes(report),
    }


def _changes(report: Report) -> dict[str, Json]:
    every = [q.difference.change for q in report.queries if q.difference]
    counts = {change: sum(c is change for c in every) for change in Change}
    counts[Change.UNCHANGED] += report.unchanged
    return {**{change.value: n for change, n in counts.items()}, "gone": len(report.gone)}


def _query(judged: QueryReport) -> dict[str, Json]:
    query = judged.query
    return {
        "fingerprint": query.fingerprint if query else None,
        "text": query.text if query else judged.original,
        "original": judged.original,
        "kind": query.kind.value if query else None,
        "site": str(judged.site),
        "location": _location(judged.site),
        "also_at": [str(site) for site in judged.also_at],
        "calls_per_second": _finite(query.calls_per_second) if query else None,
        "verdict": judged.verdict.value,
        "error": judged.error,
        "hint": judged.hint,
        "plans": [_planned(p) for p in judged.planned],
        "findings": [_finding(f) for f in judged.findings],
        "suppressed": [_suppressed(s) for s in judged.suppressed],
        "allows": [_allow(a) for a in query.allows] if query else [],
        "advice": [_advice(a) for a in judged.advice],
        "declined": [_declined(d) for d in judged.declined],
        "gaps": _gaps(judged.gaps),
        "difference": _difference(judged.difference) if judged.difference else None,
        "owners": list(judged.owners),
        "captured": _captured(query) if query else None,
        "executed": _executed(judged.executed) if judged.executed else None,
    }


def _executed(executed: Executed) -> dict[str, Json]:
    return {
        "place": executed.place,
        "before": [_execution(e) for e in executed.before],
        "built": [{"name": b.name, "seconds": _finite(b.seconds), "size_bytes": b.size_bytes} for b in executed.built],
        "after": [_execution(e) for e in executed.after],
    }


def _execution(ran: Execution) -> dict[str, Json]:
    return {
        "parameters": ran.parameters.name,
        "values": list(ran.parameters.values),
        "basis": ran.parameters.basis,
        "finished": ran.finished,
        "limit_ms": ran.limit_ms,
        "first_ms": _finite(ran.first_ms),
        "first_read_blocks": ran.first_read,
        "evicted": ran.evicted,
        "again_ms": [_finite(ms) for ms in ran.again_ms],
        "blocks": ran.blocks,
        "plan": ran.json,
    }


def _captured(query: Query) -> dict[str, Json] | None:
    """Return what was seen of a captured query; None for one that was not captured."""
    if query.executions is None and not query.tags and query.repeats is None:
        return None
    return {
        "executions": query.executions,
        "samples": len(query.samples),
        "tags": _tags(query.tags),
        "role": query.role,
        "database": query.database,
        "repeats": _repeats(query.repeats) if query.repeats else None,
    }


def _repeats(repeats: Repeats) -> dict[str, Json]:
    return {
        "count": repeats.count,
        "values": repeats.values,
        "within": repeats.within,
        "unit": repeats.unit,
        "location": _location(repeats.site) if repeats.site else None,
    }


def _difference(difference: Difference) -> dict[str, Json]:
    return {
        "change": difference.change.value,
        "says": difference.says,
        "was": _accepted(difference.was) if difference.was else None,
        "before": [_planned(p) for p in difference.before],
        "evidence": [_evidence(e) for e in difference.evidence],
    }


def _accepted(accepted: Accepted) -> dict[str, Json]:
    return {
        "fingerprint": accepted.fingerprint,
        "text": accepted.text,
        "site": str(accepted.site),
        "location": _location(accepted.site),
        "shape": list(accepted.shape),
        "rows_read": _finite(accepted.rows_read),
        "estimated_cost": _finite(accepted.cost),
        "tables": [{"table": name.sql, "rows": _finite(rows)} for name, rows in accepted.tables],
        "indexes": [name.sql for name in accepted.indexes],
        "findings": [
            {
                "key": f.key,
                "severity": f.severity.value,
                "reason": f.reason,
                "until": f.until.isoformat() if f.until else None,
            }
            for f in accepted.findings
        ],
        "search_path": list(accepted.search_path) if accepted.search_path is not None else None,
        "tags": _tags(accepted.tags),
        "captured": accepted.is_captured,
    }


def _tags(tags: Iterable[tuple[str, str]]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in tags]


def _location(site: Site) -> dict[str, Json]:
    return {"source": site.source, "line": site.line, "name": site.name}


def _planned(planned: Planned) -> dict[str, Json]:
    return {
        "parameters": planned.parameters.name,
        "values": list(planned.parameters.values),
        "basis": planned.parameters.basis,
        "estimated_cost": _finite(planned.plan.total_cost),
        "estimated_rows": _finite(planned.plan.root.rows),
        "plan": planned.json,
    }


def _finding(finding: Finding) -> dict[str, Json]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "table": finding.table.sql if finding.table else None,
        "says": finding.says,
        "key": finding.key,
        "parameters": finding.parameters,
        "node": list(finding.node) if finding.node is not None else None,
        "evidence": [_evidence(e) for e in finding.evidence],
        "remedy": _remedy(finding.remedy) if finding.remedy else None,
        "location": _location(finding.site) if finding.site else None,
    }


def _evidence(evidence: Evidence) -> dict[str, Json]:
    value = evidence.value if isinstance(evidence.value, str) else _finite(evidence.value)
    return {"name": evidence.name, "value": value, "unit": evidence.unit, "source": evidence.source.value}


def _remedy(remedy: Remedy) -> dict[str, Json]:
    return {
        "sql": list(remedy.sql),
        "undo": list(remedy.undo),
        "says": remedy.says,
        "proof": remedy.proof.value,
        "before_cost": _finite(remedy.before_cost),
        "after_cost": _finite(remedy.after_cost),
        "measured": remedy.measured,
    }


def _suppressed(suppressed: Suppressed) -> dict[str, Json]:
    return {"finding": _finding(suppressed.finding), "reason": suppressed.reason}


def _allow(allow: Allow) -> dict[str, Json]:
    until = allow.until.isoformat() if allow.until else None
    return {
        "rule": allow.rule,
        "reason": allow.reason,
        "line": allow.line,
        "until": until,
        "mistake": allow.mistake,
    }


def _advice(advice: Advice) -> dict[str, Json]:
    return {
        "name": advice.name,
        "table": advice.candidate.table.sql,
        "definition": advice.candidate.definition,
        "because": advice.candidate.because,
        "sql": list(advice.sql),
        "undo": list(advice.undo),
        "size_bytes": advice.size_bytes,
        "build_seconds": _finite(advice.build_seconds),
        "write_cost": advice.write_cost,
        "replaces": list(advice.replaces),
        "notes": list(advice.notes),
        "effects": [_effect(e) for e in advice.effects],
        "declined": [_declined(d) for d in advice.declined],
    }


def _effect(effect: Effect) -> dict[str, Json]:
    return {
        "parameters": effect.parameters,
        "before_cost": _finite(effect.before_cost),
        "after_cost": _finite(effect.after_cost),
        "before_worst_cost": _finite(effect.before_worst),
        "after_worst_cost": _finite(effect.after_worst),
    }


def _declined(declined: Declined) -> dict[str, Json]:
    return {"definition": declined.candidate.definition, "reason": declined.reason}


def _gaps(gaps: Iterable[Gap]) -> list[Json]:
    return [{"subject": g.subject, "says": g.says, "effect": g.effect, "cure": g.cure} for g in gaps]


def _facts(facts: Facts) -> dict[str, Json]:
    return {
        "profile": facts.profile_name,
        "profile_taken_at": facts.profile_taken_at.isoformat() if facts.profile_taken_at else None,
        "production_version": facts.production_version,
        "plans_from": facts.plans_from,
        "twin_version": facts.twin_version,
        "twin_is_exact": facts.twin_is_exact,
        "premortem_version": facts.premortem_version,
        "values": facts.values.value,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
