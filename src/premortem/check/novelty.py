"""What is new about a judged query, and which of its findings count for that.

no match                 NEW         judged in full
another text             EDITED      judged in full; the old text is planned too, and an index left unused is told
the same text
    planned worse        REGRESSED   with what grew, is gone, or was set
    new findings         REGRESSED   if anything that matters changed
    else                 UNCHANGED   a near-tie that fell the other way is no finding
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TypeAlias

from premortem import baseline, sqltext
from premortem.baseline import Match, World
from premortem.check import acceptance, allows, causes, policy, telling
from premortem.check.budgets import OVER_BUDGET
from premortem.check.figures import Figures, comparable, figures
from premortem.check.judgement import plan_all
from premortem.check.patience import Patience
from premortem.check.planner import Planner
from premortem.check.runner import run
from premortem.check.sifting import Known, Sifted
from premortem.errors import ServerTimeout, StatementError
from premortem.model import (
    Accepted,
    Change,
    Difference,
    Finding,
    Planned,
    Profile,
    Query,
    QueryReport,
    Severity,
    Source,
    StatementKind,
    Suppressed,
    Verdict,
)
from premortem.settings import Settings

PLAN_GOT_WORSE = "plan-got-worse"
#: Findings about comments and budgets: people wrote the limit that they are about, so no near-tie makes them.
_EXACT = frozenset({OVER_BUDGET, allows.UNUSED_ALLOW, allows.ALLOW_WITHOUT_REASON, allows.UNREADABLE_ALLOW})


#: A query's findings that nobody accepted, those that count again although somebody did, and the accepted ones.
_Found: TypeAlias = tuple[tuple[Finding, ...], tuple[Finding, ...], tuple[Suppressed, ...]]


@dataclass(frozen=True, kw_only=True)
class Comparing:
    """Everything that a judged query is compared with, and who plans.

    `production` plans on production's schema without the change's migrations, None where the change has none.
    """

    known: Known
    sifted: Sifted
    world: World
    planner: Planner
    settings: Settings
    production: Callable[[], tuple[Planner, Profile]] | None = None

    @property
    def profile(self) -> Profile:
        """What today's plans are made for."""
        return self.world.profile

    @cached_property
    def plain(self) -> World | None:
        """The world without the change's migrations, None where it has none."""
        return replace(self.world, profile=self.production()[1]) if self.production is not None else None


def compared(report: QueryReport, comparing: Comparing) -> QueryReport:
    """Return a judged query's report with what is new about it; only findings that count for that are left to count."""
    query = report.query
    if query is None or query.kind is StatementKind.UTILITY:
        return report
    match = comparing.sifted.match(query)
    held = comparing.known.accepted.get(comparing.sifted.name(query))
    if held is None and match is not None and match.is_same:
        held = match.was
    if report.error is not None or not report.planned:
        return _unplanned(report, match, held, comparing.settings.today)
    new, again, accepted = acceptance.applied(report.findings, held, comparing.settings.today)
    if match is None:
        where = "was accepted before" if comparing.known.lock is not None else "stood there where the branch began"
        difference = Difference(change=Change.NEW, says=f"nothing like it {where}")
        return _counting(report, (*new, *again), accepted, difference)
    if match.is_same and acceptance.is_untold(match.was):
        difference = Difference(change=Change.NEW, says="it could not be planned when it was accepted, and now it can")
        return _counting(report, (*new, *again), accepted, difference)
    if match.is_same and match.was.shape:
        return _same(report, match.was, comparing, (new, again, accepted), held)
    return _edited(report, query, match, comparing, (new, again, accepted), held)


