"""From migrations to findings: everything that is known of each statement, weighed by production.

```
judge
├── seen.look               what a statement says, did on the twin, and would cost
├── blocking                locks: what waits, for how long, how many
├── transactions            what shares a transaction, and what must not
├── refusals                what production's rows refuse
├── uses                    indexes nobody uses, and what is dropped though somebody does
├── lints                   squawk's findings, weighed
└── _counted                settings, allow comments, squawk-ignore comments
```
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from premortem.check import allows, policy
from premortem.migrations import blocking, saying, transactions, uses
from premortem.migrations.blocking import World
from premortem.migrations.lints import find_lints
from premortem.migrations.observed import Observed
from premortem.migrations.refusals import find_refused_by_rows
from premortem.migrations.seen import Seen, look
from premortem.migrations.squawk import Linted
from premortem.migrations.steps import Step
from premortem.migrations.traffic import Traffics
from premortem.migrations.uses import Uses
from premortem.model import Finding, Gap, Query, Site, Suppressed
from premortem.rules.of_migrations import MIGRATION_LIMITS, BackfillLimits, LockLimits
from premortem.settings import Settings

T = TypeVar("T")
#: squawk's names for what premortem finds itself.
_INSTEAD = {
    "concurrently-in-transaction": ("ban-concurrent-index-creation-in-transaction",),
    "dropped-but-used": ("ban-drop-column", "ban-drop-table", "renaming-column", "renaming-table"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is wrong with the change's migrations.

    `complete` says whether everything could be looked at; where not, a gap says what, and nothing found is no pass.
    """

    findings: tuple[Finding, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()
    gaps: tuple[Gap, ...] = ()
    complete: bool = True


def judge(
    steps: Sequence[Step],
    observed: Sequence[Observed],
    *,
    linted: Linted,
    uses: Uses,
    settings: Settings,
) -> Judged:
    """Return what is wrong with the migrations, each thing once, where it stands."""
    if not steps:
        return Judged()
    seens = look(steps, observed, uses.before, uses.after)
    found = _each_once(_found(seens, linted, uses, settings))
    by_site: dict[Site, list[Step]] = {}
    for seen in seens:  # a line may hold two statements
        by_site.setdefault(seen.step.site, []).append(seen.step)
    counted: list[Finding] = []
    suppressed: list[Suppressed] = []
    for site, here in by_site.items():
        own = [f for f in found if f.site == site]
        kept, quiet = _counted(own, here, settings)
        counted += kept
        suppressed += quiet
    return Judged(findings=tuple(counted), suppressed=tuple(suppressed), gaps=linted.gaps, complete=linted.complete)


def _found(seens: Sequence[Seen], linted: Linted, used: Uses, settings: Settings) -> Iterator[Finding]:
    world = World(
        before=used.before,
        after=used.after,
        traffic=Traffics(profile=used.before),
        limits=_limits(settings, "long-lock", LockLimits()),
    )
    estimate = _Estimate(uses=used)
    run = [s for s in seens if s.is_run]
    long = [f for s in run for f in blocking.find_long(s, world)]
    yield from long
    yield from (f for s in run for f in blocking.find_avoidable(s, world))
    yield from blocking.find_unbounded(run, world)
    yield from transactions.find_misplaced(seens)
    yield from transactions.find_refused(run, world)
    yield from find_refused_by_rows(run, world)
    yield from transactions.find_held_together(run, world, estimate)
    yield from transactions.find_backfills(
        run, world, estimate, _limits(settings, "backfill-in-migration", BackfillLimits())
    )
    yield from transactions.find_ruins(seens, used.before)
    yield from transactions.find_new_enum_values(run)
    yield from uses.find_unused(run, used)
    yield from uses.find_dropped_indexes(run, used)
    broken = list(uses.find_dropped_names(run, used))
    yield from (f for _, f in broken)
    wanted = frozenset(settings.severities)
    numbers = frozenset(n for n, _ in broken)
    yield from find_lints(linted.violations, seens, used.before, used.after, wanted=wanted, used=numbers)


def _limits(settings: Settings, rule: str, default: T) -> T:
    assert rule in MIGRATION_LIMITS
    return settings.limits.of(saying.RULES[rule], default)


@dataclass(frozen=True, slots=True)
class _Estimate:
    """How many rows a statement of the migration changes, by the plan that it gets on the twin."""

    uses: Uses

    def __call__(self, query: Query) -> float | None:
        planned = self.uses.plans(query)
        changes = [n for p in planned for n in p.plan.walk() if n.kind == "ModifyTable"]
        return max((sum(i.rows for i in n.inputs) for n in changes), default=None)


def _each_once(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings without those that say the same of the same place."""
    kept: dict[tuple[object, str], Finding] = {}
    for finding in found:
        kept.setdefault((finding.site, finding.key), finding)
    return tuple(kept.values())


def _counted(
    findings: Sequence[Finding], steps: Sequence[Step], settings: Settings
) -> tuple[tuple[Finding, ...], tuple[Suppressed, ...]]:
    here, site = settings.at(steps[0].migration.path), steps[0].site
    rules = frozenset(r for s in steps for r in s.ignored)
    ignored = [Suppressed(finding=f, reason="a squawk-ignore comment") for f in findings if _is_ignored(f, rules)]
    on, off = policy.split([f for f in findings if not _is_ignored(f, rules)], here)
    said = [a for s in steps if isinstance(s.query, Query) for a in s.query.allows]
    shown = [s.finding.rule for s in (*off, *ignored)]
    counted, allowed = allows.apply(on, said, here.rule_names, today=here.today, also_shown=shown)
    left, silenced = policy.split(counted, here)  # what is said of the comments has a severity too
    return tuple(replace(f, site=f.site or site) for f in left), (*off, *ignored, *allowed, *silenced)


def _is_ignored(finding: Finding, ignored: frozenset[str]) -> bool:
    """Whether a squawk-ignore comment means the finding, by its own name or by squawk's for the same thing."""
    return "*" in ignored or bool({finding.rule, *_INSTEAD.get(finding.rule, ())} & ignored)
