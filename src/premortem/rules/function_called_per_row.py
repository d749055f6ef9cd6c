"""A function of your own, or a setting, that a filter asks for every row.

Sees:   a filter over many rows that calls a function written in this database, or `current_setting`, as policies of
        row-level security do.
Hurts:  a function in PL/pgSQL or SQL costs microseconds to milliseconds a call, and is called for every row read.
Do:     where the function does not depend on the row, call it once: `(SELECT auth_user_id())` in place of
        `auth_user_id()`; where it does, write the condition itself, so that an index can serve it.
Quiet:  few rows, functions that PostgreSQL inlines, conditions that an index serves: those are asked once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from premortem import sqltext
from premortem.model import Evidence, Finding, ObjectKind, Profile, Severity
from premortem.rules.discards import counted
from premortem.rules.readings import Reading
from premortem.rules.rule import Rule
from premortem.rules.subject import Subject

RULE = Rule(name="function-called-per-row", severity=Severity.WARNING, page=__doc__)
_CALL = re.compile(r'(?:\w+\.|"[^"]+"\.)?(\w+|"[^"]+")\(')
_SETTING = "current_setting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """At least `min_rows` are asked (times calls per second)."""

    min_rows: float = 50_000


def find(subject: Subject, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every scan that calls a function for each of many rows."""
    for reading in subject.readings:
        if subject.weight(reading.read) < limits.min_rows or not reading.node.filter or "(" not in reading.node.filter:
            continue
        for condition in reading.filters:
            called = _called(condition, subject.profile)
            if called is not None:
                yield _finding(subject, reading, condition, called)
                break


def _called(condition: sqltext.Condition, profile: Profile) -> str | None:
    names = [n.strip('"') for n in _CALL.findall(condition.text)]
    if not names:
        return None
    own = {o.name.partition("(")[0] for o in profile.objects if o.kind is ObjectKind.FUNCTION}
    return next((n for n in names if n in own or n == _SETTING), None)


def _finding(subject: Subject, reading: Reading, condition: sqltext.Condition, called: str) -> Finding:
    call = sqltext.operand(f"f({_arguments(condition.text, called)})")
    fixed = call is not None and not call.columns
    advice = (
        f"write (SELECT {called}(…)), which is called once" if fixed else "write the condition out, without a function"
    )
    policy = ", as a policy asks" if reading.table.row_security else ""
    same = ", with the same answer each time" if fixed else ""
    return RULE.finding(
        f"calls {called}() for each of {counted(reading.read)} of {reading.relation}{same}{policy}",
        Evidence.plan("calls", round(reading.read)),
        table=reading.relation,
        about=called,
        node=reading.node,
        parameters=subject.parameters,
        advice=advice,
    )


def _arguments(text: str, called: str) -> str:
    """Return what stands between a call's brackets.

    >>> _arguments("(id = f(a, g(b)))", "f")
    'a, g(b)'
    """
    start = text.index(f"{called}(") + len(called) + 1
    depth = 1
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return text[start:place]
    return text[start:]
