"""What a report says, before a format decides how it looks: sentences, order, and which plan to show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

from premortem import words
from premortem.model import (
    Advice,
    Change,
    Declined,
    Effect,
    Executed,
    Execution,
    Finding,
    Gap,
    ParameterSet,
    Plan,
    Planned,
    Proof,
    QueryReport,
    Remedy,
    Report,
    Severity,
    StatementKind,
    Values,
    Verdict,
)
from premortem.plans import own_times, total_ms
from premortem.report import novelty

#: The order of severities, worst first.
BY_SEVERITY = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_BY_VERDICT = {Verdict.FAIL: 0, Verdict.UNKNOWN: 1, Verdict.PASS: 2}

#: What each proof means to somebody who is about to run the statement.
PROOFS = {
    Proof.PROVED: "executed on real rows",
    Proof.LIKELY: "planned on the twin, not executed on real rows",
    Proof.ADVICE: "advice for a person to judge; premortem did not try it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The plans worth showing for one finding: today's, and the one with the remedy where there is one."""

    parameters: str
    before: Plan
    hot: tuple[int, ...] | None
    after: Plan | None


def is_skipped(judged: QueryReport) -> bool:
    """Return whether the statement is of a kind that has no plan, such as SET or CREATE TABLE."""
    return judged.query is not None and judged.query.kind is StatementKind.UTILITY and not judged.planned


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings, worst first; those with a remedy before those without, and the one that saves most first."""
    return tuple(sorted(findings, key=lambda f: (BY_SEVERITY[f.severity], f.remedy is None, -_saving(f))))


def _saving(finding: Finding) -> float:
    remedy = finding.remedy
    return (remedy.before_cost or 0.0) - (remedy.after_cost or 0.0) if remedy else 0.0


def first_of_remedy(findings: Iterable[Finding]) -> frozenset[str]:
    """Return the keys of the findings that are the first, worst first, to show a remedy's statements."""
    shown: dict[tuple[str, ...], str] = {}
    for finding in by_severity(findings):
        if finding.remedy is not None and finding.remedy.sql:
            shown.setdefault(finding.remedy.sql, finding.key)
    return frozenset(shown.values())


def ordered(queries: Iterable[QueryReport]) -> tuple[QueryReport, ...]:
    """Return the query reports, worst first, else in the order in which they were read."""
    return tuple(sorted(queries, key=_weight))


def _weight(judged: QueryReport) -> tuple[int, int, float]:
    severities = [BY_SEVERITY[f.severity] for f in judged.findings]
    cost = max((p.plan.total_cost for p in judged.planned), default=0.0)
    return _BY_VERDICT[judged.verdict], min(severities, default=3), -cost if severities else 0.0


def headline(report: Report) -> str:
    """Return the verdict as one sentence without its full stop."""
    judged = [q for q in report.queries if not is_skipped(q)]
    failed = sum(q.verdict is Verdict.FAIL for q in judged)
    unknown = sum(q.verdict is Verdict.UNKNOWN for q in judged)
    total = words.plural(len(judged) + report.unchanged, "query", "queries")
    tail = f", could not tell for {words.number(unknown)}" if failed and unknown else ""
    compared = novelty.counts(report)
    besides = f" ({compared})" if compared else ""
    if failed:
        schema = ", and so would the schema change" if _fails(report.findings) else ""
        return f"{_share(failed, total)} would hurt production{tail}{schema}{besides}"
    if report.verdict is Verdict.FAIL:
        queries = f"{total} checked; " if judged else ""
        return f"{queries}the schema change would hurt production{tail}{besides}"
    if unknown:
        return f"could not tell for {_share(unknown, total)}{besides}"
    if judged or report.unchanged:
        return _unchanged(report, judged, total) or f"{total} checked, {_remarks(report)}{besides}"
    return _remarks(report)


def _unchanged(report: Report, judged: Sequence[QueryReport], total: str) -> str:
    """Return the headline where all that is asked was accepted as it is; empty where something is new."""
    if any(q.difference is None or q.difference.change is not Change.UNCHANGED for q in judged) or report.gone:
        return ""
    accepted = sum(len(q.suppressed) for q in judged)
    besides = f", {words.plural(accepted, 'finding')} accepted or allowed" if accepted else ""
    warned = f", {_remarks(report)}" if _warnings(report) else ""
    return f"{total} unchanged{besides}{warned}"


