"""Why the other candidates are not in the set, in one sentence each, those first that somebody would have taken."""

from __future__ import annotations

from collections.abc import Iterator

from premortem import words
from premortem.model import Answer, Declined, IndexCandidate, Query
from premortem.workload.search.knowledge import Known, Visible
from premortem.workload.search.merging import serves
from premortem.workload.search.selection import Chosen
from premortem.workload.weighing import a_day

#: So many are told; a thousand others differ in a column from one of these.
_MOST = 40
#: What a candidate adds to the chosen set is asked for so many.
_ASKED = 20
#: Milliseconds a day that nobody would notice.
_NOTHING_MS = 1.0


def declined(chosen: Chosen, budget: int | None, min_share: float) -> tuple[Declined, ...]:
    """Return the most telling candidates that were left, with the reason: by what each would save alone."""
    alone = alone_savings(chosen)
    left = [n for n in alone if n not in chosen.visible]
    tempting = _different(chosen, sorted(left, key=lambda n: (-alone[n], chosen.sizes.get(n, 0), n)))[:_MOST]
    beside = besides(chosen, tempting[:_ASKED])
    told = [
        Declined(candidate=chosen.candidates[n], reason=reason(chosen, n, alone[n], beside.get(n), budget, min_share))
        for n in tempting
    ]
    return (*told, *_refused(chosen))


def _different(chosen: Chosen, numbers: list[int]) -> list[int]:
    """Return the first of those that differ in the order of their keys or in included columns only."""
    kinds: dict[object, int] = {}
    for number in numbers:
        one = chosen.candidates[number]
        kinds.setdefault((one.table, one.method, frozenset(k.sql for k in one.keys), one.predicate), number)
    return list(kinds.values())


def _refused(chosen: Chosen) -> Iterator[Declined]:
    """Yield what the server would not make, each message once: a hundred candidates may hold the same expression."""
    told: set[str] = set()
    for number, message in sorted(chosen.refused.items()):
        if message not in told:
            told.add(message)
            yield Declined(candidate=chosen.candidates[number], reason=f"PostgreSQL refuses it: {message}")


def alone_savings(chosen: Chosen) -> dict[int, float]:
    """Return what each candidate that a plan used by itself saves alone, in milliseconds a day."""
    found: dict[int, float] = {}
    for known in chosen.knowledge.known:
        for used, cost in known.atoms.items():
            if len(used) == 1:
                (number,) = used
                found[number] = found.get(number, 0.0) + max(known.before - cost, 0.0)
    return found


def besides(chosen: Chosen, numbers: list[int]) -> dict[int, float]:
    """Return what each of some candidates would save besides the chosen set, in milliseconds a day."""
    knowledge = chosen.knowledge
    pairs = [(d, n) for n in numbers for d, k in enumerate(knowledge.known) if n in k.relevant and _is_tempted(k, n)]
    knowledge.ask((d, chosen.visible | {n}) for d, n in pairs)
    found = dict.fromkeys(numbers, 0.0)
    for demand, number in pairs:
        known = knowledge.known[demand]
        with_it = knowledge.answer(demand, chosen.visible | {number})
        found[number] += known.cost(chosen.after[demand]) - known.cost(with_it)
    return found


def _is_tempted(known: Known, number: int) -> bool:
    """Whether a plan of the demand used the candidate, whatever else was there."""
    return any(number in used for used in known.atoms)


def reason(
    chosen: Chosen, number: int, alone: float, beside: float | None, budget: int | None, min_share: float
) -> str:
    """Return why a candidate is not in the set, in one sentence."""
    rules = (
        _covered(chosen, number),
        _harmful(chosen, number),
        _too_large(chosen, number, budget),
        _too_dear(chosen, number, alone),
        _too_little(chosen, number, alone, min_share),
        _beaten(chosen, number, beside, budget),
    )
    return next((said for said in rules if said), "another set of the same size saves more")


def _covered(chosen: Chosen, number: int) -> str:
    mine = chosen.candidates[number]
    longer = next((chosen.candidates[i] for i in sorted(chosen.visible) if serves(chosen.candidates[i], mine)), None)
    return f"already covered by {longer.definition}" if longer is not None else ""


def _harmful(chosen: Chosen, number: int) -> str:
    """Return the query that it slows down, and for which of its values."""
    alone: Visible = frozenset({number})
    for known in chosen.knowledge.known:
        answer = next((a for a in known.answers.values() if a.used == alone), None)
        if alone in known.harmful and answer is not None:
            values, costs = _worst(known, answer)
            return f"makes {called(known.studied.demand.query)} slower{values}: {costs}"
    return ""


