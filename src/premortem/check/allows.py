"""Findings that somebody decided to live with: each needs a reason, may have an end, and a stale one is told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date
from difflib import get_close_matches

from premortem.model import Allow, Finding, Severity, Suppressed

UNUSED_ALLOW = "unused-allow"
ALLOW_WITHOUT_REASON = "allow-without-reason"
UNREADABLE_ALLOW = "unreadable-allow"


def apply(
    findings: Sequence[Finding],
    allows: Sequence[Allow],
    known: Collection[str],
    *,
    today: date = date.max,
    also_shown: Collection[str] = (),
) -> tuple[tuple[Finding, ...], tuple[Suppressed, ...]]:
    """Return the findings that still count, those about the comments themselves included, and the suppressed ones.

    Whoever names no day gets no allowance that has an end.  `also_shown` are rules that show something which does not
    count for another reason: a comment for one of them is not unused.
    """
    valid = {a.rule: a for a in allows if a.reason.strip() and not a.mistake}
    counted, suppressed = [], []
    for finding in findings:
        allow = valid.get(finding.rule)
        if allow is None:
            counted.append(finding)
        elif _is_over(allow, today):
            counted.append(_counting_again(finding, allow))
        else:
            suppressed.append(Suppressed(finding=finding, reason=_reason(allow)))
    shown = {f.rule for f in findings} | set(also_shown)
    remarks = [r for a in allows if (r := _remark(a, shown, known)) is not None]
    return (*counted, *remarks), tuple(suppressed)


def _is_over(allow: Allow, today: date) -> bool:
    return allow.until is not None and today > allow.until


def _reason(allow: Allow) -> str:
    until = f" (until {allow.until})" if allow.until else ""
    return allow.reason.strip() + until


def _counting_again(finding: Finding, allow: Allow) -> Finding:
    """Return a finding whose allowance has ended: as it is, saying so."""
    says = finding.says.rstrip(".")
    return replace(finding, says=f"{says}; it was allowed until {allow.until} ({allow.reason.strip()}), which is over")


def _remark(allow: Allow, shown: Collection[str], known: Collection[str]) -> Finding | None:
    if allow.mistake:
        says = f"a comment cannot be understood, so it does not count: {allow.mistake}"
        return _finding(UNREADABLE_ALLOW, allow, f"{says}; write: -- premortem: allow RULE (why) until 2026-03-01")
    if not allow.reason.strip():
        says = f"the comment that allows {allow.rule} gives no reason, so it does not count"
        return _finding(ALLOW_WITHOUT_REASON, allow, f"{says}; write: -- premortem: allow {allow.rule} (why)")
    if allow.rule not in known:
        close = get_close_matches(allow.rule, known, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        return _finding(UNUSED_ALLOW, allow, f"a comment allows {allow.rule}, which is no rule{meant}")
    if allow.rule not in shown:
        return _finding(UNUSED_ALLOW, allow, f"a comment allows {allow.rule}, which this query no longer shows")
    return None


def _finding(rule: str, allow: Allow, says: str) -> Finding:
    return Finding(rule=rule, severity=Severity.WARNING, says=says, key=f"{rule}:{allow.rule}")
