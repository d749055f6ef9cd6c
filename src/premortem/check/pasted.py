"""Judges a plan that somebody pasted, as it stands: the same findings as `check`, on what was measured if it was.

```
judge_plan
├── seen.profile_of      the sizes that the plan itself shows, where no profile is handed in
├── rules.find           with the rows that were measured in place of those that were estimated
├── advisor.untried      an index that the conditions suggest, marked as advice
└── the query's report   where the statement and a profile are known: what the twin makes of it
```
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from premortem import advisor, rules
from premortem.check import policy, seen
from premortem.check.judgement import is_curable
from premortem.model import (
    Finding,
    Gap,
    IndexCandidate,
    ParameterSet,
    Plan,
    Planned,
    Profile,
    Proof,
    Query,
    QueryReport,
    Remedy,
)
from premortem.plans import as_measured, own_times
from premortem.settings import Settings

#: What the parameter set of a plan that came ready-made is called.
PASTED = "pasted"


def judge_plan(
    planned: Planned,
    query: Query,
    *,
    profile: Profile | None,
    settings: Settings,
    sound: bool = True,
    twin: QueryReport | None = None,
) -> QueryReport:
    """Return what is wrong with a plan; `twin` is what the twin made of its statement, None where nobody asked it."""
    known = profile if profile is not None else seen.profile_of(planned.plan)
    here = settings.at(query.site.source)
    found = [here.graded(f) for f in _findings(planned, query, known, here, sketched=profile is None)]
    told = _with_remedies(found, planned, known, twin)
    others = twin if twin is not None and twin.error is None else None
    report = QueryReport(
        query=query,
        site=query.site,
        original=query.original,
        verdict=policy.verdict(told),
        planned=(planned, *(others.planned if others else ())),
        findings=(*told, *_only_on_twin(told, others)),
        advice=others.advice if others else (),
        declined=others.declined if others else (),
        gaps=(*_gaps(planned.plan, profile, sound=sound), *_of_twin(twin)),
    )
    return policy.apply(report, settings, profile=known)


def _findings(
    planned: Planned, query: Query, profile: Profile, settings: Settings, *, sketched: bool
) -> Sequence[Finding]:
    """Return the findings, those at the nodes that took most time first."""
    plan = planned.plan
    seen_by_rules = replace(planned, plan=as_measured(plan))
    found = rules.find(seen_by_rules, query, profile, settings.limits)
    times = own_times(plan)
    told = [_named(seen.marked(f, plan, sketched=sketched), profile) for f in found]
    return sorted(told, key=lambda f: -times.get(f.node, 0.0) if f.node is not None else 0.0)


def _named(finding: Finding, profile: Profile) -> Finding:
    """Return the finding with the schema that its table has in the profile: a plan without VERBOSE names none."""
    known = profile.find_table(finding.table.name) if finding.table is not None and not finding.table.schema else None
    if known is None or finding.table is None:
        return finding
    key = finding.key.replace(f":{finding.table.sql}:", f":{known.relation.sql}:", 1)
    return replace(finding, table=known.relation, key=key)


def _with_remedies(
    found: Sequence[Finding], planned: Planned, profile: Profile, twin: QueryReport | None
) -> tuple[Finding, ...]:
    proved = {f.key: f.remedy for f in (twin.findings if twin else ()) if f.remedy is not None and f.remedy.sql}
    tables = {f.table: f.remedy for f in (twin.findings if twin else ()) if f.remedy is not None and f.remedy.sql}
    return tuple(
        replace(f, remedy=remedy)
        if is_curable(f.rule) and (remedy := proved.get(f.key) or tables.get(f.table) or _advised(f, planned, profile))
        else f
        for f in found
    )


def _advised(finding: Finding, planned: Planned, profile: Profile) -> Remedy | None:
    """Return an index that the plan's conditions suggest; nobody planned with it."""
    table = profile.find_table(finding.table.name, finding.table.schema or None) if finding.table else None
    candidate = advisor.untried(planned, table, profile) if table is not None else None
    if candidate is None:
        return finding.remedy
    own = f"{finding.remedy.says.rstrip('.')}; or this index. " if finding.remedy and finding.remedy.says else ""
    return Remedy(
        sql=(candidate.create_sql(_name(candidate, profile)),),
        says=f"{own}Its columns are read off the plan's conditions: equalities first, then ranges or the order.",
        proof=Proof.ADVICE,
    )


def _name(candidate: IndexCandidate, profile: Profile) -> str:
    return advisor.names((candidate,), profile)[0]


def _only_on_twin(told: Sequence[Finding], twin: QueryReport | None) -> tuple[Finding, ...]:
    """Return what the twin shows and the pasted plan does not: it was pasted for one set of values only."""
    keys = {f.key for f in told}
    return tuple(f for f in (twin.findings if twin else ()) if f.key not in keys)


def _gaps(plan: Plan, profile: Profile | None, *, sound: bool) -> tuple[Gap, ...]:
    found = []
    if not sound:
        found.append(_DAMAGED)
    if not plan.is_measured:
        found.append(_ESTIMATED)
    if profile is None:
        found.append(_NO_SIZES if plan.is_measured else _NO_PROFILE)
    if not any("Total Cost" in node.raw for node in plan.walk()):
        found.append(_NO_COSTS)
    return tuple(found)


def _of_twin(twin: QueryReport | None) -> tuple[Gap, ...]:
    if twin is None:
        return ()
    if twin.error is None:
        return twin.gaps
    return (
        Gap(
            subject="the plan's statement",
            says=f"the twin cannot plan it: {twin.error}",
            effect="indexes are advice from the plan's conditions",
            cure="give the statement with --query",
        ),
    )


_DAMAGED = Gap(
    subject="the plan's indentation",
    says="it is damaged, and the tree was put together from the number of inputs that each node must have",
    effect="a node may hang in the wrong place",
    cure="paste the plan with its blanks, or as EXPLAIN (FORMAT JSON)",
)
_ESTIMATED = Gap(
    subject="measurements",
    says="the plan was not executed, so it holds estimates only",
    effect="the rules that need EXPLAIN ANALYZE are silent",
    cure="EXPLAIN (ANALYZE, BUFFERS)",
)
_NO_SIZES = Gap(
    subject="the tables' sizes and columns",
    says="there is no profile; sizes are what the plan's scans looked at",
    effect="rules about types, constraints, indexes and statistics are silent",
    cure="name production's profile with -p",
)
_NO_PROFILE = Gap(
    subject="the tables' sizes and columns",
    says="there is no profile; sizes are guessed from the costs of the scans",
    effect="a finding may be about a smaller table, and rules about types, indexes and statistics are silent",
    cure="name production's profile with -p, or paste EXPLAIN (ANALYZE, BUFFERS)",
)
_NO_COSTS = Gap(
    subject="costs",
    says="the plan was printed with COSTS OFF",
    effect="no estimate can be compared, and few rules can tell anything",
    cure="EXPLAIN (ANALYZE, BUFFERS, COSTS ON)",
)


def parameters(source: str) -> ParameterSet:
    """Return what stands for the values that a pasted plan was made with."""
    return ParameterSet(name=PASTED, basis=f"the plan as it stands in {source}")
