"""Every remedy is shown once, the one that saves most first, and nobody is told only of the values it helps most."""

from __future__ import annotations

from dataclasses import replace

import pytest

from premortem.model import Finding, Remedy, Severity
from premortem.report import FORMATS, Look, story

from .reports import INCIDENT, report

LOOK = Look(width=80, colour=False)


def finding(key: str, sql: str, saved: float) -> Finding:
    remedy = Remedy(sql=(sql,), before_cost=saved + 10, after_cost=10)
    rule = "foreign-key-without-index"
    return Finding(rule=rule, severity=Severity.ERROR, says=f"reads {key}", key=key, remedy=remedy)


@pytest.mark.parametrize("form", ["terminal", "markdown"])
def test_every_remedy_is_shown_once_and_the_largest_first(form: str) -> None:
    findings = (
        finding("members", "CREATE INDEX a ON members (user_id);", 50),
        finding("tasks", "CREATE INDEX b ON tasks (assignee_id);", 90_000),
        finding("tasks again", "CREATE INDEX b ON tasks (assignee_id);", 80_000),
    )
    text = FORMATS[form](report(replace(INCIDENT, findings=findings)), look=LOOK)

    assert text.count("CREATE INDEX a ON members") == 1
    assert text.count("CREATE INDEX b ON tasks") == 1
    assert text.index("CREATE INDEX b") < text.index("CREATE INDEX a")


def test_a_set_that_is_hardly_helped_is_named() -> None:
    (lead, *_) = story.by_severity(INCIDENT.findings)
    assert story.least_gain(INCIDENT, lead) == ""

    (advice, *_) = INCIDENT.advice
    effects = tuple(
        replace(e, after_worst=e.before_worst / 1.6) if e.parameters == "hot" else e for e in advice.effects
    )
    hardly = replace(INCIDENT, advice=(replace(advice, effects=effects),))
    assert story.least_gain(hardly, lead).startswith("It helps the hot values least")
