"""Which lines moved: the quick way finds what comparing them as sets finds, and what is remembered changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from premortem.sampling.lines import Movement, Reading, differing, moved, split

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
lists = st.lists(st.text("abc", min_size=1, max_size=2), max_size=12, unique=True)
#: An entry's number, its calls, and since when it counts.
tables = st.dictionaries(st.integers(1, 9), st.tuples(st.integers(1, 4), st.sampled_from(["", "1700000000.25", "9.5"])))
polls = st.lists(tables.flatmap(lambda table: st.permutations(sorted(table.items()))), min_size=2, max_size=5)


@given(lists, lists)
def test_lines_differ_as_sets_do(before: list[str], now: list[str]) -> None:
    gone, come = differing(before, now)
    assert (set(gone), set(come)) == (set(before) - set(now), set(now) - set(before))


@given(lists, st.data())
def test_one_that_comes_or_goes_moves_only_itself(before: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(before)))
    now = [*before[:place], "new", *before[place:]]
    assert differing(before, now) == (set(), {"new"})
    assert differing(now, before) == ({"new"}, set())


def reading(at: int, entries: list[tuple[int, tuple[int, str]]]) -> Reading:
    text = "\n".join(
        f"5 10 t {number} {calls} {calls * 1.5} 1.5 1.5 0 {calls} 0 0 0 7{' ' * bool(since)}{since}"
        for number, (calls, since) in entries
    )
    return Reading(at=NOON + timedelta(seconds=at), lines=split(text))


@given(polls, st.sets(st.integers(1, 9), max_size=2))
def test_what_was_parsed_before_says_the_same(some: list[list[tuple[int, tuple[int, str]]]], own: set[int]) -> None:
    readings = [reading(at, entries) for at, entries in enumerate(some)]
    last = Movement()
    for before, now, was, became in zip(readings, readings[1:], map(dict, some), map(dict, some[1:]), strict=False):
        anew = moved(before, now, own)
        last = moved(before, now, own, last.parsed)
        assert (last.moved, last.vanished) == (anew.moved, anew.vanished)
        found = {one.key.queryid: one for one in last.moved}
        assert list(found) == sorted(n for n in became if became[n] != was.get(n) and n not in own)
        assert last.vanished == len(was.keys() - became.keys())
        for number, one in found.items():
            assert one.now.calls == became[number][0]
            assert (one.before.calls if one.before else None) == (was[number][0] if number in was else None)
            assert (one.now.since is None) == (not became[number][1])
