"""Sliding windows: what each statement did in the last so many seconds, from the slots that are in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from premortem.model import Confidence, Subject, Window
from premortem.watch.flights import Flight
from premortem.watch.slots import Move, Rings, Slot

UNCOUNTED = "executions that were cancelled or failed are in no counter; their time is what was seen of it"
LONGER = "the server was not read for a while, so these figures are about more than the window"
_SLACK = timedelta(seconds=1)  # polls are not on the second
_MOST_STRETCH = 2  # a slot that is longer than so many windows says nothing about the last one


def windows(rings: Rings, at: datetime, length: timedelta) -> Mapping[Subject, Window]:
    """Return what each statement did in the `length` that ends at `at`."""
    slots = inside(rings, at, length)
    moves: dict[Subject, list[Move]] = defaultdict(list)
    for slot in slots:
        for subject, move in slot.moves.items():
            moves[subject].append(move)
    flights: dict[Subject, list[Flight]] = defaultdict(list)
    for flight in rings.flights:
        flights[flight.subject].append(flight)
    span = covered(rings, at, length)
    common = (at, length, span, sum(slot.instance_ms for slot in slots))
    return {
        subject: _window(common, moves.get(subject, ()), flights.get(subject, ()))
        for subject in (*moves, *(one for one in flights if one not in moves))
    }


def inside(rings: Rings, at: datetime, length: timedelta) -> tuple[Slot, ...]:
    """Return the slots that end in a window; one that began long before it is about another time."""
    oldest, earliest = at - length, at - _MOST_STRETCH * length
    return tuple(
        slot
        for slot in rings.slots
        if oldest + min(_SLACK, (slot.end - slot.start) / 2) < slot.end <= at and slot.start >= earliest
    )


def covered(rings: Rings, at: datetime, length: timedelta) -> timedelta:
    """Return how much time the slots of a window are about."""
    return sum((slot.end - slot.start for slot in inside(rings, at, length)), timedelta(0))


def _window(
    common: tuple[datetime, timedelta, timedelta, float], moves: Sequence[Move], flights: Sequence[Flight]
) -> Window:
    at, length, span, instance_ms = common
    figures, (waited, waited_ms) = _added_up(moves), _waits(moves)
    calls, total_ms, squares, rows, shared_read, provisional_ms, uncounted, uncounted_ms = figures
    longest = max(((at - flight.began) / timedelta(milliseconds=1) for flight in flights), default=0.0)
    return Window(
        ends_at=at, length=length, covered=span, calls=calls, total_ms=total_ms, squares=squares, rows=rows,
        shared_read=shared_read, instance_ms=instance_ms, provisional_ms=provisional_ms, running=len(flights),
        longest_running_ms=max(0.0, longest), uncounted=uncounted, uncounted_ms=uncounted_ms,
        waited=waited, waited_ms=waited_ms,
        toplevel=any(move.toplevel for move in moves) or bool(flights),
        confidence=Confidence.LOW if any(move.low for move in moves) else Confidence.HIGH,
        doubts=_doubts(moves, uncounted, span > length * 1.5),
    )  # fmt: skip


def _added_up(moves: Sequence[Move]) -> tuple[int, float, float, int, int, float, int, float]:
    """Return the sums of the moves' figures, column by column."""
    if len(moves) == 1:
        return moves[0][:8]
    calls, total, squares, rows, read, provisional, uncounted, uncounted_ms, *_ = zip(*moves or (Move(),), strict=True)
    return (
        sum(calls), sum(total), sum(squares), sum(rows), sum(read), sum(provisional), sum(uncounted),
        sum(uncounted_ms),
    )  # fmt: skip


def _waits(moves: Sequence[Move]) -> tuple[int, float]:
    """Return how many calls waited for a lock, and for how long; that is rare, and asked of many."""
    those = [move for move in moves if move.waited]
    return sum(move.waited for move in those), sum(move.waited_ms for move in those)


def _doubts(moves: Sequence[Move], uncounted: int, is_longer: bool) -> tuple[str, ...]:
    if not uncounted and not is_longer and not any(move.doubts for move in moves):
        return ()
    return tuple(dict.fromkeys(_said(moves, uncounted, is_longer)))


def _said(moves: Iterable[Move], uncounted: int, is_longer: bool) -> Iterator[str]:
    for move in moves:
        yield from move.doubts
    if uncounted:
        yield UNCOUNTED
    if is_longer:
        yield LONGER