def _warnings(report: Report) -> int:
    findings = [*report.findings, *(f for q in report.queries for f in q.findings)]
    return sum(f.severity is Severity.WARNING for f in findings)


def _fails(findings: Iterable[Finding]) -> bool:
    return any(f.severity is Severity.ERROR for f in findings)


def _share(some: int, total: str) -> str:
    return total if total.startswith(f"{words.number(some)} ") else f"{words.number(some)} of {total}"


def _remarks(report: Report) -> str:
    warnings = _warnings(report)
    return f"{words.plural(warnings, 'warning')}, nothing that fails" if warnings else "nothing found"


#: What the parameter set of a plan that came ready-made is called.
PASTED = "pasted"
Notes: TypeAlias = Mapping[tuple[int, ...], tuple[tuple[Severity | None, str], ...]]
NO_NOTES: Notes = MappingProxyType({})
_SHARE_WORTH_TELLING = 0.1


def at_nodes(judged: QueryReport, planned: Planned) -> Notes:
    """Return what is to be said at the nodes of a pasted plan: its findings, and where the time went."""
    if planned.parameters.name != PASTED:
        return NO_NOTES
    notes: dict[tuple[int, ...], tuple[tuple[Severity | None, str], ...]] = {}
    for finding in by_severity(judged.findings):
        if finding.parameters == PASTED and finding.node is not None:
            said = (finding.severity, f"{finding.severity.value} {finding.rule}")
            notes[finding.node] = (*notes.get(finding.node, ()), said)
    own, whole = own_times(planned.plan), total_ms(planned.plan)
    for path, spent in own.items():
        if whole and spent >= _SHARE_WORTH_TELLING * whole:
            said_of_time = f"{words.number(spent)} ms of its own, {spent / whole:.0%} of all"
            notes[path] = ((None, said_of_time), *notes.get(path, ()))
    return notes


def shown(judged: QueryReport, finding: Finding) -> Shown | None:
    """Return the plan that shows the finding, and the plan after the remedy.

    None where the finding is about no plan.
    """
    planned = _planned_of(judged, finding)
    effect = effect_of(judged, finding)
    if planned is not None:
        after = effect.after if effect else None
        return Shown(parameters=planned.parameters.name, before=planned.plan, hot=finding.node, after=after)
    if effect is None:
        return None
    return Shown(parameters=effect.parameters, before=effect.before, hot=_hottest(effect.before), after=effect.after)


def _hottest(plan: Plan) -> tuple[int, ...] | None:
    """Return the path of the scan that costs most, for a finding that is about another statement's plan."""
    return max(plan.scans(), key=lambda n: (n.kind != "ModifyTable", n.total_cost), default=plan.root).path


def _planned_of(judged: QueryReport, finding: Finding) -> Planned | None:
    named = (p for p in judged.planned if p.parameters.name == finding.parameters)
    only = judged.planned[0] if len(judged.planned) == 1 and finding.node is not None else None
    return next(named, only)


def effect_of(judged: QueryReport, finding: Finding) -> Effect | None:
    """Return what the finding's remedy does to the plan that shows it, or where it does most."""
    effects = [e for a in helping(judged, finding) for e in a.effects]
    own = [e for e in effects if e.parameters == finding.parameters]
    return max(own or effects, key=lambda e: e.before_worst - e.after_worst, default=None)


def helping(judged: QueryReport, finding: Finding) -> tuple[Advice, ...]:
    """Return the advice whose statements are the finding's remedy."""
    if finding.remedy is None:
        return ()
    return tuple(a for a in judged.advice if set(a.sql) <= set(finding.remedy.sql))


def declined(judged: QueryReport) -> tuple[Declined, ...]:
    """Return the indexes that were considered and not proposed, each once."""
    every = [*(d for a in judged.advice for d in a.declined), *judged.declined]
    return tuple(dict.fromkeys(every))


def sentence(text: str) -> str:
    """Return the text as one line that begins with a capital and ends with a full stop; nothing for nothing.

    A name stays as it is.

    >>> sentence("reads 12 rows"), sentence("items_pkey is unused"), sentence("")
    ('Reads 12 rows.', 'items_pkey is unused.', '')
    """
    line = words.one_line(text).rstrip(".")
    first = line.partition(" ")[0].rstrip(",:;")
    capital = first.isalpha() or "-" in first
    return f"{line[:1].upper() if capital else line[:1]}{line[1:]}." if line else ""


