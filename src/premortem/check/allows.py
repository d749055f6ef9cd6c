"""Findings that somebody decided to live with: each needs a reason, and a stale one is told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from premortem.model import Allow, Finding, Severity, Suppressed

UNUSED_ALLOW = "unused-allow"
ALLOW_WITHOUT_REASON = "allow-without-reason"


def apply(
    findings: Sequence[Finding], allows: Sequence[Allow], known: Collection[str]
) -> tuple[tuple[Finding, ...], tuple[Suppressed, ...]]:
    """Return the findings that still count, those about the comments themselves included, and the suppressed ones."""
    reasons = {a.rule: a.reason.strip() for a in allows if a.reason.strip()}
    counted = [f for f in findings if f.rule not in reasons]
    suppressed = tuple(Suppressed(finding=f, reason=reasons[f.rule]) for f in findings if f.rule in reasons)
    used = {s.finding.rule for s in suppressed}
    remarks = [r for a in allows if (r := _remark(a, used, known)) is not None]
    return (*counted, *remarks), suppressed


def _remark(allow: Allow, used: Collection[str], known: Collection[str]) -> Finding | None:
    if not allow.reason.strip():
        says = f"the comment that allows {allow.rule} gives no reason, so it does not count"
        return _finding(ALLOW_WITHOUT_REASON, allow, f"{says}; write: -- premortem: allow {allow.rule} (why)")
    if allow.rule not in known:
        close = get_close_matches(allow.rule, known, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        return _finding(UNUSED_ALLOW, allow, f"a comment allows {allow.rule}, which is no rule{meant}")
    if allow.rule not in used:
        return _finding(UNUSED_ALLOW, allow, f"a comment allows {allow.rule}, which this query no longer shows")
    return None


def _finding(rule: str, allow: Allow, says: str) -> Finding:
    return Finding(rule=rule, severity=Severity.WARNING, says=says, key=f"{rule}:{allow.rule}")
