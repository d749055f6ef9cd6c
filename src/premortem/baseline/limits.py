"""From when on a plan counts as worse than the one that was accepted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From when on a plan counts as worse than the one that was accepted.

    What costs less than `worse` times what it did when it was accepted is no regression, whatever shape its plan has:
    near-ties change with every ANALYZE.  Nothing that costs less than `min_cost` is one.  A table that has `grown`
    times as many rows is told as the cause.  An edit that leaves an index unused and costs `much_worse` times as much
    as the text before fails.
    """

    worse: float = 2.0
    much_worse: float = 10.0
    min_cost: float = 1_000.0
    grown: float = 1.5
