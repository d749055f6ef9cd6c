"""One statement with everything that is known of it: what it says, what it did on the twin, what it would cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from premortem.migrations.durations import Pass, passes
from premortem.migrations.locks import Lock, Mode, predicted
from premortem.migrations.observed import Kind, Observed, Work
from premortem.migrations.steps import Step
from premortem.model import Profile, RelationName, Table
from premortem.sqltext import TableName

ALREADY = "production already has it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A step as it would meet production.

    `locks` are those on tables and indexes that production has, `passes` the work on such tables.  `watched` says that
    the twin showed it, and not the manual.
    """

    step: Step
    observed: Observed
    locks: tuple[Lock, ...]
    passes: tuple[Pass, ...]
    watched: bool

    @property
    def seconds(self) -> float:
        """How long it works on production's tables."""
        return sum(p.seconds for p in self.passes)

    @property
    def is_run(self) -> bool:
        """Whether it does anything to production: not undone by the file, not already there."""
        return not self.step.undone and not self.step.is_control and self.observed.skipped != ALREADY

    @property
    def is_concurrent(self) -> bool:
        """Whether it is a CONCURRENTLY statement."""
        said = self.step.said
        return said.concurrently or any(a.concurrently for a in said.actions)

    @property
    def blocking(self) -> tuple[Lock, ...]:
        """Its locks that somebody waits for, one for each table: the strongest, on the table or on its indexes."""
        found: dict[RelationName, Lock] = {}
        for lock in self.locks:
            before = found.get(lock.of)
            if lock.mode.blocks_writes and (before is None or before.mode.strength < lock.mode.strength):
                found[lock.of] = lock
        return tuple(found.values())

    def mode_on(self, table: RelationName) -> Mode | None:
        """Return its strongest lock on a table, None where it takes none that blocks."""
        return next((k.mode for k in self.blocking if k.of == table), None)

    @property
    def name(self) -> str:
        """The statement in a few words, such as `ALTER TABLE … SET NOT NULL`."""
        said = self.step.said
        if said.verb in ("ALTER TABLE", "ALTER INDEX", "ALTER DOMAIN", "ALTER TYPE") and said.actions:
            forms = tuple(dict.fromkeys(said.forms))
            return forms[0].rstrip(" (") if len(forms) == 1 else f"{said.verb} ({', '.join(forms[:3])})"
        return said.verb or "the statement"


def look(steps: Sequence[Step], observed: Sequence[Observed], before: Profile, after: Profile) -> tuple[Seen, ...]:
    """Return every step with what is known of it."""
    known = {o.number: o for o in observed}
    return tuple(_seen(s, known, before, after) for s in steps)


def _seen(step: Step, known: Mapping[int, Observed], before: Profile, after: Profile) -> Seen:
    observed = known.get(step.number) or Observed(number=step.number, skipped="nobody ran it")
    said = step.said
    concurrent = said.concurrently or any(a.concurrently for a in said.actions)
    watched = observed.skipped is None and not concurrent
    if watched:
        locks = tuple(k for k in observed.locks if not k.is_new)
    elif observed.skipped in (None, "it is about the server or its rows, not the schema"):
        new = {k.of for k in observed.locks if k.is_new}
        locks = tuple(k for k in predicted(said, before) if k.of not in new)
    else:
        locks = ()
    work = observed.work if observed.skipped is None else tuple(_assumed_work(step, before))
    return Seen(
        step=step,
        observed=observed,
        locks=tuple(k for k in locks if before.table(k.of) is not None),
        passes=passes(work, before, after),
        watched=watched,
    )


def _assumed_work(step: Step, before: Profile) -> Iterator[Work]:
    """Yield what VACUUM FULL does, which a twin cannot show."""
    if step.said.verb != "VACUUM FULL":
        return
    for name in (step.said.relation, *step.said.others):
        table = find(name, before)
        if table is not None:
            yield Work(kind=Kind.REWRITE, table=table.relation)
            yield from (Work(kind=Kind.BUILD, table=table.relation, name=i.name) for i in table.indexes)


def find(name: TableName | None, profile: Profile) -> Table | None:
    """Return the table that a statement names, None where production has none of that name."""
    return None if name is None else profile.find_table(name.name, name.schema)
