"""The names that settings speak in: rules that can be found, and words for how bad a finding is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from premortem import rules
from premortem.model import Severity

OFF = "off"
#: Findings that check itself makes: their severity can be set, they have no limits.
OWN_RULES = (
    "missing-index",
    "over-budget",
    "unused-allow",
    "allow-without-reason",
    "unreadable-allow",
    "plan-got-worse",
    "unused-acceptance",
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