def _unplanned(report: QueryReport, match: Match | None, held: Accepted | None, today: date) -> QueryReport:
    """Return the report of a query that could not be planned: no pass, unless a person accepted just that."""
    _, again, accepted = acceptance.applied((acceptance.untold(report.error or ""),), held, today)
    if accepted:
        says = "it could not be planned when it was accepted either"
        difference = Difference(change=Change.UNCHANGED, says=says, was=match.was if match else None)
        suppressed = (*report.suppressed, *accepted)
        return replace(
            report, verdict=Verdict.PASS, error=None, hint=None, suppressed=suppressed, difference=difference
        )
    error = again[0].says if again else report.error
    return replace(report, error=error, difference=_of_unplanned(match))


def _of_unplanned(match: Match | None) -> Difference:
    if match is None:
        return Difference(change=Change.NEW)
    if not match.is_same:
        return Difference(change=Change.EDITED, was=match.was)
    could = "it could be planned when it was accepted, and cannot be any more"
    says = "it cannot be planned for another reason than when it was accepted"
    says = says if acceptance.is_untold(match.was) else could
    return Difference(change=Change.REGRESSED, says=says, was=match.was, is_worse=False)


def _counting(
    report: QueryReport, findings: Sequence[Finding], suppressed: Sequence[Suppressed], difference: Difference
) -> QueryReport:
    wanted = {sql for f in findings if f.remedy for sql in f.remedy.sql}
    return replace(
        report,
        verdict=policy.verdict(findings),
        findings=tuple(findings),
        suppressed=(*report.suppressed, *suppressed),
        advice=tuple(a for a in report.advice if wanted.issuperset(a.sql)),
        difference=difference,
    )


def _same(
    report: QueryReport,
    was: Accepted,
    comparing: Comparing,
    found: _Found,
    held: Accepted | None,
) -> QueryReport:
    """Return the report of a query that nobody edited."""
    new, again, accepted = found
    assert report.query is not None
    limits, profile = comparing.settings.baseline, comparing.profile
    now = figures(report.planned, profile)
    grown = causes.growths(was, profile, limits.grown)
    changed = baseline.changed(was.facts, comparing.world.facts(report.query))
    is_worse = worse(now.cost, was.cost, comparing.settings)
    is_moved = is_worse or bool(grown) or not was.facts or bool(changed & {baseline.SCHEMA, baseline.RULES})
    doubted = tuple(f for f in new if f.rule not in _EXACT and f.severity is not Severity.INFO)
    if is_moved and doubted and not is_worse and not grown and baseline.RULES not in changed:
        there = _keys_on_production(report.query, was, comparing)
        doubted, is_moved = tuple(f for f in doubted if f.key in there), False
    noise = () if is_moved else doubted
    counted = tuple(f for f in new if f not in noise)
    suppressed = (*accepted, *(Suppressed(finding=f, reason=telling.near_tie(now, was)) for f in noise))
    if not is_worse and all(f.severity is Severity.INFO for f in (*counted, *again)):
        return _counting(report, (*counted, *again), suppressed, Difference(change=Change.UNCHANGED, was=was))
    before = _on_production(report, comparing) if is_worse else ()
    why = causes.causes(was, report.planned, profile, changed=changed, settings=comparing.known.settings, grown=grown)
    says = telling.regressed(why, changed, (now, was), counted, again, is_worse=is_worse)
    difference = Difference(
        change=Change.REGRESSED,
        says=says,
        was=was,
        before=before,
        evidence=(*telling.then_and_now(was.cost, was.rows_read, now, Source.LOCK), *causes.evidence(grown)),
        is_worse=is_worse,
    )
    told = _of_worse(report, difference, now, _severity(before, now, was, comparing)) if is_worse else ()
    counts, borne = _unless_accepted(told, now, held, comparing.settings)
    return _with_own(report, (*counted, *again), counts, (*suppressed, *borne), difference, comparing)


