"""Randomness without memory: streams keyed by what they are for, and permutations that need no table.

A chunk must come out the same on any worker, in any order, so nothing here keeps state between calls.  What another
table must be able to ask for (keys) is a function of a number alone; what only the chunk itself needs is drawn from a
stream that the chunk's name seeds.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]
Floats = NDArray[np.float64]

_ROUNDS = 4
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)  # splitmix64 (Steele et al., 2014)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def key(*parts: object) -> int:
    """Return a 64-bit number that names the parts and nothing else."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def stream(*parts: object) -> np.random.Generator:
    """Return the stream of random numbers that the parts name."""
    return np.random.Generator(np.random.PCG64(key(*parts)))


def mixed(numbers: Ints, salt: int) -> Bits:
    """Return 64 bits for each number that look like chance (the finaliser of splitmix64)."""
    with np.errstate(over="ignore"):
        bits = (numbers.astype(np.uint64) + np.uint64(salt % 2**64)) * _GOLDEN
        bits = (bits ^ (bits >> np.uint64(30))) * _MIX_1
        bits = (bits ^ (bits >> np.uint64(27))) * _MIX_2
        return bits ^ (bits >> np.uint64(31))


def uniform(numbers: Ints, salt: int) -> Floats:
    """Return a number in [0, 1) for each number."""
    return np.asarray((mixed(numbers, salt) >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def shuffled(numbers: Ints, sizes: Ints | int, salt: int | Bits, *, largest: int | None = None) -> Ints:
    """Return each number's place in a permutation of [0, size): a Feistel network, walked until inside.

    `salt` picks the permutation, one for all or one for each number; as with sizes, equal ones share it.  Where sizes
    differ, `largest` is the largest of all, also of those that are not asked for now.
    """
    limits = np.broadcast_to(np.asarray(sizes, dtype=np.int64), numbers.shape)
    half = max(1, ((largest or int(limits.max(initial=1))) - 1).bit_length() + 1 >> 1)
    salts = np.broadcast_to(np.asarray(salt, dtype=np.uint64), numbers.shape)
    found = _network(numbers.astype(np.uint64), half, salts)
    outside = np.flatnonzero(found >= limits.astype(np.uint64))
    while outside.size:
        found[outside] = _network(found[outside], half, salts[outside])
        outside = outside[found[outside] >= limits[outside].astype(np.uint64)]
    return found.astype(np.int64)


def unshuffled(numbers: Ints, size: int, salt: int) -> Ints:
    """Return the numbers that `shuffled` sends to these."""
    half = max(1, (size - 1).bit_length() + 1 >> 1)
    salts = np.broadcast_to(np.asarray(salt, dtype=np.uint64), numbers.shape)
    found = _backwards(numbers.astype(np.uint64), half, salts)
    outside = np.flatnonzero(found >= np.uint64(size))
    while outside.size:
        found[outside] = _backwards(found[outside], half, salts[outside])
        outside = outside[found[outside] >= np.uint64(size)]
    return found.astype(np.int64)


def _network(numbers: Bits, half: int, salts: Bits) -> Bits:
    mask, shift = np.uint64((1 << half) - 1), np.uint64(half)
    left, right = numbers >> shift, numbers & mask
    for turn in range(_ROUNDS):
        left, right = right, left ^ _round(right, salts, turn, mask)
    return np.asarray((left << shift) | right, np.uint64)


def _backwards(numbers: Bits, half: int, salts: Bits) -> Bits:
    mask, shift = np.uint64((1 << half) - 1), np.uint64(half)
    left, right = numbers >> shift, numbers & mask
    for turn in range(_ROUNDS - 1, -1, -1):
        left, right = right ^ _round(left, salts, turn, mask), left
    return np.asarray((left << shift) | right, np.uint64)


def _round(half: Bits, salts: Bits, turn: int, mask: np.uint64) -> Bits:
    with np.errstate(over="ignore"):
        bits = (half + salts + np.uint64((turn + 1) * int(_GOLDEN) % 2**64)) * _MIX_1
        bits = (bits ^ (bits >> np.uint64(29))) * _MIX_2
    return np.asarray(bits >> np.uint64(33) & mask, np.uint64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Which rank stands at which row, so that rank and position correlate as asked and every rank stands once.

    Rows are cut into windows and permuted inside: for windows of w of n rows the rank correlation is 1 - sum((w/n)^3).
    """

    rows: int
    window: int
    backward: bool
    salt: int

    @classmethod
    def of(cls, rows: int, correlation: float, salt: int) -> Placement:
        """Return the placement of that many rows whose rank correlation with their position is as asked."""
        return cls(rows=rows, window=_window(rows, abs(correlation)), backward=correlation < 0, salt=salt)

    def starts(self, rows: Ints) -> Ints:
        """Return where each row's window starts."""
        return rows // self.window * self.window

    def sizes(self, starts: Ints) -> Ints:
        """Return how many rows are in the windows that start there."""
        return np.minimum(self.window, self.rows - starts)

    def ranks(self, rows: Ints) -> Ints:
        """Return each row's rank, a bijection."""
        if self.window <= 1:
            found = rows
        else:
            starts = self.starts(rows)
            with np.errstate(over="ignore"):
                salts = starts.astype(np.uint64) * _GOLDEN + np.uint64(self.salt)
            found = starts + shuffled(rows - starts, self.sizes(starts), salts, largest=self.window)
        return self._turned(found)

    def drawn(self, rows: Ints, random: np.random.Generator) -> Ints:
        """Return a rank for each row as `ranks` would, but drawn: cheaper, and some twice, some never."""
        if self.window >= self.rows:
            return random.integers(0, self.rows, rows.size, dtype=np.int64)
        if self.window <= 1:
            return self._turned(rows)
        starts = self.starts(rows)
        return self._turned(starts + (random.random(rows.size) * self.sizes(starts)).astype(np.int64))

    def _turned(self, ranks: Ints) -> Ints:
        return self.rows - 1 - ranks if self.backward else ranks


def _window(rows: int, correlation: float) -> int:
    """The size of windows, the last one what is left, whose correlation is nearest to the one asked."""
    lost = 1.0 - min(correlation, 1.0)
    if rows < 2 or lost < 1e-12:
        return 1
    if lost > 0.98:
        return rows
    low, high = 1.0, float(rows)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _lost(rows, middle) < lost else (low, middle)
    return max(1, min(rows, math.ceil(low)))


def _lost(rows: int, window: float) -> float:
    whole = math.floor(rows / window)
    share = window / rows
    return whole * share**3 + max(0.0, 1.0 - whole * share) ** 3
