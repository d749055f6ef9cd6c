"""What one query text comes to, before anybody's allow comments: plans, findings, and the indexes that cure them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from premortem import advisor, rules
from premortem.check import executing, proof, pseudonyms
from premortem.check.executor import Executor
from premortem.check.merge import Sighting, by_key, merged
from premortem.check.naming import named
from premortem.check.patience import Exhausted, Patience
from premortem.check.planner import Planner
from premortem.errors import StatementError
from premortem.model import GENERIC, Advice, Declined, Executed, Finding, Gap, ParameterSet, Planned, Profile, Query
from premortem.plans import worst_cost
from premortem.settings import Settings

#: The rule whose plans are those of other statements: `foreign_keys` finds its cure.
FOREIGN_KEY = "foreign-key-without-index"
LITERAL = ParameterSet(name="literal", basis="the values in the text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The plans of one query, what is wrong with them, and what cures it; `says` is why no index helps."""

    planned: tuple[Planned, ...]
    findings: tuple[Finding, ...] = ()
    advice: tuple[Advice, ...] = ()
    declined: tuple[Declined, ...] = ()
    gaps: tuple[Gap, ...] = ()
    says: str = ""
    executed: Executed | None = None


def judge(
    query: Query,
    *,
    planner: Planner,
    profile: Profile,
    settings: Settings,
    patience: Patience | None = None,
    executor: Executor | None = None,
) -> Judgement:
    """Plan a query with each of its parameter sets and say what is wrong and what cures it.

    With an executor the query is executed too, as it is and with the indexes that the plans ask for.

    Raises StatementError where the query cannot be planned at all.
    """
    patience = patience or Patience()
    planned, gaps = plan_all(query, planner, profile, patience)
    groups = by_key(sightings(planned, query, profile, settings))
    found = tuple(merged(g) for g in groups.values())
    replan = patience.limited(planner.replanner(query, [p.parameters for p in planned]))
    gaps = (*gaps, *pseudonyms.gaps(planned[-1].plan, profile))

    def choose(replan: advisor.Replan) -> advisor.Choice:
        return advisor.choose(query, planned, found, profile, replan, settings.advisor)

    try:
        tried = executing.trial(query, planned, choose, replan, profile, executor) if executor else None
        choice = tried.choice if tried else choose(replan)
    except Exhausted:  # no index was refused, so no finding becomes milder
        return Judgement(planned=planned, findings=found, gaps=(*gaps, _untried(patience)))
    choice = replace(choice, advice=named(choice.advice))
    after = _after(choice.advice, planned)
    left = by_key(sightings(after, query, profile, settings))
    judgement = Judgement(
        planned=planned,
        findings=_findings(groups, left, choice, planned, settings),
        advice=choice.advice,
        declined=choice.declined,
        gaps=gaps,
        says=choice.says or "",
    )
    if tried is None or executor is None:
        return judgement
    ground = executing.Ground(
        query=query, profile=profile, settings=settings, trial=tried, is_whole=executor.is_whole,
        fixed=frozenset(settings.severities),
    )  # fmt: skip
    return replace(
        judgement,
        findings=executing.told(judgement.findings, ground),
        declined=(*tried.refused, *judgement.declined),
        gaps=(*judgement.gaps, *tried.gaps),
        executed=tried.executed,
    )


def plan_all(
    query: Query, planner: Planner, profile: Profile, patience: Patience
) -> tuple[tuple[Planned, ...], tuple[Gap, ...]]:
    """Return the query's plan for each parameter set and the generic one, and a gap for each set that has no plan."""
    if query.parameter_count == 0:
        return (planner.explain(query, LITERAL),), ()
    types = planner.parameter_types(query)
    generic = planner.explain(query, GENERIC)
    tried = [_try(query, chosen, planner, patience) for chosen in planner.choose(query, generic.plan, types, profile)]
    told = [_telling(p, generic) if isinstance(p, Planned) else p for p in tried]
    plans = tuple(p for p in told if isinstance(p, Planned))
    return (*plans, generic), tuple(g for g in told if isinstance(g, Gap))


