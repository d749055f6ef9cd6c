"""What the rings are made of: a slot per poll, and in it what each statement did.

Their JSON is by hand, because a busy server has thousands of moves in its last minutes and the checkpoint is written at
every poll: subjects once, and a list of figures for each move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from premortem.model import Subject, codec
from premortem.watch.epochs import LastFacts
from premortem.watch.flights import Flight, Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What a statement did in one slot; see Window for what the figures mean."""

    calls: int = 0
    total_ms: float = 0.0
    squares: float = 0.0
    rows: int = 0
    shared_read: int = 0
    provisional_ms: float = 0.0
    uncounted: int = 0
    uncounted_ms: float = 0.0
    toplevel: bool = True
    doubts: tuple[str, ...] = ()
    low: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The time between two samples; `instance_ms` is the execution time of all top-level statements in it."""

    start: datetime
    end: datetime
    instance_ms: float = 0.0
    moves: Mapping[Subject, Move] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rings:
    """The slots of an instance in their order, what runs, and what is known of how the newest executions ended."""

    slots: tuple[Slot, ...] = ()
    flights: tuple[Flight, ...] = ()
    heard: tuple[Heard, ...] = ()
    last: LastFacts | None = None


def encode(rings: Rings) -> dict[str, object]:
    """Return the JSON of the rings; what `decode` makes of it is equal to them."""
    subjects = {subject: at for at, subject in enumerate(dict.fromkeys(s for slot in rings.slots for s in slot.moves))}
    doubts = {
        said: at
        for at, said in enumerate(dict.fromkeys(d for o in rings.slots for m in o.moves.values() for d in m.doubts))
    }
    return {
        "subjects": [[subject.database, subject.fingerprint] for subject in subjects],
        "doubts": list(doubts),
        "slots": [_encoded(slot, subjects, doubts) for slot in rings.slots],
        "flights": [codec.encode(flight) for flight in rings.flights],
        "heard": [codec.encode(one) for one in rings.heard],
        "last": None if rings.last is None else codec.encode(rings.last),
    }


def _encoded(slot: Slot, subjects: Mapping[Subject, int], doubts: Mapping[str, int]) -> list[object]:
    moves = [_figures(subjects[subject], move, doubts) for subject, move in slot.moves.items()]
    return [slot.start.isoformat(), slot.end.isoformat(), slot.instance_ms, moves]


def _figures(subject: int, move: Move, doubts: Mapping[str, int]) -> list[object]:
    """A move's figures in the order of its fields; what is rare comes last, and is left out where it says nothing."""
    usual: list[object] = [subject, move.calls, move.total_ms, move.squares, move.rows, move.shared_read]
    rare = (move.provisional_ms, move.uncounted, move.uncounted_ms, move.toplevel, move.low)
    if rare == (0.0, 0, 0.0, True, False) and not move.doubts:
        return usual
    return [*usual, *rare, [doubts[said] for said in move.doubts]]


def decode(document: object) -> Rings:
    """Return the rings that a JSON describes; raises Misfit where it describes none."""
    if not isinstance(document, dict):
        raise codec.Misfit("an object", document, ".rings")
    try:
        subjects = [Subject(database=str(database), fingerprint=str(name)) for database, name in document["subjects"]]
        doubts = [str(said) for said in document["doubts"]]
        return Rings(
            slots=tuple(_slot(item, subjects, doubts) for item in document["slots"]),
            flights=codec.decode(tuple[Flight, ...], document["flights"]),
            heard=codec.decode(tuple[Heard, ...], document["heard"]),
            last=codec.decode(LastFacts | None, document["last"]),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise codec.Misfit("what premortem wrote", f"{type(error).__name__}: {error}", ".rings") from error


def _slot(item: Any, subjects: list[Subject], doubts: list[str]) -> Slot:
    start, end, instance_ms, moves = item
    return Slot(
        start=codec.decode(datetime, start),
        end=codec.decode(datetime, end),
        instance_ms=codec.decode(float, instance_ms),
        moves=MappingProxyType({subjects[figures[0]]: _read(figures, doubts) for figures in moves}),
    )


def _read(figures: Any, doubts: list[str]) -> Move:
    _, calls, total_ms, squares, rows, shared_read, *rare = figures
    if not rare:
        return Move(calls=calls, total_ms=total_ms, squares=squares, rows=rows, shared_read=shared_read)
    provisional_ms, uncounted, uncounted_ms, toplevel, low, said = rare
    return Move(
        calls=calls, total_ms=total_ms, squares=squares, rows=rows, shared_read=shared_read,
        provisional_ms=provisional_ms, uncounted=uncounted, uncounted_ms=uncounted_ms, toplevel=toplevel, low=low,
        doubts=tuple(doubts[at] for at in said),
    )  # fmt: skip