def quiet(judged: QueryReport) -> str:
    """Return what there is to say about a query with nothing wrong: what is new about it, and how its text begins."""
    new = judged.difference is not None and judged.difference.change is Change.NEW
    head = "New query." if new else novelty.sentence(judged)
    query = words.shortened(words.one_line(judged.original), 60)
    return " ".join(s for s in (head, novelty.costs(judged), query) if s)


def owners(judged: QueryReport) -> str:
    """Return whom the settings name for a query, empty where nobody."""
    return f"Owned by {words.listing([words.one_line(o) for o in judged.owners])}." if judged.owners else ""


def stands_at(finding: Finding) -> str:
    """Return where a finding stands that is about no single query: its line, else its table, else the schema."""
    return words.one_line(str(finding.site or finding.table or "the schema"))


def by_place(findings: Iterable[Finding]) -> tuple[tuple[str, tuple[Finding, ...]], ...]:
    """Return the findings of each place, the place with the worst one first."""
    places: dict[str, list[Finding]] = {}
    for finding in by_severity(findings):
        places.setdefault(stands_at(finding), []).append(finding)
    return tuple((place, tuple(found)) for place, found in places.items())


def gain(finding: Finding, judged: QueryReport | None = None) -> str:
    """Return the remedy's effect on the cost in one sentence, empty where nothing is known.

    The costs may be those of reading to the end what the plan shown expects to stop early; then it says so.
    """
    remedy = finding.remedy
    if remedy is None or remedy.before_cost is None or remedy.after_cost is None:
        return ""
    before, after = words.number(remedy.before_cost), words.number(remedy.after_cost)
    effect = effect_of(judged, finding) if judged else None
    to_the_end = effect is not None and remedy.before_cost > 1.01 * effect.before_cost
    when = " when no row stops it early" if to_the_end else ""
    return f"Estimated cost{when} {before} → {after} ({words.change(remedy.before_cost, remedy.after_cost)})."


def least_gain(judged: QueryReport, finding: Finding) -> str:
    """Return which parameter set the remedy helps much less than it helps the finding's, empty where none."""
    remedy = finding.remedy
    if remedy is None or not remedy.before_cost or remedy.after_cost is None:
        return ""
    best = remedy.before_cost / max(remedy.after_cost, 0.01)
    effects = [e for a in helping(judged, finding) for e in a.effects if e.before_worst > remedy.before_cost / 4]
    least = min(effects, key=lambda e: e.before_worst / max(e.after_worst, 0.01), default=None)
    times = least.before_worst / max(least.after_worst, 0.01) if least else _ENOUGH
    if least is None or times >= _ENOUGH or best < _MUCH_LESS * times:
        return ""
    before, after = words.number(least.before_worst), words.number(least.after_worst)
    helped = words.change(least.before_worst, least.after_worst)
    return f"It helps {values_of(least.parameters)} least: {before} → {after} ({helped})."


def sureness(judged: QueryReport, finding: Finding) -> str:
    """Return how well the remedy is proved, and for which parameter values."""
    if finding.remedy is None:
        return ""
    names = _tried_with(judged, finding.remedy)
    proof = PROOFS[finding.remedy.proof]
    if finding.remedy.proof is Proof.ADVICE or len(names) < 2:
        return f"{proof[0].upper()}{proof[1:]}."
    sets = words.listing(names)
    return f"{proof[0].upper()}{proof[1:]}: {words.plural(len(names), 'parameter set')} ({sets}), none worse."


def proof_sentence(judged: QueryReport, finding: Finding) -> str:
    """Return what the remedy did on real rows and how sure that makes us: one to three sentences."""
    measured = finding.remedy.measured if finding.remedy else ""
    return " ".join(s for s in (sureness(judged, finding), words.one_line(measured)) if s)


def executions(executed: Executed) -> tuple[tuple[str, ...], ...]:
    """Return a row for each parameter set that was executed, under `execution_headings`."""
    after = {e.parameters.name: e for e in executed.after}
    return tuple(_execution(e, after.get(e.parameters.name), with_index=bool(after)) for e in executed.before)


def execution_headings(executed: Executed) -> tuple[str, ...]:
    """Return the headings of the table of executions; what the index did only where one was built."""
    own = ("parameters", "first run", "again", "blocks")
    return (*own, "again with the index", "blocks") if executed.after else own


