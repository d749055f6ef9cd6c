"""The report as GitLab's code quality report, shown in merge requests beside the changed lines.

An array of issues with description, check_name, fingerprint, severity and location, as GitLab's "Code Quality report
format" asks for; `type` and `categories` are Code Climate's, for other readers.  What has no file stands at line 1 of
a path that says what it is: GitLab refuses an issue without.
"""

from __future__ import annotations

import json

from premortem import words
from premortem.model import Json, Report, Severity
from premortem.report import remarks
from premortem.report.look import Look

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "minor", Severity.INFO: "info"}


def render(report: Report, *, look: Look) -> str:
    """Return the issues, worst first, as a JSON array."""
    every = remarks.worst_first(remarks.every(report, look))
    return json.dumps([_issue(r, mark) for r, mark in remarks.unique(every)], indent=2) + "\n"


def _issue(remark: remarks.Remark, mark: str) -> dict[str, Json]:
    return {
        "type": "issue",
        "check_name": words.one_line(remark.rule),
        "description": words.shortened(f"{words.one_line(remark.rule)}: {remark.says}", 2_000),
        "categories": ["Performance"],
        "severity": "major" if remark.finding is None else _SEVERITIES[remark.severity],
        "fingerprint": mark,
        "location": {"path": _path(remark), "lines": {"begin": remark.line or 1}},
    }


def _path(remark: remarks.Remark) -> str:
    return words.one_line(remark.path or remarks.place(remark)).lstrip("/") or "schema"
