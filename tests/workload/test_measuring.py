"""What the times of two sides mean: noise is not slower, what reads more is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem.model import Comparison, ParameterSet, Query, Run, Site
from premortem.workload.proof.measuring import Noise, Outcome, compared, is_settled, outcome, ratio, saved

QUERY = Query(text="SELECT 1", original="SELECT 1", fingerprint="f", site=Site(source="q.sql", line=1))
VALUES = ParameterSet(name="typical")
USED = frozenset({0})
NOISE = Noise()
MS = st.floats(0.01, 100_000)


def pair(before: Run, after: Run | None) -> Comparison:
    return Comparison(query=QUERY, parameters=VALUES, before=before, after=after)


def run(ms: float, blocks: int = 100, **facts: object) -> Run:
    return Run(ms=ms, blocks=blocks, used=USED, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (run(100), run(10), Outcome.FASTER),
        (run(100), run(105), Outcome.SAME),
        (run(1_000), run(1_090), Outcome.SAME),  # a tenth is noise, however much it is
        (run(1_000), run(1_150), Outcome.SLOWER),
        (run(5), run(9), Outcome.SAME),  # 4 ms, for which no block speaks
        (run(5), run(12), Outcome.SLOWER),
        (run(5, 100), run(9, 5_000), Outcome.SLOWER),  # 4 ms, and the blocks say why
        (run(0.05, 4), run(0.6, 300), Outcome.SLOWER),  # a lookup that is called all day
        (run(0.05, 4), run(0.15, 5), Outcome.SAME),
        (run(30_000, finished=False), run(20), Outcome.FASTER),
        (run(20), run(30_000, finished=False), Outcome.SLOWER),
        (run(30_000, finished=False), run(30_000, finished=False), Outcome.UNKNOWN),
        (run(100), None, Outcome.SAME),
    ],
)
def test_outcomes(before: Run, after: Run | None, expected: Outcome) -> None:
    assert outcome(pair(before, after), NOISE) is expected


def test_processor_time_counts_where_the_clock_saw_others_at_work() -> None:
    crowded = pair(run(100, cpu_ms=80), run(400, cpu_ms=40))
    assert outcome(crowded, NOISE) is Outcome.FASTER
    assert ratio(crowded) == pytest.approx(0.5)
    assert outcome(pair(run(100), run(400, cpu_ms=40)), NOISE) is Outcome.SLOWER


def test_blocks_that_are_not_read_are_a_saving() -> None:
    assert saved(pair(run(100, 1_000), run(90, 50))) == pytest.approx(0.05)
    assert saved(pair(run(100, 50), run(20, 1_000))) == pytest.approx(0.2)
    assert saved(pair(run(100), None)) == 1.0


@given(st.builds(run, MS, st.integers(0, 1 << 20)), st.builds(run, MS, st.integers(0, 1 << 20)))
def test_what_is_slower_one_way_is_never_slower_the_other_way(one: Run, other: Run) -> None:
    outcomes = outcome(pair(one, other), NOISE), outcome(pair(other, one), NOISE)
    assert outcomes != (Outcome.SLOWER, Outcome.SLOWER)
    assert (outcomes[0] is Outcome.SLOWER) <= (outcomes[1] is Outcome.FASTER)


@given(st.builds(run, MS, st.integers(0, 1 << 20)), st.floats(0.92, 1.08))
def test_less_than_a_tenth_is_noise(one: Run, factor: float) -> None:
    assert outcome(pair(one, run(one.ms * factor, one.blocks)), NOISE) is Outcome.SAME


class Turns:
    """A side that takes what it is told, and remembers when it was asked."""

    def __init__(self, name: str, times: Iterator[float], order: list[str], used: frozenset[int] = USED) -> None:
        self.name, self.times, self.order, self.used = name, times, order, used
        self.limits: list[float | None] = []
        self.read = 1

    def __call__(self, limit: float | None) -> Run:
        self.order.append(self.name)
        self.limits.append(limit)
        return Run(ms=next(self.times), used=self.used, read=self.read)


def turns(before: list[float], after: list[float], used: frozenset[int] = USED) -> tuple[Comparison, list[str], Turns]:
    order: list[str] = []
    with_them = Turns("with", iter(after), order, used)
    found = compared(QUERY, VALUES, Turns("without", iter(before), order), with_them, NOISE)
    return found, order, with_them


def test_sides_run_in_turns_and_each_begins_as_often() -> None:
    found, order, _ = turns([50, 40, 41, 42, 43], [55, 44, 45, 46, 47])
    assert order == ["without", "with", "with", "without", "without", "with", "with", "without", "without", "with"]
    assert found.after is not None
    assert (found.before.ms, found.after.ms) == (40, 44)


def test_what_is_far_apart_takes_two_turns() -> None:
    assert len(turns([110, 100], [12, 10])[1]) == 4


def test_a_first_run_that_read_from_the_disk_takes_a_third() -> None:
    assert len(turns([900, 100, 100], [300, 10, 10])[1]) == 6


def test_what_takes_long_takes_one_where_nobody_can_doubt_it() -> None:
    assert len(turns([20_000], [200])[1]) == 2
    assert len(turns([9_000, 8_000], [7_000, 7_500])[1]) == 4


def test_what_found_everything_in_memory_takes_one_where_nobody_can_doubt_it() -> None:
    assert is_settled([run(100)], [run(10)], NOISE)
    assert not is_settled([run(100)], [run(60)], NOISE)
    assert not is_settled([run(100, read=5)], [run(10)], NOISE)
    assert not is_settled([run(0.5)], [run(0.1)], NOISE)


def test_a_plan_that_reads_none_of_the_indexes_is_not_repeated() -> None:
    found, order, _ = turns([50], [49], frozenset())
    assert found.after is None
    assert len(order) == 2


def test_a_side_that_does_not_end_is_not_waited_for() -> None:
    order: list[str] = []
    quick = Turns("without", iter([30.0, 30.0]), order)
    limits: list[float | None] = []

    def endless(limit: float | None) -> Run:
        limits.append(limit)
        return Run(ms=limit or 30_000.0, finished=False, used=USED)

    found = compared(QUERY, VALUES, quick, endless, NOISE)
    assert limits == [2_000.0]
    assert outcome(found, NOISE) is Outcome.SLOWER
    assert ratio(found) == pytest.approx(2_000 / 30)


def test_what_seems_a_little_slower_is_run_until_it_is_not() -> None:
    """Noise only adds: five bad moments, then a good one."""
    found, order, _ = turns([300.0] * 30, [390.0, *[345.0] * 5, *[303.0] * 30])
    assert outcome(found, NOISE) is Outcome.SAME
    assert len(order) == 2 * 7


def test_what_is_a_little_slower_stays_so() -> None:
    found, order, _ = turns([300.0] * 30, [345.0] * 30)
    assert outcome(found, NOISE) is Outcome.SLOWER
    assert len(order) == 2 * NOISE.turns_in_doubt
    assert len(turns([100.0] * 9, [140.0] * 9)[1]) == 2 * NOISE.turns
    assert len(turns([4_000.0] * 9, [4_800.0] * 9)[1]) == 4  # patience


@given(st.lists(MS, min_size=20, max_size=20), st.lists(MS, min_size=20, max_size=20))
def test_turns_come_to_an_end(before: list[float], after: list[float]) -> None:
    assert is_settled([run(ms) for ms in before], [run(ms) for ms in after], NOISE)