def _telling(planned: Planned, generic: Planned) -> Planned | Gap:
    """Return the plan, or a gap where it reads nothing for the want of a value.

    For a type that nobody knows a value of, such as a composite or an extension's, a set holds NULL.  Compared with
    NULL nothing is found, PostgreSQL plans no scan, and what costs nothing would pass.  An optional filter that is
    switched off is NULL on purpose, and its plan reads.
    """
    if None not in planned.parameters.values or _reads(planned) or not _reads(generic):
        return planned
    return Gap(
        subject=f"parameter set {planned.parameters.name}",
        says="no value is known of a parameter's type, and NULL finds nothing",
        effect="the query was judged without it",
        cure="give a value: premortem explain --set NAME=VALUE",
    )


def _reads(planned: Planned) -> bool:
    return any(node.relation is not None for node in planned.plan.walk())


def _try(query: Query, chosen: ParameterSet, planner: Planner, patience: Patience) -> Planned | Gap:
    if patience.is_over:
        return Gap(
            subject=f"parameter set {chosen.name}",
            says=f"planning the query takes so long that its {patience.seconds:.0f} s were over",
            effect="the query was judged without it",
        )
    try:
        return planner.explain(query, chosen)
    except StatementError as error:
        return Gap(
            subject=f"parameter set {chosen.name}",
            says=f"PostgreSQL refuses its values: {error.message}",
            effect="the query was judged without it",
        )


def _untried(patience: Patience) -> Gap:
    return Gap(
        subject="indexes",
        says=f"planning the query takes so long that its {patience.seconds:.0f} s were over before one was found",
        effect="its findings are without a remedy, and an index may cure them",
    )


def sightings(planned: Sequence[Planned], query: Query, profile: Profile, settings: Settings) -> list[Sighting]:
    """Return what the rules see in each of the plans, with the severities that the settings give."""
    return [
        Sighting(finding=settings.graded(finding), planned=p, worst_cost=worst_cost(p.plan, profile))
        for p in planned
        for finding in rules.find(p, query, profile, settings.limits)
    ]


def is_curable(rule: str) -> bool:
    """Return whether an index would typically cure what the rule finds."""
    return any(r.name == rule and r.curable_by_index for r in rules.RULES)


def _after(advice: Sequence[Advice], planned: Sequence[Planned]) -> tuple[Planned, ...]:
    """Return the plans with the advised indexes, which were tried together; none where there is no advice."""
    if not advice:
        return ()
    return tuple(replace(p, plan=e.after, json=None) for p, e in zip(planned, advice[0].effects, strict=True))


def _findings(
    groups: Mapping[str, Sequence[Sighting]],
    left: Mapping[str, Sequence[Sighting]],
    choice: advisor.Choice,
    planned: Sequence[Planned],
    settings: Settings,
) -> tuple[Finding, ...]:
    fixed = frozenset(settings.severities)
    found = tuple(_finding(group, left.get(key, ()), choice, fixed) for key, group in groups.items())
    used = {s for f in found if f.remedy for s in f.remedy.sql}
    missing = tuple(proof.missing_index(a, planned) for a in choice.advice if not used.issuperset(a.sql))
    return proof.spared(proof.promoted((*found, *missing), fixed), choice.advice, fixed)


def _finding(
    group: Sequence[Sighting], left: Sequence[Sighting], choice: advisor.Choice, fixed: frozenset[str]
) -> Finding:
    rule = group[0].finding.rule
    effects = {e.parameters: e for e in choice.advice[0].effects} if choice.advice else {}
    cured = proof.cured_sets(group, left, effects, by_cost=is_curable(rule))
    if cured:
        return proof.with_remedy(group, cured, choice.advice, effects)
    if is_curable(rule) and rule not in fixed and rule != FOREIGN_KEY:
        return proof.without_remedy(group, choice.says or (proof.NO_MORE if choice.advice else ""))
    return merged(group)
