"""Verdicts: pure functions from readings to caught or missed, quiet or noisy, sound or not."""

from __future__ import annotations

from dataclasses import dataclass

from measure import Readings

ENOUGH = 10  # a cure reads at least ten times fewer buffers ...
NEAR = 3  # ... or gets within three times of what the reference index reads
HURTS = 200  # fewer buffers than that is nobody's incident
WORSE = 1.5  # no parameter set may read half as much again ...
WORSE_BUFFERS = 50  # ... unless it is a handful of buffers
OBVIOUS = 3  # a quiet case is one that obvious indexes do not make three times cheaper


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One sentence of judgement."""

    good: bool
    says: str


def hurting(before: Readings, reference: Readings) -> tuple[str, ...]:
    """The parameter sets in which the incident shows: much is read, and the reference index ends it."""
    return tuple(
        name
        for name, reading in before.items()
        if reading.buffers >= HURTS and reference[name].buffers * ENOUGH <= reading.buffers
    )


def worsened(before: Readings, after: Readings) -> tuple[str, ...]:
    """The parameter sets that a proposal makes worse."""
    return tuple(
        name
        for name, reading in before.items()
        if after[name].buffers > WORSE * reading.buffers and after[name].buffers - reading.buffers > WORSE_BUFFERS
    )


def sound(before: Readings, reference: Readings) -> Verdict:
    """Whether an incident case is one: it hurts, its reference index cures it, and nothing gets worse."""
    hurts, worse = hurting(before, reference), worsened(before, reference)
    if not hurts:
        return Verdict(good=False, says="the reference index cures no parameter set")
    if worse:
        return Verdict(good=False, says=f"the reference index makes {', '.join(worse)} worse")
    return Verdict(good=True, says=f"hurts with {', '.join(hurts)}")


def caught(before: Readings, reference: Readings, after: Readings) -> Verdict:
    """Whether proposals cure every parameter set that hurts and worsen none."""
    worse = worsened(before, after)
    if worse:
        return Verdict(good=False, says=f"worse with {', '.join(worse)}")
    left = tuple(
        name
        for name in hurting(before, reference)
        if after[name].buffers * ENOUGH > before[name].buffers and after[name].buffers > NEAR * reference[name].buffers
    )
    if left:
        return Verdict(good=False, says=f"still hurts with {', '.join(left)}")
    return Verdict(good=True, says="caught")


def calm(before: Readings, after: Readings) -> Verdict:
    """Whether a quiet case is one: no obvious index makes any expensive parameter set much cheaper."""
    helped = tuple(
        name
        for name, reading in before.items()
        if reading.buffers >= HURTS and after[name].buffers * OBVIOUS <= reading.buffers
    )
    if helped:
        return Verdict(good=False, says=f"an obvious index helps {', '.join(helped)}")
    return Verdict(good=True, says="no obvious index helps")
