"""The names that settings speak in: rules that can be found, and words for how bad a finding is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from premortem import rules
from premortem.model import Severity

OFF = "off"
#: Findings that check itself makes, and what each says: their severity can be set, they have no limits.
OWN_RULES: Mapping[str, str] = MappingProxyType(
    {
        "missing-index": "An index that makes a query several times cheaper, although no rule found fault with it.",
        "over-budget": "A query that reads, costs or takes more than the settings let it.",
        "plan-got-worse": "A query that is planned worse than when it was accepted.",
        "did-not-finish": "A query that did not come to its end on the mirror within the time that it was given.",
        "unused-allow": "An allow comment for something that the query does not show: take it away.",
        "allow-without-reason": "An allow comment that does not say why, and does not count.",
        "unreadable-allow": "An allow comment that cannot be understood, and does not count.",
        "unused-acceptance": "An accepted finding that the query no longer shows: take it out of the lock.",
    }
)
#: What a severity may be called: its own word, or what it does to the gate, as linters call it.  `off` is none.
SEVERITY_WORDS: Mapping[str, Severity | None] = MappingProxyType(
    {
        "error": Severity.ERROR,
        "fail": Severity.ERROR,
        "warning": Severity.WARNING,
        "warn": Severity.WARNING,
        "info": Severity.INFO,
        OFF: None,
    }
)


def known_rules() -> frozenset[str]:
    """Return the names of everything that can be found."""
    return frozenset((*(r.name for r in (*rules.RULES, *rules.MIGRATION_RULES)), *OWN_RULES))