def _unless_accepted(
    own: tuple[Finding, ...], now: Figures, held: Accepted | None, settings: Settings
) -> tuple[tuple[Finding, ...], tuple[Suppressed, ...]]:
    """Return our own finding, or that the lock of this checkout accepts what it is about.

    The lock that a branch is compared with is its base's; what the branch adds to its own is a team's decision that
    a reviewer saw.
    """
    if held is None or not held.shape or worse(now.cost, held.cost, settings):
        return own, ()
    reason = f"the lock accepts this query at a cost of {held.cost:,.0f}"
    return (), tuple(Suppressed(finding=f, reason=reason) for f in own)


def _keys_on_production(query: Query, was: Accepted, comparing: Comparing) -> frozenset[str]:
    """Return the findings that production's schema shows too, where only the change's migrations make it another.

    They come from a near-tie then, and not from what the migrations do.
    """
    if comparing.production is None or comparing.plain is None:
        return frozenset()
    if baseline.SCHEMA in baseline.changed(was.facts, comparing.plain.facts(query)):
        return frozenset()
    planner, profile = comparing.production()
    told = run(query, planner=planner, profile=profile, settings=comparing.settings)
    return frozenset(f.key for f in told.findings if f.severity is not Severity.INFO)


def worse(now: float, was: float, settings: Settings) -> bool:
    """Return whether a cost is really higher than another: near-ties are not, nor is what is cheap all the same."""
    limits = settings.baseline
    return now >= limits.min_cost and now >= limits.worse * was


def _on_production(report: QueryReport, comparing: Comparing) -> tuple[Planned, ...]:
    """Return the plans that production's schema gives without the change's migrations, for the same parameter sets."""
    if comparing.production is None or report.query is None:
        return ()
    planner, _ = comparing.production()
    try:
        return tuple(planner.explain(report.query, p.parameters) for p in report.planned)
    except (StatementError, ServerTimeout):
        return ()


def _severity(before: Sequence[Planned], now: Figures, was: Accepted, comparing: Comparing) -> Severity:
    """Return how bad it is that an unedited query got worse.

    What the change's own migrations do is the change's to mend; what only grew, and is planned as ever, is information.
    """
    if before and comparing.production is not None:
        cost = figures(before, comparing.production()[1]).cost
        if worse(now.cost, cost, comparing.settings):
            much = now.cost >= comparing.settings.baseline.much_worse * cost
            return Severity.ERROR if much else Severity.WARNING
    return Severity.INFO if baseline.outline(now.worst.plan) == was.shape else Severity.WARNING


def _edited(
    report: QueryReport, query: Query, match: Match, comparing: Comparing, found: _Found, held: Accepted | None
) -> QueryReport:
    """Return the report of a query whose text changed: both texts are planned on today's twin."""
    new, again, accepted = found
    before = _planned_again(match.was, query, comparing)
    now = figures(report.planned, comparing.profile)
    then = figures(before, comparing.profile) if before else None
    old = comparing.known.accepted.get(match.name, match.was)
    carried = held is None and _is_planned_alike(report.planned, now, before, then, old, comparing.settings)
    if carried:
        new, over, also = acceptance.applied(new, old, comparing.settings.today)
        again, accepted = (*again, *over), (*accepted, *also)
        carried = bool(also)
    findings = (*new, *again)
    kept = ("the plan is the same, and so is what was accepted of it",) if carried else ()
    if then is None:
        says = telling.listed(("its text changed; the text before cannot be planned any more", *kept))
        return _counting(report, findings, accepted, Difference(change=Change.EDITED, says=says, was=match.was))
    got_worse = worse(now.cost, then.cost, comparing.settings)
    lost = baseline.lost(before, report.planned, comparing.profile, now.worst if got_worse else None)
    cost = telling.edited(now, then.cost, then.worst, least=comparing.settings.baseline.min_cost)
    difference = Difference(
        change=Change.EDITED,
        says=telling.listed([*(one.says for one in lost), cost, *kept]),
        was=match.was,
        before=before,
        evidence=telling.then_and_now(then.cost, then.rows_read, now, Source.PLAN),
    )
    if not got_worse:
        return _counting(report, findings, accepted, difference)
    much = lost and now.cost >= comparing.settings.baseline.much_worse * then.cost
    told = _of_worse(report, difference, now, Severity.ERROR if much else Severity.WARNING)
    counts, borne = _unless_accepted(told, now, held, comparing.settings)
    return _with_own(report, findings, counts, (*accepted, *borne), difference, comparing)


