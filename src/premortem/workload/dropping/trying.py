"""The set of indexes that may go, as it grows: together where nobody minds, else one after the other.

What another index does the work of goes only while that one stays, and what does somebody's work stays from then on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from premortem.model import DropKind, Index, Kept, Query, RelationName, Table
from premortem.words import change, number, plural
from premortem.workload.dropping import sparing
from premortem.workload.dropping.proving import Harm, Hidden, Proof
from premortem.workload.dropping.suspects import Scene, StandIn, Suspect, new_on

#: A key that starts another index is nothing to tell of: that is how tables are.
_NATURALLY_BOUND = frozenset({DropKind.REDUNDANT, DropKind.REPLACED})


@dataclass(slots=True)
class Trial:
    """What may go so far, and why others may not.

    `reasons` are all that each index is suspected of.
    """

    scene: Scene
    proof: Proof
    reasons: Mapping[RelationName, Sequence[Suspect]]
    accepted: dict[RelationName, Suspect] = field(default_factory=dict)
    kept: dict[RelationName, Kept] = field(default_factory=dict)
    cautions: dict[RelationName, tuple[str, ...]] = field(default_factory=dict)
    hidden: Hidden = field(default_factory=Hidden)
    gone: set[RelationName] = field(default_factory=set)
    _hints: tuple[Query, ...] | None = None

    def accept(self, suspect: Suspect) -> None:
        """Let one go."""
        self.accepted[suspect.name] = suspect
        self.kept.pop(suspect.name, None)
        self.gone |= suspect.family
        if not suspect.is_broken:
            self.hidden.add(suspect)

    def take_back(self, suspect: Suspect) -> None:
        """Let one stay after all."""
        del self.accepted[suspect.name]
        self.gone -= suspect.family
        if not suspect.is_broken:
            self.hidden.remove(suspect)

    def keep(self, suspect: Suspect, says: str) -> None:
        """Tell why one stays."""
        self.kept[suspect.name] = Kept(index=suspect.name, table=suspect.table.relation, says=says)

    def knows(self, suspect: Suspect) -> bool:
        """Whether it was decided already: an index may be suspected of two things."""
        return suspect.name in self.kept or suspect.name in self.gone

    def planned(self) -> list[Suspect]:
        """Return what may go so far and the planner would miss if it read it."""
        return [s for s in self.accepted.values() if not s.is_broken]

    def outcome(self) -> list[Suspect]:
        """Return what may go, each for the best reason that is left.

        That another index does its work says more than that nobody was seen to use it; of two unused copies, both of
        which go, nothing does the work.
        """
        return [
            next((r for r in self.reasons[name] if not r.needs_stand_in or self.stand_in(r) is not None), accepted)
            for name, accepted in self.accepted.items()
        ]

    def stand_in(self, suspect: Suspect) -> StandIn | None:
        """Return what does its work and stays."""
        return next(self._stand_ins(suspect), None)

    def _stand_ins(self, suspect: Suspect) -> Iterator[StandIn]:
        return (s for s in suspect.stand_ins if s.index is None or s.index not in self.gone)

    def says(self, suspect: Suspect) -> str:
        """Return why it looks superfluous, beside what stays."""
        found = self.stand_in(suspect)
        return found.says if found is not None else suspect.says

    def admits(self, suspect: Suspect) -> bool:
        """Whether everything but the plans lets it go; where not, it is kept with the reason."""
        if suspect.is_broken:
            return True
        if suspect.needs_stand_in and self.stand_in(suspect) is None:
            return False
        others = self._survivors(suspect.table, suspect.index)
        why = sparing.bound_by(suspect.table, suspect.index, others, self.scene.profile) or self._held(suspect)
        if why is not None:
            if suspect.kind not in _NATURALLY_BOUND:
                self.keep(suspect, f"{self.says(suspect)}, but {why}")
            return False
        self.cautions[suspect.name] = (
            *sparing.arbiter(suspect.table, suspect.index, others),
            *sparing.hinted(suspect.index, self._hinting()),
        )
        return self._searched(suspect, others)

    def _held(self, suspect: Suspect) -> str | None:
        """Return whose work it is left alone with, in words."""
        beside = (o for o in self.accepted.values() if o.tables & suspect.tables and not self._unused(o))
        for other in beside:
            if other.stand_ins and all(s.index in suspect.family for s in self._stand_ins(other)):
                return f"it does the work of {other.index.name}, which goes"
        return None

    def _unused(self, suspect: Suspect) -> bool:
        """Whether nobody would miss it even without a stand-in."""
        return any(r.kind is DropKind.UNUSED for r in self.reasons[suspect.name])

    def _survivors(self, table: Table, index: Index) -> list[Index]:
        """Return the table's usable indexes that would be left."""
        usable = (i for i in table.indexes if i is not index and i.valid and i.ready)
        return [i for i in usable if RelationName(schema=table.schema, name=i.name) not in self.gone]

    def _hinting(self) -> tuple[Query, ...]:
        if self._hints is None:
            queries = (one.demand.query for one in self.proof.studied)
            self._hints = tuple(q for q in queries if "/*+" in q.original)
        return self._hints

    def _searched(self, suspect: Suspect, others: Sequence[Index]) -> bool:
        """Whether no foreign key needs it for its search of children, which is in no plan."""
        profile, settled = self.scene.profile, self.scene.limits.settled
        new = [candidate for _, candidate in new_on(suspect.table, self.scene)]
        keys = sparing.searched_by(suspect.table, suspect.index, others, new, profile)
        for key in keys:
            why = sparing.search_happens(key, profile, settled)
            if why is not None:
                self.keep(suspect, f"{self.says(suspect)}, but the foreign key {key.name} looks for rows by it: {why}")
                return False
        if keys:
            self.cautions[suspect.name] += (sparing.unguarded(suspect.table, keys, profile, settled),)
        return True


