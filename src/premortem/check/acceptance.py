"""Findings that a team accepted in the lock: they do not count while they are no worse, and until a day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from premortem.model import Accepted, AcceptedFinding, Finding, Severity, Suppressed

#: The rule of a statement that could not be planned; a lock may accept it as it may a finding.
COULD_NOT_TELL = "could-not-tell"
_RANK = (Severity.INFO, Severity.WARNING, Severity.ERROR)


def applied(
    findings: Iterable[Finding], accepted: Accepted | None, today: date
) -> tuple[tuple[Finding, ...], tuple[Finding, ...], tuple[Suppressed, ...]]:
    """Return the findings that nobody accepted, those that count again although somebody did, and the accepted ones."""
    known = {f.key: f for f in accepted.findings} if accepted is not None else {}
    new, again, suppressed = [], [], []
    for finding in findings:
        held = known.get(finding.key)
        if held is None:
            new.append(finding)
        elif held.until is not None and today > held.until:
            again.append(_over(finding, held))
        elif _RANK.index(finding.severity) > _RANK.index(held.severity):
            new.append(_worse(finding, held))
        else:
            suppressed.append(Suppressed(finding=finding, reason=reason(held)))
    return tuple(new), tuple(again), tuple(suppressed)


def untold(error: str) -> Finding:
    """Return the finding that a statement could not be planned; with another error it is another finding."""
    first = error.splitlines()[0] if error else "no plan"
    return Finding(rule=COULD_NOT_TELL, severity=Severity.ERROR, says=first, key=f"{COULD_NOT_TELL}:{first}")


def is_untold(accepted: Accepted) -> bool:
    """Whether a query could not be planned when it was accepted."""
    return any(f.key.startswith(f"{COULD_NOT_TELL}:") for f in accepted.findings)


def reason(held: AcceptedFinding) -> str:
    """Return why a finding was accepted, and until when."""
    return held.reason + (f" (until {held.until})" if held.until is not None else "")


def _over(finding: Finding, held: AcceptedFinding) -> Finding:
    says = finding.says.rstrip(".")
    return replace(finding, says=f"{says}; it was accepted until {held.until} ({held.reason}), which is over")


def _worse(finding: Finding, held: AcceptedFinding) -> Finding:
    word = "information" if held.severity is Severity.INFO else f"a {held.severity.value}"
    return replace(finding, says=f"{finding.says.rstrip('.')}; it was accepted as {word}")
