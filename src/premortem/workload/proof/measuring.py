"""What executions say: a query run in turns without and with new indexes, and whether it got slower.

A machine that others use is noisy, and noise only ever adds: so the two sides run in turns, within the same moment, and
the least of several times is what the work takes.  Processor time, where the server tells it, is better than time that
passed; blocks are exact, and what reads no more of them must be slower by more before it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from premortem.model import Comparison, ParameterSet, Query, Run

#: Runs a side; the number is the limit in milliseconds, None for the usual one.
Side = Callable[[float | None], Run]

_SHORT_MS = 1.0
#: Processor time comes in ticks of a timer on some kernels, and has the planning in it.
_LEAST_CPU_MS = 10.0
_CLEAR = 1.5
#: Nobody needs to know how much worse than this it is, and a side that never ends would keep the mirror busy.
_MUCH_SLOWER, _LEAST_LIMIT_MS = 10.0, 2_000.0


class Outcome(StrEnum):
    """What new indexes did to a query."""

    SLOWER = "slower"
    SAME = "the same"
    FASTER = "faster"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What is taken for noise, and how long a pair is measured.

    A query is slower that takes more than `worse` of its time and loses `noticed_ms`.  One that reads `more_blocks` of
    its blocks and `few_blocks` besides has a reason to be: it loses when `worse_blocks` of its time and
    `least_lost_ms` are lost.  One that seems slower by less than `doubtful` is run up to `turns_in_doubt` times.
    """

    worse: float = 1.1
    noticed_ms: float = 20.0
    much_worse: float = 2.0
    short_ms: float = 2.0
    more_blocks: float = 1.1
    few_blocks: int = 10
    worse_blocks: float = 1.25
    least_lost_ms: float = 0.2
    doubtful: float = 1.3
    turns: int = 5
    turns_in_doubt: int = 20
    patience_ms: float = 8_000.0


def compared(query: Query, parameters: ParameterSet, without: Side, with_them: Side, noise: Noise) -> Comparison:
    """Run both sides in turns until their times are told apart, and return the quickest run of each."""
    first = without(None)
    other = with_them(_limit(first))
    if not other.used:
        return Comparison(query=query, parameters=parameters, before=first, after=None)
    before, after = [first], [other]
    while first.finished and other.finished and not is_settled(before, after, noise):
        if len(before) % 2:
            after.append(with_them(None))
            before.append(without(None))
        else:
            before.append(without(None))
            after.append(with_them(None))
    return Comparison(query=query, parameters=parameters, before=_least(before), after=_least(after))


def _limit(first: Run) -> float | None:
    return max(_MUCH_SLOWER * first.ms, _LEAST_LIMIT_MS) if first.finished else None


def is_settled(before: Sequence[Run], after: Sequence[Run], noise: Noise) -> bool:
    """Whether more turns would tell nothing new: enough of them, too long, or far apart."""
    turns = min(len(before), len(after))
    if turns >= (noise.turns_in_doubt if _is_doubtful(before, after, noise) else noise.turns):
        return True
    spent = sum(r.ms for r in (*before, *after))
    old, new = _told(before, after)
    if turns < 2:  # the first of each may have read from the disk what the second finds in memory
        was_warm = not any(r.read for r in (*before, *after))
        return (was_warm or spent > noise.patience_ms) and spent > _SHORT_MS and _apart(old, new, 2 * _CLEAR)
    if spent > noise.patience_ms * (2 if _is_doubtful(before, after, noise) else 1):
        return True
    return max(*old, *new) >= _SHORT_MS and _apart(old, new, _CLEAR)


def _is_doubtful(before: Sequence[Run], after: Sequence[Run], noise: Noise) -> bool:
    """Whether it seems slower by so little that more turns may show that it is not."""
    old, new = _least(before), _least(after)
    return _is_slower(old, new, noise) and max(times(old, new)) < noise.doubtful * min(times(old, new))


def _told(before: Sequence[Run], after: Sequence[Run]) -> tuple[list[float], list[float]]:
    """Return the times of both sides: the processor's where all have enough of it, else the clock's."""
    runs = (*before, *after)
    if all(r.cpu_ms is not None and r.cpu_ms >= _LEAST_CPU_MS for r in runs):
        return [r.cpu_ms or 0.0 for r in before], [r.cpu_ms or 0.0 for r in after]
    return [r.ms for r in before], [r.ms for r in after]


def _apart(old: Sequence[float], new: Sequence[float], factor: float) -> bool:
    """Whether the best of one side is far above the two best of the other."""
    return min(new) > factor * max(sorted(old)[:2]) or min(old) > factor * max(sorted(new)[:2])


def _least(runs: Sequence[Run]) -> Run:
    """Return the quickest run, with the least processor time of any."""
    best = min(runs, key=lambda r: (not r.finished, r.ms))
    told = [r.cpu_ms for r in runs if r.cpu_ms is not None and r.finished]
    return Run(
        ms=best.ms, blocks=best.blocks, read=best.read, used=best.used, finished=best.finished,
        cpu_ms=min(told) if len(told) == len(runs) else None,
    )  # fmt: skip


def times(before: Run, after: Run) -> tuple[float, float]:
    """Return what the two sides took: processor time where both have enough of it, else time that passed."""
    old, new = before.cpu_ms, after.cpu_ms
    if old is not None and new is not None and min(old, new) >= _LEAST_CPU_MS:
        return old, new
    return before.ms, after.ms


def ratio(comparison: Comparison) -> float | None:
    """Return time with the indexes by time without, None where neither side came to its end."""
    before, after = comparison.before, comparison.after
    if after is None:
        return 1.0
    if not before.finished and not after.finished:
        return None
    if before.finished and after.finished:
        old, new = times(before, after)
    else:
        old, new = before.ms, after.ms
    return max(new, 1e-3) / max(old, 1e-3)


def saved(comparison: Comparison) -> float | None:
    """Return the smaller of what is left of time and what is left of blocks.

    Blocks that are not read save nothing where all is in memory, and much where it is not.
    """
    found = ratio(comparison)
    before, after = comparison.before, comparison.after
    if found is None or after is None or not (before.finished and after.finished):
        return found
    return min(found, max(after.blocks, 1) / max(before.blocks, 1))


def outcome(comparison: Comparison, noise: Noise) -> Outcome:
    """Return whether the query got slower or faster, beyond noise."""
    before, after = comparison.before, comparison.after
    if after is None:
        return Outcome.SAME
    if not before.finished:
        return Outcome.FASTER if after.finished else Outcome.UNKNOWN
    if not after.finished or _is_slower(before, after, noise):
        return Outcome.SLOWER
    return Outcome.FASTER if _is_slower(after, before, noise) else Outcome.SAME


def _is_slower(before: Run, after: Run, noise: Noise) -> bool:
    old, new = times(before, after)
    lost = new - old
    if new > noise.worse * old and lost > noise.noticed_ms:
        return True
    if after.blocks > noise.more_blocks * before.blocks + noise.few_blocks:
        return new > noise.worse_blocks * old and lost > noise.least_lost_ms
    return new > noise.much_worse * old and lost > noise.short_ms
