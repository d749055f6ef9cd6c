"""Whether an index whose build failed is to be dropped or built again: the workload is planned with it.

An index is left invalid when CREATE INDEX CONCURRENTLY fails, mostly for a deadlock, a duplicate key or a cancelled
session.  Whoever typed it wanted it; if a query of the workload would use it, it should be finished, not dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from premortem.advisor import as_candidate
from premortem.model import Kept, Question
from premortem.words import change, number, plural
from premortem.workload.dropping.proving import Proof
from premortem.workload.dropping.suspects import Suspect
from premortem.workload.weighing import expected_cost

_WORTH = 0.1


def worth_building(broken: Sequence[Suspect], proof: Proof) -> Iterator[Kept]:
    """Yield those that some query would get cheaper with, as indexes to build again."""
    if not broken:
        return
    first = proof.world.stocked
    refusals = proof.world.stock([as_candidate(s.index, s.table.relation) for s in broken])
    for place, (suspect, refusal) in enumerate(zip(broken, refusals, strict=True), first):
        helped = [] if refusal is not None else _helped(suspect, place, proof)
        if helped:
            yield Kept(index=suspect.name, table=suspect.table.relation, says=_says(suspect, helped, proof))


def _helped(suspect: Suspect, place: int, proof: Proof) -> list[tuple[int, float, float]]:
    """Return the demands that get cheaper, with their costs without and with the index, the most helped first."""
    near = proof.touching((suspect,))
    answers = proof.world.ask([Question(demand=n, visible=proof.visible | {place}) for n in near])
    found = []
    for n, answer in zip(near, answers, strict=True):
        demand = proof.studied[n].demand
        before, after = expected_cost(demand, proof.base[n]), expected_cost(demand, answer)
        if place in answer.used and after < before * (1 - _WORTH):
            found.append((n, before, after))
    return sorted(found, key=lambda one: one[2] - one[1])


def _says(suspect: Suspect, helped: Sequence[tuple[int, float, float]], proof: Proof) -> str:
    n, before, after = helped[0]
    site = proof.studied[n].demand.query.site
    more = f", and {plural(len(helped) - 1, 'other query', 'other queries')} with it" if len(helped) > 1 else ""
    again = ", once no two rows are alike in its keys" if suspect.index.unique else ""
    return (
        f"{suspect.says}; built, it would take {site} from {number(before)} to {number(after)}"
        f" ({change(before, after)}){more}: REINDEX INDEX CONCURRENTLY {suspect.name.sql};{again}"
    )
