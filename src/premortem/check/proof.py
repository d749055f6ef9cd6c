"""Which findings an index cures: the rules are asked again, about the plans that the index gives.

A finding is cured for a parameter set when its plan with the index no longer shows it, or when that plan costs less
than half.  A finding that an index should cure, and that none does, is not a reason to stop anybody: it stays as
information, with the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from premortem.check.merge import Sighting, merged, worst_severity
from premortem.model import Advice, Effect, Evidence, Finding, Planned, Proof, Remedy, Severity

#: A plan that costs less than this share of what it did counts as cured, whatever shape it has.
HELPS = 0.5
MISSING_INDEX = "missing-index"


def remedy(advice: Sequence[Advice], says: str = "", effect: tuple[float, float] | None = None) -> Remedy:
    """Return the statements of several pieces of advice as one remedy."""
    before, after = effect or (None, None)
    return Remedy(
        sql=tuple(dict.fromkeys(s for a in advice for s in a.sql)),
        undo=tuple(dict.fromkeys(s for a in reversed(advice) for s in a.undo)),
        says=says,
        proof=Proof.LIKELY,
        before_cost=before,
        after_cost=after,
    )


def cured_sets(
    group: Sequence[Sighting], left: Sequence[Sighting], effects: Mapping[str, Effect], *, by_cost: bool = True
) -> frozenset[str]:
    """Return the parameter sets for which the finding is gone, or its plan costs less than half, with the index.

    Without `by_cost` it has to be gone: what no index is known to cure is not cured by a cheaper plan.
    """
    still = {s.parameters for s in left}
    return frozenset(
        s.parameters
        for s in group
        if (effect := effects.get(s.parameters)) is not None
        and (s.parameters not in still or (by_cost and effect.after_worst < HELPS * effect.before_worst))
    )


def with_remedy(
    group: Sequence[Sighting], cured: frozenset[str], advice: Sequence[Advice], effects: Mapping[str, Effect]
) -> Finding:
    """Return the finding with the indexes that cure it, told by a parameter set that gains much."""
    best = _telling([effects[s.parameters] for s in group if s.parameters in cured])
    finding = merged(group, (best.parameters,))
    own = [a for a in advice if a.candidate.table == finding.table] or list(advice)
    says = finding.remedy.says if finding.remedy else ""
    return replace(finding, remedy=remedy(own, says, effect_costs(best)))


def _telling(effects: Sequence[Effect]) -> Effect:
    """Return the effect to tell the finding by: the first that gains at least half of what any gains.

    The parameter sets come most usual first, so that a reader sees values that production really asks for.
    """
    gains = [e.before_worst - e.after_worst for e in effects]
    enough = max(gains) / 2 if max(gains) > 0 else max(gains)
    return next(e for e, gain in zip(effects, gains, strict=True) if gain >= enough)


def without_remedy(group: Sequence[Sighting], reason: str) -> Finding:
    """Return the finding as information: an index should cure it, and none does."""
    finding = merged(group)
    return replace(finding, severity=Severity.INFO, says=unhelped(finding.says, reason))


#: How the advisor begins to say that it did not look.
CHEAP = "the plan "
#: Why an index that helps the query does not cure one of its findings.
NO_MORE = "no further index helps"


def unhelped(says: str, reason: str) -> str:
    """Return what a finding says with why no index cures it.

    >>> unhelped("reads much", "no index helps enough"), unhelped("reads much", "the table is small")
    ('reads much; no index helps enough', 'reads much; no index helps: the table is small')
    >>> unhelped("reads much", NO_MORE)
    'reads much; no further index helps'
    """
    why = reason.rstrip(".") or "no index helps"
    if why.startswith(CHEAP):
        return f"{says.rstrip('.')}; left alone: {why}"
    return f"{says.rstrip('.')}; {why if why.startswith(('no index', NO_MORE)) else f'no index helps: {why}'}"


def missing_index(advice: Advice, planned: Sequence[Planned]) -> Finding:
    """Return the finding for an index that is worth having although no rule asked for one."""
    effect = max(advice.effects, key=lambda e: e.before_worst - e.after_worst)
    before, after = effect_costs(effect)
    columns = ", ".join(k.sql for k in advice.candidate.keys)
    early = "" if (before, after) == (effect.before_cost, effect.after_cost) else ", when no row stops it early"
    says = (
        f"costs {before:,.0f} without an index on {advice.candidate.table} ({columns}) and {after:,.0f} with it{early}"
    )
    if advice.covers_only:
        held = ", ".join(advice.candidate.include)
        says = (
            f"costs {before:,.0f} with the index that {advice.candidate.table} has on ({columns}), and {after:,.0f}"
            f" with one that also holds {held}"
        )
    return Finding(
        rule=MISSING_INDEX,
        severity=Severity.ERROR,
        says=says,
        key=f"{MISSING_INDEX}:{advice.candidate.table.sql}:{columns}",
        table=advice.candidate.table,
        node=_node_of(advice, effect, planned),
        parameters=effect.parameters,
        evidence=(Evidence.plan("cost without the index", before), Evidence.plan("cost with the index", after)),
        remedy=remedy((advice,), effect=(before, after)),
    )


def effect_costs(effect: Effect) -> tuple[float, float]:
    """Return the pair of costs that shows an effect: the planner's own, else those when nothing stops early."""
    shown = (effect.before_cost, effect.after_cost)
    worst = (effect.before_worst, effect.after_worst)
    return worst if _ratio(*worst) > 2 * _ratio(*shown) else shown


def _ratio(before: float, after: float) -> float:
    return before / max(after, 0.01)


def _node_of(advice: Advice, effect: Effect, planned: Sequence[Planned]) -> tuple[int, ...] | None:
    plan = next((p.plan for p in planned if p.parameters.name == effect.parameters), None)
    scans = [n for n in plan.scans() if n.relation == advice.candidate.table] if plan else []
    return max(scans, key=lambda n: n.total_cost).path if scans else None


def spared(findings: Sequence[Finding], advice: Sequence[Advice], fixed: frozenset[str]) -> tuple[Finding, ...]:
    """Return the findings, those made warnings whose remedy only spares visits to the table.

    An index that is there finds the rows: reading each from the table as well is a saving forgone, not an outage.
    """
    covering = {s for a in advice if a.covers_only for s in a.sql}
    return tuple(
        replace(f, severity=Severity.WARNING)
        if f.severity is Severity.ERROR and f.rule not in fixed and _only(f, covering)
        else f
        for f in findings
    )


def _only(finding: Finding, statements: Collection[str]) -> bool:
    return finding.remedy is not None and bool(finding.remedy.sql) and set(finding.remedy.sql) <= set(statements)


def promoted(findings: Sequence[Finding], fixed: frozenset[str]) -> tuple[Finding, ...]:
    """Return the findings, those with a proved index made errors where no finding of theirs is one.

    `fixed` names the rules whose severity the settings decide: what a user said stays.
    """
    cured = [f for f in findings if f.remedy is not None and f.remedy.proof is not Proof.ADVICE]
    if not cured or worst_severity(cured) is Severity.ERROR:
        return tuple(findings)
    return tuple(_raised(f) if f in cured and f.rule not in fixed else f for f in findings)


def _raised(finding: Finding) -> Finding:
    return replace(finding, severity=Severity.ERROR)
