"""Several permissive policies for the same role and command, each of which is checked for each row.

Sees:   a table with row-level security and more than one permissive policy that applies to a role's statement.
Hurts:  PostgreSQL joins them by OR: every row is checked against all of them, and an OR keeps indexes from being used.
Do:     one policy with one condition, or restrictive policies for what is to be ANDed.
Quiet:  one policy for each role and command, restrictive policies, tables without row-level security.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.model import Evidence, Finding, Policy, Profile, Severity, Table
from premortem.rules.rule import Kind, Rule

RULE = Rule(name="several-permissive-policies", severity=Severity.INFO, kind=Kind.SCHEMA, page=__doc__)
_COMMANDS = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """More than `max_policies` for one role and command."""

    max_policies: float = 1


def find_schema(profile: Profile, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for every table whose rows are checked against several policies."""
    for table in (t for t in profile.tables if t.row_security):
        permissive = [p for p in table.policies if p.permissive]
        worst: tuple[Policy, ...] = ()
        what = ""
        for command in _COMMANDS:
            for role in dict.fromkeys(r for p in permissive for r in p.roles):
                found = tuple(p for p in permissive if p.command in (command, "ALL") and _is_for(p, role))
                if len(found) > len(worst):
                    worst, what = found, f"{command} by {role}"
        if len(worst) > limits.max_policies:
            yield _finding(table, worst, what)


def _is_for(policy: Policy, role: str) -> bool:
    return role in policy.roles or "public" in policy.roles


def _finding(table: Table, policies: tuple[Policy, ...], what: str) -> Finding:
    names = ", ".join(p.name for p in policies)
    return RULE.finding(
        f"{len(policies)} permissive policies of {table.full_name} are checked for each {what}: {names}",
        Evidence.catalog("policies", names),
        table=table.relation,
        about="policies",
        advice="write one policy with the conditions joined by OR",
    )
