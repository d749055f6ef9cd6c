"""What execution on the mirror adds to what the twin planned: figures, findings of its own, and proof.

```
trial(…)                       execute the query as it is; build what the advisor chose, execute it again
├── refusal                    an index that makes a set slower, or saves nothing, is not proposed: choose another
told(findings, …)
├── finding by finding         proved where the execution shows the gain; milder where it shows no harm
├── slow                       "did not finish", the only finding that needs no rule
└── the rules on executions    misestimates, spills, heap fetches: they are silent on estimates
```
Rules about shapes are not asked about the mirror's plans: a smaller copy is planned otherwise, rightly so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from premortem import advisor, rules, words
from premortem.advisor import Replan
from premortem.check import proof
from premortem.check.executor import Executor
from premortem.check.merge import Sighting, by_key, merged
from premortem.errors import ServerTimeout, StatementError
from premortem.model import (
    Advice,
    Declined,
    Evidence,
    Executed,
    Execution,
    Finding,
    Gap,
    IndexCandidate,
    ParameterSet,
    Planned,
    Profile,
    Proof,
    Query,
    RelationName,
    Remedy,
    Severity,
    Source,
)
from premortem.plans import as_measured
from premortem.settings import Settings

DID_NOT_FINISH = "did-not-finish"
#: An index that leaves more than this share of blocks and of time everywhere saved nothing.
_SAVES = 0.5
#: What a set may lose before it counts: blocks are exact, but a few of them cost nothing; time on a shared machine
#: is not exact at all, so that it has to agree.
_WORSE_BLOCKS, _FEW_BLOCKS = 1.1, 50
_WORSE_TIME, _SHORT_MS = 1.25, 2.0
#: With about the same blocks only a time that nobody mistakes for noise is worse.
_MUCH_WORSE_TIME, _NOTICED_MS = 2.0, 20.0
_MOST_TRIED = 3
_ON_EXECUTIONS = frozenset(r.name for r in rules.RULES if r.needs_analyze)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What the mirror said: the executions, the choice that they leave, and the indexes that they ruled out."""

    executed: Executed
    choice: advisor.Choice
    refused: tuple[Declined, ...] = ()
    gaps: tuple[Gap, ...] = ()
    saved: bool = False


def trial(
    query: Query,
    planned: Sequence[Planned],
    choose: Callable[[Replan], advisor.Choice],
    replan: Replan,
    profile: Profile,
    executor: Executor,
) -> Trial:
    """Execute the query for its sets and for values that the mirror's rows have, then with the chosen indexes.

    An index that a set pays for is refused and another one chosen, at most three times.
    """
    sampled, gaps = executor.sampled(query, planned, profile)
    sets = _different((*(p.parameters for p in planned if not p.parameters.is_generic), *sampled))
    before, refusals = _executed(query, sets, executor)
    gaps = (*gaps, *refusals)
    ground = Executed(place=executor.place, before=before)
    if not before:
        return Trial(executed=ground, choice=choose(replan), gaps=gaps)
    refused: dict[str, Declined] = {}
    for _ in range(_MOST_TRIED):
        choice = choose(_without(replan, refused))
        if not choice.advice:
            break
        tried = _tried(query, ground, choice.advice, executor)
        if isinstance(tried, Gap):
            return Trial(executed=ground, choice=choice, refused=(*refused.values(),), gaps=(*gaps, tried))
        why = _refusal(tried, choice.advice, executor)
        if why is None:
            return Trial(executed=tried, choice=choice, refused=(*refused.values(),), gaps=gaps, saved=_saved(tried))
        refused |= {a.candidate.definition: Declined(candidate=a.candidate, reason=why) for a in choice.advice}
    none = advisor.Choice(declined=choice.declined, says=_no_choice(refused) or choice.says)
    return Trial(executed=ground, choice=none, refused=(*refused.values(),), gaps=gaps)


def _executed(
    query: Query, sets: Iterable[ParameterSet], executor: Executor
) -> tuple[tuple[Execution, ...], tuple[Gap, ...]]:
    """Return the executions of the sets that the mirror takes, and what it says of the others."""
    ran: list[Execution] = []
    refused: dict[str, str] = {}
    for one in sets:
        try:
            ran.append(executor.execute(query, one))
        except StatementError as error:
            refused.setdefault(error.message, one.name)
    gaps = (
        Gap(
            subject="execution on the mirror",
            says=f"it refuses {_words(name)}: {message}",
            effect="the query was judged without it" if ran else "the query was judged by its plans alone",
        )
        for message, name in refused.items()
    )
    return tuple(ran), tuple(gaps)


def _words(name: str) -> str:
    return "the query" if name == "literal" else f"the {name} values"


def _different(sets: Iterable[ParameterSet]) -> tuple[ParameterSet, ...]:
    first: dict[tuple[str | None, ...], ParameterSet] = {}
    for one in sets:
        first.setdefault(one.values, one)
    return tuple(first.values())