def settle(found: Sequence[Suspect], trial: Trial) -> None:
    """Accept all that may go: together where nobody minds, else one after the other where somebody does."""
    for suspect in found:
        if not trial.knows(suspect) and trial.admits(suspect):
            trial.accept(suspect)
    harmed = _harmed(trial)
    if not harmed:
        return
    for suspect in _doubtful(trial, harmed):
        trial.take_back(suspect)
    trial.kept.clear()
    for suspect in found:
        if not trial.knows(suspect) and trial.admits(suspect):
            _try(suspect, trial)
    _unharm(trial)


def _harmed(trial: Trial) -> tuple[Harm, ...]:
    return trial.proof.harmed(trial.hidden, trial.proof.touching(trial.planned()), whole=True)


def _doubtful(trial: Trial, harmed: Iterable[Harm]) -> list[Suspect]:
    """Return those on tables that a demand reads which got dearer."""
    tables = frozenset().union(*(trial.proof.touched[h.demand] for h in harmed))
    return [s for s in trial.planned() if s.tables & tables]


def _try(suspect: Suspect, trial: Trial) -> None:
    trial.accept(suspect)
    if suspect.is_broken:
        return
    harmed = trial.proof.harmed(trial.hidden, trial.proof.touching((suspect,)))
    if harmed:
        trial.take_back(suspect)
        trial.keep(suspect, f"{trial.says(suspect)}, but {_harm(harmed, trial.proof)}")


def _unharm(trial: Trial) -> None:
    """Take back the last ones, until the whole set as it is now makes nobody dearer."""
    while harmed := _harmed(trial):
        back = _doubtful(trial, harmed[:1])[-1]
        trial.take_back(back)
        trial.keep(back, f"{trial.says(back)}, but together with the others that go, {_harm(harmed, trial.proof)}")


def _harm(harmed: Sequence[Harm], proof: Proof) -> str:
    worst = harmed[0]
    site = proof.studied[worst.demand].demand.query.site
    more = f", and {plural(len(harmed) - 1, 'other query too', 'other queries too')}" if len(harmed) > 1 else ""
    if not math.isfinite(worst.after):
        return f"without it {site} could not be planned at all{more}"
    if worst.after < worst.before:
        return (
            f"it has the statistics of its expression, and without them {site} is planned on a guess{more}:"
            " CREATE STATISTICS on the expression first"
        )
    how = f"{number(worst.before)} → {number(worst.after)} ({change(worst.before, worst.after)})"
    return f"without it {site}{_with(worst.parameters)} would cost {how}{more}"


def _with(parameters: str) -> str:
    """Return for which values, in words.

    >>> _with("hot"), _with("generic"), _with("literal")
    (' with hot values', ' in its generic plan', '')
    """
    if parameters == "literal":
        return ""
    return " in its generic plan" if parameters == "generic" else f" with {parameters} values"