def _is_planned_alike(
    planned: Sequence[Planned],
    now: Figures,
    before: Sequence[Planned],
    then: Figures | None,
    was: Accepted,
    settings: Settings,
) -> bool:
    """Return whether an edit left the plans as they were: the same nodes, tables and indexes at no higher cost.

    Where the old text cannot be planned any more, such as one that names a column which is gone, the lock tells what
    its worst plan was.
    """
    if then is None:
        return baseline.outline(now.worst.plan) == was.shape and not worse(now.cost, was.cost, settings)
    shapes = {baseline.outline(p.plan) for p in before}
    if any(baseline.outline(p.plan) not in shapes for p in comparable(planned)):
        return False
    limits = settings.baseline
    return not worse(now.cost, then.cost, settings) and now.rows_read <= max(limits.worse * then.rows_read, 1.0)


def _planned_again(was: Accepted, query: Query, comparing: Comparing) -> tuple[Planned, ...]:
    """Return the plans of the text before, with the values that today's was seen with where they are the same ones."""
    old = as_query(was)
    if old is None:
        return ()
    if old.parameter_count == query.parameter_count and _tail(was.text) == _tail(query.text):
        old = replace(old, samples=query.samples)
    try:
        return plan_all(old, comparing.planner, comparing.profile, Patience())[0]
    except (StatementError, ServerTimeout):
        return ()


def _tail(text: str) -> str:
    """Return what follows the select list: the part in which an edit of the list alone changes nothing."""
    return " ".join(text.lower().partition(" from ")[2].split())


def as_query(was: Accepted) -> Query | None:
    """Return an accepted query as one that can be planned, None where its text cannot be read."""
    numbers = [int(c[1:]) for c in sqltext.constants(was.text) if c[:1] == "$" and c[1:].isdigit()]
    try:
        kind = sqltext.statement_facts(was.text).kind
    except StatementError:
        return None
    return Query(
        text=was.text,
        original=was.text,
        fingerprint=was.fingerprint,
        site=was.site,
        kind=kind,
        parameter_count=max(numbers, default=0),
        search_path=was.search_path,
    )


def _of_worse(report: QueryReport, difference: Difference, now: Figures, severity: Severity) -> tuple[Finding, ...]:
    table = next((n.relation for p in report.planned for n in p.plan.scans()), None)
    return (
        Finding(
            rule=PLAN_GOT_WORSE,
            severity=severity,
            says=difference.says,
            key=f"{PLAN_GOT_WORSE}:{table.sql if table else ''}",
            table=table,
            evidence=difference.evidence,
            parameters=now.worst.parameters.name,
        ),
    )


def _with_own(
    report: QueryReport,
    findings: Sequence[Finding],
    own: Sequence[Finding],
    suppressed: Sequence[Suppressed],
    difference: Difference,
    comparing: Comparing,
) -> QueryReport:
    """Return the report with our own finding, as far as settings and comments let it count.

    Where a rule says already what is wrong, ours would only say it again.
    """
    if any(f.severity is Severity.ERROR for f in findings):
        return _counting(report, findings, suppressed, difference)
    here = comparing.settings.at(report.site.source)
    graded, off = policy.split(own, here)
    said = [a for a in report.query.allows if a.rule == PLAN_GOT_WORSE] if report.query else []
    left, allowed = allows.apply(graded, said, here.rule_names, today=here.today)
    unused = f"{allows.UNUSED_ALLOW}:{PLAN_GOT_WORSE}"
    rest = tuple(f for f in findings if not (own and f.key == unused))
    return _counting(report, (*rest, *left), (*suppressed, *off, *allowed), difference)