def _execution(ran: Execution, after: Execution | None, *, with_index: bool) -> tuple[str, ...]:
    own = (words.one_line(ran.parameters.name), _first_run(ran), _again(ran), _blocks(ran))
    if not with_index:
        return own
    return (*own, _again(after), _blocks(after)) if after is not None else (*own, "", "")


def _first_run(ran: Execution) -> str:
    if ran.first_ms is None:
        return f"over {words.duration(ran.limit_ms / 1000)}"
    read = f", {words.number(ran.first_read)} read" if ran.first_read else ""
    return f"{words.duration(ran.first_ms / 1000)}{read}"


def _again(ran: Execution) -> str:
    return words.duration(ran.ms / 1000) if ran.finished else f"over {words.duration(ran.limit_ms / 1000)}"


def _blocks(ran: Execution) -> str:
    return words.number(ran.blocks) if ran.blocks is not None else "-"


def executed_title(judged: QueryReport) -> str:
    """Return what the execution came to in a few words, empty where there was none."""
    executed = judged.executed
    if executed is None or not executed.before:
        return ""
    worst = max(executed.before, key=lambda e: e.ms)
    after = next((e for e in executed.after if e.parameters.name == worst.parameters.name), None)
    with_it = f" → {_again(after)} with the index" if after is not None else ""
    return f"Executed: {_again(worst)}{with_it} ({_of_set(worst.parameters)})"


def executed_plans(executed: Executed, *, slowest: bool | None = None) -> tuple[tuple[str, Plan], ...]:
    """Return the plans that were executed, each with its title, those with the index after those without.

    With `slowest` only those of the slowest parameter set, or of all but that one.
    """
    worst = max(executed.before, key=lambda e: e.ms).parameters.name
    wanted = [e for e in (*executed.before, *executed.after) if slowest in (None, e.parameters.name == worst)]
    before = (("EXPLAIN (ANALYZE, BUFFERS)", e) for e in executed.before if e in wanted)
    after = (("EXPLAIN (ANALYZE, BUFFERS) with the index", e) for e in executed.after if e in wanted)
    return tuple(
        (f"{head}, {_of_set(e.parameters)}, {_again(e)}", e.plan) for head, e in (*before, *after) if e.plan is not None
    )


def _of_set(parameters: ParameterSet) -> str:
    return values_of(words.one_line(parameters.name))


def where_executed(executed: Executed) -> str:
    """Return where the query was executed, and what was built there, in one or two sentences."""
    built = (
        f"{words.one_line(b.name)} took {words.duration(b.seconds)} to build and has {words.size(b.size_bytes)}"
        for b in executed.built
    )
    evicted = any(e.evicted for e in executed.before)
    how = "first with its blocks out of shared buffers, then again" if evicted else "first as it was found, then again"
    said = f"Executed on {words.one_line(executed.place)} with EXPLAIN (ANALYZE, BUFFERS), {how}; all of it undone."
    return " ".join([said, *(f"{b}." for b in built)])


def _tried_with(judged: QueryReport, remedy: Remedy) -> list[str]:
    """Return the names of the parameter sets that a remedy was tried with."""
    if remedy.proof is Proof.PROVED and judged.executed is not None:
        return [after.parameters.name for _, after in judged.executed.pairs()]
    return [p.parameters.name for p in judged.planned if p.parameters.name != "pasted"]


def title(parameters: ParameterSet) -> str:
    """Return what a parameter set is called above its plan, with where its values come from."""
    if parameters.name in ("literal", "pasted"):
        return "plan" if parameters.name == "literal" else words.one_line(parameters.basis)
    if parameters.is_generic:
        return "generic plan, which a prepared statement may get"
    basis = f" ({words.one_line(parameters.basis)})" if parameters.basis else ""
    return f"plan for the {parameters.name} values{basis}"


def values_of(name: str) -> str:
    """Return the values of a parameter set as a phrase.

    >>> values_of("hot"), values_of("generic"), values_of("literal")
    ('the hot values', 'the generic plan', 'the values in the text')
    """
    said = {"generic": "the generic plan", "literal": "the values in the text", "pasted": "the values it was made with"}
    return said.get(name, f"the {name} values")


