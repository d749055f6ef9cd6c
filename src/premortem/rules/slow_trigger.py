"""A trigger, mostly that of a foreign key, that takes much of a statement's time.

Sees:   `Trigger for constraint … time=` that is a large share of the execution.
Hurts:  a DELETE or UPDATE of a parent looks for its children once per row; without an index it reads all of them.
Do:     index the columns that reference the table; make row triggers statement triggers with transition tables.
Quiet:  triggers that take little, foreign keys whose every call is quick, plans that were not executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Finding, Severity, Trigger
from premortem.plans import total_ms
from premortem.rules.measured import evidence, milliseconds, relation_of
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="slow-trigger", severity=Severity.WARNING, needs_analyze=True, page=__doc__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_ms` in the trigger and `min_share` of the execution; for a foreign key, `min_ms_per_call` too.

    A look-up by index takes some hundredths of a millisecond, a scan of ten thousand rows about one.
    """

    min_ms: float = 50
    min_share: float = 0.3
    min_ms_per_call: float = 0.5


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every trigger that takes much of the time."""
    whole = total_ms(subject.plan)
    for trigger in subject.plan.triggers:
        spent = trigger.time_ms or 0.0
        if not whole or spent < limits.min_ms or spent < limits.min_share * whole:
            continue
        if trigger.constraint and spent < limits.min_ms_per_call * max(trigger.calls, 1.0):
            continue
        yield RULE.finding(
            f"spends {milliseconds(spent)} of {milliseconds(whole)} in {trigger.calls:,.0f} calls of the trigger"
            f" {_named(trigger)}",
            evidence("time in the trigger", spent, "ms"),
            evidence("calls", trigger.calls),
            evidence("execution", whole, "ms"),
            table=relation_of(subject.plan.root),
            about=trigger.constraint or trigger.name,
            node=subject.plan.root,
            parameters=subject.parameters,
            advice=_advice(trigger),
        )


def _named(trigger: Trigger) -> str:
    return f"of the foreign key {trigger.constraint}" if trigger.constraint else trigger.name


def _advice(trigger: Trigger) -> str:
    if trigger.constraint:
        return f"see that an index starts with the columns of {trigger.constraint} in the table that declares it"
    return "do its work once per statement (transition tables), or where the rows are written"