def _without(replan: Replan, refused: Mapping[str, Declined]) -> Replan:
    """Return a replanner that tries no index again that the mirror ruled out."""

    def limited(candidates: Sequence[IndexCandidate], without: Sequence[RelationName] = ()) -> tuple[Planned, ...]:
        known = next((refused[c.definition] for c in candidates if c.definition in refused), None)
        if known is not None:
            raise StatementError(known.reason)
        return replan(candidates, without)

    return limited if refused else replan


def _tried(query: Query, ground: Executed, advice: Sequence[Advice], executor: Executor) -> Executed | Gap:
    try:
        with executor.building(advice) as built:
            after = tuple(executor.execute(query, e.parameters) for e in ground.before)
    except (StatementError, ServerTimeout) as error:
        return Gap(
            subject="proof on the mirror",
            says=f"{words.listing([a.name for a in advice])} could not be built there: {error.message}",
            effect="the index is as sure as the twin's plans are",
        )
    return replace(ground, built=built, after=after)


def _refusal(tried: Executed, advice: Sequence[Advice], executor: Executor) -> str | None:
    """Return why the indexes must not be proposed, None where they may."""
    for before, after in tried.pairs():
        if is_worse(before, after):
            return f"built on the mirror, it makes {_values(before.parameters)} slower: {_compared(before, after)}"
    whole = all(executor.is_whole(a.candidate.table) for a in advice)
    if whole and tried.after and not _saved(tried):
        best = min(tried.pairs(), key=lambda pair: pair[1].ms / max(pair[0].ms, 0.001))
        return f"built on the mirror, it saves nothing: {_compared(*best)} at best"
    return None


def is_worse(before: Execution, after: Execution) -> bool:
    """Whether a set is worse off with the indexes: more blocks and more time, or much more time."""
    if not before.finished or not after.finished:
        return before.finished
    lost = after.ms - before.ms
    blocks, now = before.blocks or 0, after.blocks or 0
    if now > _WORSE_BLOCKS * blocks + _FEW_BLOCKS:
        return after.ms > _WORSE_TIME * before.ms and lost > _SHORT_MS
    return after.ms > _MUCH_WORSE_TIME * before.ms and lost > _NOTICED_MS


def _saved(tried: Executed) -> bool:
    return any(_is_cured(before, after) for before, after in tried.pairs())


def _is_cured(before: Execution, after: Execution) -> bool:
    if not after.finished:
        return False
    if not before.finished:
        return True
    return (after.blocks or 0) <= _SAVES * (before.blocks or 0) or after.ms <= _SAVES * before.ms - _SHORT_MS


def _no_choice(refused: Mapping[str, Declined]) -> str:
    found = next(iter(refused.values()), None)
    return f"no index helps: {found.candidate.definition} was {found.reason}" if found else ""


def _values(parameters: ParameterSet) -> str:
    return _words(parameters.name)


def _compared(before: Execution, after: Execution) -> str:
    return f"{_figures(before)} → {_figures(after)}"


def _figures(ran: Execution) -> str:
    if not ran.finished:
        return f"not finished within {words.duration(ran.limit_ms / 1000)}"
    return f"{words.duration(ran.ms / 1000)}, {words.plural(ran.blocks or 0, 'block')}"


# --- what findings become ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What findings are told with: what ran, what it proved, and whose severities the settings decide."""

    query: Query
    profile: Profile
    settings: Settings
    trial: Trial
    is_whole: Callable[[RelationName], bool]
    fixed: frozenset[str] = field(default_factory=frozenset)


def told(findings: Sequence[Finding], ground: Ground) -> tuple[Finding, ...]:
    """Return the findings with what the execution says of them, and those that only an execution shows."""
    slow = _slow(ground)
    known = {f.key for f in findings}
    own = [f for f in _of_executions(ground) if f.key not in known]
    return (*slow, *(_told(f, ground) for f in findings), *own)


def _told(finding: Finding, ground: Ground) -> Finding:
    before, after = ground.trial.executed.before, ground.trial.executed.after
    shown = _telling(before, finding.parameters)
    if shown is None:
        return finding
    told_of = replace(finding, evidence=(*finding.evidence, *_evidence(shown, "on the mirror")))
    if finding.remedy is not None and after and _is_remedy(finding.remedy, ground.trial.choice.advice):
        return _proved(told_of, shown, ground)
    return _milder(told_of, ground) if finding.severity is Severity.ERROR else told_of


def _telling(executions: Sequence[Execution], name: str | None) -> Execution | None:
    """Return the execution of the finding's own set, else the slowest: the generic plan has no values to run with."""
    own = next((e for e in executions if e.parameters.name == name), None)
    return own or max(executions, key=lambda e: e.ms, default=None)