def hurts_with(judged: QueryReport, finding: Finding) -> str:
    """Return which parameter set shows the finding and where its values come from, empty for a query without any."""
    found = next((p for p in judged.planned if p.parameters.name == finding.parameters), None)
    if found is None or found.parameters.name in ("literal", "pasted"):
        return ""
    if found.parameters.is_generic:
        return "Hurts with the generic plan, which a prepared statement may get."
    basis = f" ({words.one_line(found.parameters.basis)})" if found.parameters.basis else ""
    return f"Hurts with {values_of(found.parameters.name)}{basis}."


def price(advice: Advice) -> str:
    """Return what an index costs: its size, how long it takes to build, and what it does to writes."""
    build = f", about {words.duration(advice.build_seconds)} to build" if advice.build_seconds > 0 else ""
    write = f"; {words.one_line(advice.write_cost).rstrip('.')}" if advice.write_cost else ""
    return f"About {words.size(advice.size_bytes)}{build} (estimated){write}."


def call_rate(judged: QueryReport) -> str:
    """Return how often production runs the query, empty where unknown."""
    rate = judged.query.calls_per_second if judged.query else None
    if not rate:
        return ""
    if rate >= 0.95:
        return f"Production runs it {words.number(rate)} times per second."
    return f"Production runs it about {words.plural(max(round(rate * 3600), 1), 'time')} per hour."


def places(judged: QueryReport) -> str:
    """Return where the statement stands, other places counted."""
    site = words.one_line(str(judged.site))
    return f"{site} and {words.plural(len(judged.also_at), 'other place')}" if judged.also_at else site


#: Another set is worth a sentence where it gets less than so many times cheaper, and so many times less than the best.
_ENOUGH, _MUCH_LESS = 5.0, 10.0

_VALUES = {
    Values.ALL: "",
    Values.LOW_CARDINALITY: " Values shown are pseudonyms, but for those of columns with few values.",
    Values.NONE: " The profile holds no values; those shown are assumed.",
}


def source(report: Report) -> str:
    """Return where the report's facts come from, in one sentence."""
    facts = report.facts
    exact = "" if facts.twin_is_exact else ", another major: costs may differ"
    given = f"Plans as they stand in {words.one_line(facts.plans_from)}. " if facts.plans_from else ""
    if facts.profile_taken_at is None:
        return f"{given}No profile; premortem {facts.premortem_version}."
    if not facts.twin_version:
        return (
            f"{given}Profile {words.one_line(facts.profile_name)} of {_day(facts.profile_taken_at)}"
            f" (PostgreSQL {words.one_line(facts.production_version)}); premortem {facts.premortem_version}."
        )
    return given + (
        f"Profile {words.one_line(facts.profile_name)} of {_day(facts.profile_taken_at)}"
        f" (PostgreSQL {words.one_line(facts.production_version)}), planned by PostgreSQL"
        f" {words.one_line(facts.twin_version)} with zero rows{exact}; premortem {facts.premortem_version}."
        f"{_VALUES[facts.values]}"
    )


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M %Z}".rstrip()


def effect_headings(advice: Advice) -> tuple[str, ...]:
    """Return the headings of the table of an index's effects; the full costs only where they differ from the shown."""
    full = ("before, if nothing stops early", "after, likewise")
    return ("before", "after", *full) if _stops_early(advice) else ("before", "after")


def effect_costs(advice: Advice, effect: Effect) -> tuple[str, ...]:
    """Return the figures of one effect, under `effect_headings`."""
    shown = (effect.before_cost, effect.after_cost)
    full = (effect.before_worst, effect.after_worst) if _stops_early(advice) else ()
    return tuple(words.number(cost) for cost in (*shown, *full))


def _stops_early(advice: Advice) -> bool:
    pairs = [(e.before_cost, e.before_worst, e.after_cost, e.after_worst) for e in advice.effects]
    return any(bw > 1.01 * b or aw > 1.01 * a for b, bw, a, aw in pairs)


def gap_sentence(gap: Gap) -> str:
    """Return a gap as one to three sentences."""
    parts = [words.one_line(p).rstrip(".") for p in (f"{gap.subject}: {gap.says}", gap.effect)]
    said = " ".join(f"{p[0].upper()}{p[1:]}." for p in parts if p)
    return f"{said} To close it: {words.one_line(gap.cure)}" if gap.cure else said


def gaps(report: Report) -> tuple[Gap, ...]:
    """Return the report's gaps and those of its queries, each once."""
    every = [*report.gaps, *(g for q in report.queries for g in q.gaps)]
    return tuple(dict.fromkeys(every))