def _worst(known: Known, answer: Answer) -> tuple[str, str]:
    """Return the parameter set that gets worse, where there are several, and its costs."""
    sets, old = known.studied.demand.sets, known.studied.before
    shown = [after - before for before, after in zip(old.shown, answer.shown, strict=True)]
    risk = [after - before for before, after in zip(old.risk, answer.risk, strict=True)]
    place = max(range(len(sets)), key=lambda n: max(shown[n], risk[n]))
    values = f" for its {sets[place].name} values" if len(sets) > 1 else ""
    if shown[place] >= risk[place]:
        return values, _numbers(old.shown[place], answer.shown[place])
    return values, f"{_numbers(old.risk[place], answer.risk[place])} when nothing stops early"


def called(query: Query) -> str:
    """Return where a query stands, or how it begins where production's counters have but a number for it."""
    if query.site.source == "pg_stat_statements":
        return words.shortened(words.one_line(query.text), 60)
    return str(query.site)


def _numbers(before: float, after: float) -> str:
    return f"cost {words.number(before)} → {words.number(after)}"


def _too_large(chosen: Chosen, number: int, budget: int | None) -> str:
    size = chosen.sizes.get(number, 0)
    if budget is None:
        return ""
    if size > budget:
        return f"does not fit: it takes {words.size(size)}, and {words.size(budget)} are allowed"
    larger = [s.bytes for s in chosen.steps if number in s.visible and s.bytes > budget]
    return f"does not fit beside better ones: it enters at {words.size(min(larger))}" if larger else ""


def _too_dear(chosen: Chosen, number: int, alone: float) -> str:
    upkeep = chosen.upkeep.get(number, 0.0)
    if upkeep <= alone:
        return ""
    return f"would cost {words.duration(a_day(upkeep))}/day to keep and saves {_time(chosen, alone)}"


def _too_little(chosen: Chosen, number: int, alone: float, min_share: float) -> str:
    spent = _spent_on(chosen, chosen.candidates[number])
    share = alone / spent if spent > 0 else 0.0
    if share >= min_share:
        return ""
    told = words.percent(float(f"{share:.2g}")) if share >= 0.0001 else "under 0.01 %"
    return f"saves {told} of its table's queries' time for {words.size(chosen.sizes.get(number, 0))}"


def _spent_on(chosen: Chosen, candidate: IndexCandidate) -> float:
    return sum(k.before for k in chosen.knowledge.known if candidate.table in k.studied.keys)


def _beaten(chosen: Chosen, number: int, beside: float | None, budget: int | None) -> str:
    """Return which of the chosen indexes does its work, and what it would add."""
    rivals = _rivals(chosen, number)
    by = words.listing([chosen.candidates[i].definition for i in rivals], most=2)
    order = _same_columns(chosen, number, rivals)
    if order is not None:
        return f"another order of the same columns, {order.definition}, serves the queries at less cost in all"
    if beside is None:
        return f"{by} saves more for its size" if by else ""
    if not chosen.visible:
        return f"saves {_time(chosen, beside)} for {words.size(chosen.sizes.get(number, 0))}: too little for its size"
    them = by or "the proposed ones"
    if beside <= _NOTHING_MS:
        return f"saves nothing beside {them}"
    size = chosen.sizes.get(number, 0)
    room = budget is None or size <= budget - sum(chosen.sizes[i] for i in chosen.visible)
    how = f"for {words.size(size)}" if room else f"for {words.size(size)}, more than the budget has left"
    return f"saves only {_time(chosen, beside)} beside {them} {how}"


def _rivals(chosen: Chosen, number: int) -> list[int]:
    """Return the chosen indexes on the candidate's table that the queries use which could use it, most often first."""
    table = chosen.candidates[number].table
    counts: dict[int, int] = {}
    for known, after in zip(chosen.knowledge.known, chosen.after, strict=True):
        if number in known.relevant and _is_tempted(known, number):
            for used in after.used:
                if chosen.candidates[used].table == table:
                    counts[used] = counts.get(used, 0) + 1
    return sorted(counts, key=lambda i: (-counts[i], i))


def _same_columns(chosen: Chosen, number: int, rivals: list[int]) -> IndexCandidate | None:
    mine = chosen.candidates[number]
    for rival in rivals:
        other = chosen.candidates[rival]
        if other.keys != mine.keys and set(other.keys) == set(mine.keys) and other.predicate == mine.predicate:
            return other
    return None


def _time(chosen: Chosen, milliseconds: float) -> str:
    """Return a time, a day where anybody counted calls."""
    counted = any(k.studied.demand.calls_per_day is not None for k in chosen.knowledge.known)
    return f"{words.duration(a_day(milliseconds))}{'/day' if counted else ''}"
