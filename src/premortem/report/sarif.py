"""The report as SARIF 2.1.0 (OASIS), for GitHub code scanning and whatever else reads it.

GitHub takes 25,000 results of a run and shows 5,000, takes 1,000 locations of a result, and refuses more than 10 MB
compressed: the worst results come first, there are no more than it shows, and a notification counts the others.  Plans
are not in here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from premortem import rules, words
from premortem.model import Evidence, Finding, Gap, Json, Report, Severity, Site, Verdict
from premortem.report import novelty, remarks, story
from premortem.report.look import Look
from premortem.report.remarks import Remark
from premortem.settings import OWN_RULES

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
#: What GitHub shows of one run, and of the places of one result.
MOST_RESULTS, MOST_PLACES = 5_000, 100
_MOST_GAPS = 100
#: What relative files are relative to, by the name that readers know.
ROOT = "%SRCROOT%"
#: The name of our fingerprint; its number changes when the same finding would get another.
FINGERPRINT = "premortemFinding/v1"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
#: What GitHub sorts findings by that are not about security.
_PROBLEMS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "recommendation"}
#: What check finds itself, and what has therefore no module with a page.
_OWN_PAGES = {remarks.COULD_NOT_TELL: "A statement that could not be parsed or planned: that is no pass.", **OWN_RULES}


def render(report: Report, *, look: Look) -> str:
    """Return the report as a SARIF log with one run."""
    every = remarks.worst_first(remarks.every(report, look, suppressed=True))
    shown = every[:MOST_RESULTS]
    names = sorted({r.rule for r in shown})
    places = {name: place for place, name in enumerate(names)}
    run: dict[str, Json] = {
        "tool": {"driver": _driver(report, names, shown)},
        "invocations": [_invocation(report, len(every) - len(shown), look)],
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
        "results": [_result(r, mark, places[r.rule], look) for r, mark in remarks.unique(shown)],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, allow_nan=False) + "\n"


def _driver(report: Report, names: Sequence[str], shown: Sequence[Remark]) -> dict[str, Json]:
    worst = {r.rule: r.severity for r in reversed(shown)}
    known = {rule.name: rule for rule in (*rules.RULES, *rules.MIGRATION_RULES)}
    return {
        "name": "premortem",
        "semanticVersion": report.facts.premortem_version,
        "version": report.facts.premortem_version,
        "rules": [_rule(name, known.get(name), worst[name]) for name in names],
    }


def _rule(name: str, known: rules.Rule | None, worst: Severity) -> dict[str, Json]:
    page = (known.page if known else _OWN_PAGES.get(name)) or words.one_line(name)
    severity = known.severity if known else worst
    first = page.strip().partition("\n")[0]
    return {
        "id": name,
        "name": "".join(part.capitalize() for part in name.split("-")),
        "shortDescription": {"text": first},
        "fullDescription": {"text": first},
        "help": {"text": page.strip(), "markdown": _markdown(page)},
        "defaultConfiguration": {"level": _LEVELS[severity]},
        "properties": {
            "tags": ["postgresql", "performance"],
            "precision": "high",
            "problem.severity": _PROBLEMS[severity],
        },
    }


def _markdown(page: str) -> str:
    """Return a rule's page as Markdown: its headings as a list.

    >>> print(_markdown("Says it.\\n\\nSees:   a scan\\n        of much.\\nDo:     index it.\\n"))
    Says it.
    <BLANKLINE>
    - **Sees:** a scan of much.
    - **Do:** index it.
    """
    first, _, rest = page.strip().partition("\n")
    lines = [first, ""]
    for line in rest.strip().splitlines():
        head, colon, said = line.partition(":")
        if colon and head.isalpha() and not line.startswith(" "):
            lines.append(f"- **{head}:** {said.strip()}")
        else:
            lines[-1] = f"{lines[-1]} {line.strip()}".rstrip() if lines[-1] else line.strip()
    return "\n".join(lines)


def _invocation(report: Report, cut: int, look: Look) -> dict[str, Json]:
    """Return what is said of the run: its exit code, and as notifications what it could not see or show."""
    told = [_notification("note", story.gap_sentence(g), g) for g in story.gaps(report)[:_MOST_GAPS]]
    if cut:
        said = f"{words.plural(cut, 'more finding')} not in this file, the least severe; {look.whole}."
        told.append(_notification("warning", said))
    return {
        "executionSuccessful": report.verdict is not Verdict.UNKNOWN,
        "exitCode": report.verdict.exit_code,
        "exitCodeDescription": story.headline(report),
        "toolExecutionNotifications": list(told),
        "properties": {"source": story.source(report)},
    }


def _notification(level: str, said: str, gap: Gap | None = None) -> dict[str, Json]:
    about: dict[str, Json] = {"properties": {"subject": words.one_line(gap.subject)}} if gap else {}
    return {"level": level, "message": {"text": words.one_line(said)}, **about}


def _result(remark: Remark, mark: str, place: int, look: Look) -> dict[str, Json]:
    return {
        "ruleId": remark.rule,
        "ruleIndex": place,
        "level": _level(remark),
        "message": {"text": "\n\n".join([story.sentence(remark.says), *remarks.details(remark)])},
        "locations": [_location(remark.site, remark, look)],
        **_related(remark, look),
        "partialFingerprints": {FINGERPRINT: mark},
        **_suppressions(remark),
        "properties": _properties(remark),
    }


def _level(remark: Remark) -> str:
    """Return how bad a result is; what was allowed is a note, for GitHub reads no suppressions and fails on errors."""
    return _LEVELS[remark.severity if remark.reason is None else Severity.INFO]


def _location(site: Site | None, remark: Remark, look: Look) -> dict[str, Json]:
    """Return a place; GitHub refuses a result without a file, so what has none names its source as one."""
    path = remarks.path(site, look)
    called = words.one_line(str(site)) if site else remarks.place(remark)
    physical: dict[str, Json] = {"artifactLocation": _artifact(path or words.one_line(site.source if site else called))}
    physical["region"] = {"startLine": max(site.line, 1) if site is not None and site.line is not None else 1}
    logical: list[Json] = [{"fullyQualifiedName": called, "kind": "statement" if remark.judged else "object"}]
    return {"physicalLocation": physical, "logicalLocations": logical}


def _artifact(path: str) -> dict[str, Json]:
    """Return a file as a URI: relative to the repository's root, absolute where it is outside."""
    uri = quote(path.encode("utf-8", "backslashreplace"), safe="/")
    return {"uri": f"file://{uri}"} if path.startswith("/") else {"uri": uri, "uriBaseId": ROOT}


