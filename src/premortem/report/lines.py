"""The report as one line for each thing found, `path:line: error rule: says`, for editors, grep and logs."""

from __future__ import annotations

from premortem import words
from premortem.model import Report
from premortem.report import remarks
from premortem.report.look import Look


def render(report: Report, *, look: Look) -> str:
    """Return a line for each finding and for each query that could not be judged; nothing where there is none."""
    return "".join(f"{_line(r)}\n" for r in remarks.every(report, look))


def _line(remark: remarks.Remark) -> str:
    said = f"{remarks.place(remark)}: {remark.severity.value} {words.one_line(remark.rule)}: {remark.says}"
    return words.no_command(said)
