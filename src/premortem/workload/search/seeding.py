"""The first questions: what each demand would take if it could have anything, and what it takes when that is gone.

```
seed
├── everything      all of a demand's candidates at once: the planner picks (DB2Advis' idea)
├── _below          the same without what it picked, again and again; and without all that are as large
└── groups          each of its own alone, unless everything together gains nothing
```
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from premortem.workload.search.knowledge import Knowledge, Visible

#: A demand whose every candidate together saves less than this share is left alone.
WORTH = 0.02
_ROUNDS = 6
_SHRINK = 0.6
_GROUPS = 40


def seed(
    knowledge: Knowledge, numbers: Mapping[str, int], sizes: Mapping[int, float], until: Callable[[], bool]
) -> None:
    """Ask about each demand's own candidates; what is learnt is in the knowledge."""
    own = [_groups(knowledge, demand, numbers) for demand in range(len(knowledge.known))]
    everything = [frozenset(i for group in groups for i in group) for groups in own]
    knowledge.ask(((d, v) for d, v in enumerate(everything) if v), until=until)
    open_ = [d for d, v in enumerate(everything) if v and _gains(knowledge, d, v)]
    ladders = {d: everything[d] for d in open_}
    slides = dict(ladders)
    for _ in range(_ROUNDS):
        ladders = dict(_below(knowledge, ladders, lambda visible, used: used))
        slides = dict(_below(knowledge, slides, lambda visible, used: _large(visible, used, sizes)))
        knowledge.ask([*ladders.items(), *slides.items()], until=until)
    knowledge.ask(((d, frozenset(group)) for d in open_ for group in own[d][:_GROUPS]), until=until)


def _large(visible: Visible, used: Visible, sizes: Mapping[int, float]) -> Visible:
    """Return what is more than two thirds as large as the largest index in use."""
    most = max(sizes[i] for i in used) * _SHRINK
    return frozenset(i for i in visible if sizes[i] > most)


def _groups(knowledge: Knowledge, demand: int, numbers: Mapping[str, int]) -> list[Visible]:
    groups = (frozenset(numbers[c.definition] for c in g) for g in knowledge.known[demand].studied.groups)
    return [g for g in groups if g <= knowledge.usable]


def _gains(knowledge: Knowledge, demand: int, visible: Visible) -> bool:
    """Whether a demand is known to save enough with these candidates."""
    known = knowledge.known[demand]
    answer = known.find(visible & known.relevant)
    return answer is not None and known.cost(answer) < known.before * (1 - WORTH)


def _below(
    knowledge: Knowledge, rungs: Mapping[int, Visible], taken: Callable[[Visible, Visible], Visible]
) -> Iterator[tuple[int, Visible]]:
    """Yield the next rung of each ladder: what was visible without some of what was used."""
    for demand, visible in rungs.items():
        if not _gains(knowledge, demand, visible):
            continue
        used = knowledge.answer(demand, visible).used
        if used:
            yield demand, visible - taken(visible, used)