def _related(remark: Remark, look: Look) -> dict[str, Json]:
    also = remark.judged.also_at[:MOST_PLACES] if remark.judged else ()
    related: list[Json] = [
        {"id": n, "message": {"text": "The same statement."}, **_location(site, remark, look)}
        for n, site in enumerate(also, start=1)
    ]
    return {"relatedLocations": related} if related else {}


def _suppressions(remark: Remark) -> dict[str, Json]:
    """Return why a finding does not count; an empty list says that it does, for tools that tell the two apart."""
    if remark.reason is None:
        return {"suppressions": []}
    return {"suppressions": [{"kind": "external", "status": "accepted", "justification": words.plain(remark.reason)}]}


def _properties(remark: Remark) -> dict[str, Json]:
    finding, judged = remark.finding, remark.judged
    told: dict[str, Json] = {"key": remark.key}
    if judged is not None:
        told["change"] = novelty.label(judged) or None
        told["owners"] = list(judged.owners)
        told["fingerprint"] = judged.query.fingerprint if judged.query else None
    if finding is not None:
        told["table"] = finding.table.sql if finding.table else None
        told["parameters"] = finding.parameters
        told["evidence"] = [_evidence(e) for e in finding.evidence]
        told["remedy"] = _remedy(finding)
    return {name: value for name, value in told.items() if value not in (None, [])}


def _evidence(evidence: Evidence) -> str:
    value = evidence.value if isinstance(evidence.value, str) else words.number(evidence.value)
    return words.one_line(f"{evidence.name}: {value} {evidence.unit}".strip() + f" ({evidence.source.value})")


def _remedy(finding: Finding) -> dict[str, Json] | None:
    remedy = finding.remedy
    if remedy is None or not remedy.sql:
        return None
    return {"sql": _texts(remedy.sql), "undo": _texts(remedy.undo), "proof": remedy.proof.value}


def _texts(texts: Iterable[str]) -> list[Json]:
    return [words.plain(t) for t in texts]
