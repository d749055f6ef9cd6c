"""What the rings are made of: a slot per poll, and in it what each statement did.

Their JSON is by hand, because a busy server has thousands of moves in its last minutes and the checkpoint is written at
every poll: each slot is written down once, when it ends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from premortem.model import Subject, codec
from premortem.watch.epochs import LastFacts
from premortem.watch.flights import Flight, Heard


class Move(NamedTuple):
    """What a statement did in one slot; see Window for what the figures mean.  Those of many slots are added up often,
    and a tuple's columns are added up fastest.
    """

    calls: int = 0
    total_ms: float = 0.0
    squares: float = 0.0
    rows: int = 0
    shared_read: int = 0
    provisional_ms: float = 0.0
    uncounted: int = 0
    uncounted_ms: float = 0.0
    toplevel: bool = True
    low: bool = False
    doubts: tuple[str, ...] = ()
    waited: int = 0
    waited_ms: float = 0.0


_USUAL = Move()[5:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The time between two samples; `instance_ms` is the execution time of all top-level statements in it.

    `written` is the JSON of its moves, made once, because a slot is put away at every poll for as long as it is kept.
    """

    start: datetime
    end: datetime
    instance_ms: float = 0.0
    moves: Mapping[Subject, Move] = field(default_factory=lambda: MappingProxyType({}))
    written: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rings:
    """The slots of an instance in their order, what runs, and what is known of how the newest executions ended."""

    slots: tuple[Slot, ...] = ()
    flights: tuple[Flight, ...] = ()
    heard: tuple[Heard, ...] = ()
    last: LastFacts | None = None


def sealed(slot: Slot) -> Slot:
    """Return a slot with its moves written down."""
    return replace(slot, written=json.dumps([_figures(*item) for item in slot.moves.items()]))


def _figures(subject: Subject, move: Move) -> list[object]:
    """A move's figures in the order of its fields; what is rare comes last, and is left out where it says nothing."""
    rare = () if move[5:] == _USUAL else move[5:]
    return [subject.database, subject.fingerprint, *move[:5], *rare]


def encode(rings: Rings) -> dict[str, object]:
    """Return the JSON of the rings; what `decode` makes of it is equal to them."""
    return {
        "slots": [
            [slot.start.isoformat(), slot.end.isoformat(), slot.instance_ms, slot.written or sealed(slot).written]
            for slot in rings.slots
        ],
        "flights": [codec.encode(flight) for flight in rings.flights],
        "heard": [codec.encode(one) for one in rings.heard],
        "last": None if rings.last is None else codec.encode(rings.last),
    }


def decode(document: object) -> Rings:
    """Return the rings that a JSON describes; raises Misfit where it describes none."""
    if not isinstance(document, dict):
        raise codec.Misfit("an object", document, ".rings")
    try:
        return Rings(
            slots=tuple(map(_slot, document["slots"])),
            flights=codec.decode(tuple[Flight, ...], document["flights"]),
            heard=codec.decode(tuple[Heard, ...], document["heard"]),
            last=codec.decode(LastFacts | None, document["last"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise codec.Misfit("what premortem wrote", f"{type(error).__name__}: {error}", ".rings") from error


def _slot(item: Any) -> Slot:
    start, end, instance_ms, written = item
    return Slot(
        start=codec.decode(datetime, start),
        end=codec.decode(datetime, end),
        instance_ms=codec.decode(float, instance_ms),
        moves=MappingProxyType(dict(_move(*figures) for figures in json.loads(written))),
        written=written,
    )


def _move(database: str, fingerprint: str, *figures: Any) -> tuple[Subject, Move]:
    move = Move._make([*figures, *_USUAL[len(figures) - 5 :]])
    return Subject(database=database, fingerprint=fingerprint), move._replace(doubts=tuple(move.doubts))