def _is_remedy(remedy: Remedy, advice: Sequence[Advice]) -> bool:
    return bool(remedy.sql) and set(remedy.sql) <= {s for a in advice for s in a.sql}


def _proved(finding: Finding, shown: Execution, ground: Ground) -> Finding:
    """Return the finding with its remedy proved where the execution shows the gain, else with what it shows."""
    assert finding.remedy is not None
    pairs = ground.trial.executed.pairs()
    own = [pair for pair in pairs if pair[0].parameters.name == shown.parameters.name and _is_cured(*pair)]
    cured = own or [pair for pair in pairs if _is_cured(*pair)]
    own_names = {a.name for a in ground.trial.choice.advice if set(a.sql) <= set(finding.remedy.sql)}
    built = [b for b in ground.trial.executed.built if b.name in own_names]
    how = "; ".join(f"{b.name} took {words.duration(b.seconds)} to build, {words.size(b.size_bytes)}" for b in built)
    if not cured:
        least = min(pairs, key=lambda pair: pair[1].ms / max(pair[0].ms, 0.001))
        says = f"Executed with it on the mirror, which is smaller than production: {_compared(*least)}; {how}."
        return replace(finding, remedy=replace(finding.remedy, measured=says))
    best = max(cured, key=lambda pair: pair[0].ms - pair[1].ms)
    says = f"Executed on the mirror with {_values(best[0].parameters)}: {_compared(*best)}; {how}."
    evidence = _evidence(best[1], "with the index")
    return replace(
        finding,
        evidence=(*finding.evidence, *evidence),
        remedy=replace(finding.remedy, proof=Proof.PROVED, measured=says),
    )


def _milder(finding: Finding, ground: Ground) -> Finding:
    """Return an error as a warning where a mirror of production's size executed every set and none shows it."""
    executions = ground.trial.executed.before
    whole = finding.table is not None and ground.is_whole(finding.table)
    if not whole or finding.rule in ground.fixed or not all(e.finished for e in executions):
        return finding
    if finding.key in {f.finding.key for e in executions for f in _sightings(e, ground)}:
        return finding
    worst = max(executions, key=lambda e: e.ms)
    says = f"{finding.says.rstrip('.')}; executed on the mirror no set shows it ({_figures(worst)} at most)"
    return replace(finding, severity=Severity.WARNING, says=says)


def _slow(ground: Ground) -> tuple[Finding, ...]:
    unfinished = [e for e in ground.trial.executed.before if not e.finished]
    if not unfinished:
        return ()
    first = unfinished[0]
    limit = words.duration(first.limit_ms / 1000)
    sets = words.listing([e.parameters.name for e in unfinished])
    severity = ground.settings.severities.get(DID_NOT_FINISH, Severity.ERROR)
    finding = Finding(
        rule=DID_NOT_FINISH,
        severity=severity,
        says=f"did not finish within {limit} on the mirror with {_values(first.parameters)}",
        key=f"{DID_NOT_FINISH}:{ground.query.fingerprint}",
        parameters=first.parameters.name,
        evidence=(
            Evidence(name="limit", value=first.limit_ms, unit="ms", source=Source.SETTINGS),
            Evidence(name="parameter sets that did not finish", value=sets, source=Source.MEASURED),
        ),
    )
    advice = ground.trial.choice.advice
    if not advice or not ground.trial.executed.after:
        return (finding,)
    return (_proved(replace(finding, remedy=proof.remedy(advice)), first, ground),)


def _of_executions(ground: Ground) -> tuple[Finding, ...]:
    sightings = [s for e in ground.trial.executed.before for s in _sightings(e, ground)]
    groups = by_key(s for s in sightings if s.finding.rule in _ON_EXECUTIONS)
    return tuple(merged(group) for group in groups.values())


def _sightings(ran: Execution, ground: Ground) -> list[Sighting]:
    """Return what the rules see in an executed plan, whose rows are those that were found."""
    if ran.plan is None:
        return []
    planned = Planned(parameters=ran.parameters, plan=as_measured(ran.plan), json=ran.json)
    found = rules.find(planned, ground.query, ground.profile, ground.settings.limits)
    return [Sighting(finding=ground.settings.graded(f), planned=planned, worst_cost=ran.ms) for f in found]


def _evidence(ran: Execution, when: str) -> tuple[Evidence, ...]:
    if not ran.finished:
        says = f"not finished within {words.duration(ran.limit_ms / 1000)}"
        return (Evidence(name=f"execution {when}", value=says, source=Source.MEASURED),)
    return (
        Evidence(name=f"execution {when}", value=round(ran.ms, 3), unit="ms", source=Source.MEASURED),
        Evidence(name=f"blocks {when}", value=float(ran.blocks or 0), unit="blocks", source=Source.MEASURED),
    )
