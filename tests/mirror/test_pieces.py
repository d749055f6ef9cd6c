"""The parts that decide without a server, and rows that a server refuses."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem import pg
from premortem.errors import ServerError, StatementError
from premortem.mirror import Limits, Options, Place, comparing, loading, wanted, wire
from premortem.mirror.comparing import Pair, Position
from premortem.mirror.options import key, same_mirror
from premortem.mirror.schedule import Schedule, remaining
from premortem.model import ColumnStatistics, Profile, Query, RelationName, Site
from tests.mirror.conftest import value, values

A, B = RelationName(schema="s", name="a"), RelationName(schema="s", name="b")


@given(
    sizes=st.dictionaries(st.sampled_from([A, B]), st.tuples(st.integers(1, 10**6), st.integers(0, 60)), min_size=1),
    lost=st.sets(st.integers(0, 60)),
    seats=st.integers(1, 5),
)
def test_every_chunk_is_loaded_once(sizes: dict[RelationName, tuple[int, int]], lost: set[int], seats: int) -> None:
    """In the order of the table, but for neighbours, whoever is lost on the way."""
    schedule = Schedule(remaining(sizes, ()))
    done: list[tuple[RelationName, int]] = []
    running = []
    while True:
        while len(running) < seats and (chunk := schedule.next()) is not None:
            running.append(chunk)
        if not running:
            break
        chunk = running.pop(0)
        if chunk.number in lost:
            lost.discard(chunk.number)
            schedule.again(chunk)
        else:
            schedule.done(chunk)
            done.append((chunk.relation, chunk.number))
    assert sorted(done) == sorted((r, n) for r, (_, count) in sizes.items() for n in range(count))


@given(rows=st.integers(1, 15))
def test_a_small_table_is_loaded_in_its_order(rows: int) -> None:
    schedule = Schedule(remaining({A: (rows, rows)}, ()))
    first = schedule.next()
    assert first is not None
    assert schedule.next() is None
    schedule.done(first)
    assert first.number == 0


@given(
    st.builds(
        Options,
        scale=st.floats(0.001, 1000),
        rows=st.none() | st.floats(1, 1e12),
        seed=st.integers(0, 2**63 - 1),
        tables=st.none() | st.lists(st.sampled_from([A, B]), max_size=2, unique=True).map(lambda t: tuple(sorted(t))),
        shift_to=st.none() | st.datetimes(timezones=st.just(__import__("datetime").UTC)),
    )
)
def test_options_are_what_was_written(options: Options) -> None:
    assert Options.load(options.dump()) == options
    assert same_mirror(options, Options.load(options.dump()))
    assert key("d", options) != key("d", replace(options, seed=options.seed + 1))


@given(st.lists(st.lists(st.none() | st.binary(max_size=5), min_size=2, max_size=2), max_size=6))
def test_rows_are_cut_where_they_end(rows: list[list[bytes | None]]) -> None:
    whole = _encoded(rows)
    edges = wire.boundaries(whole)
    assert len(edges) == len(rows) + 1
    pieces = [whole[a:b] for a, b in pairwise(edges)]
    assert b"".join(pieces) == whole
    assert wire.without_field(pieces, 0) == _encoded([[None, row[1]] for row in rows])


def _encoded(rows: Sequence[Sequence[bytes | None]]) -> bytes:
    def field(one: bytes | None) -> bytes:
        return struct.pack("!i", -1) if one is None else struct.pack("!i", len(one)) + one

    return b"".join(struct.pack("!h", len(row)) + b"".join(map(field, row)) for row in rows)


def _piecemeal(place: Place, rows: Sequence[Sequence[bytes | None]]) -> loading._Piecemeal:
    """Put rows into the table t as a worker does whose COPY was refused."""
    copy = "COPY t (n, text) FROM STDIN (FORMAT binary)"
    data = _encoded(rows)
    with pg.writer(place.dsn, purpose="test") as db:
        attempt = loading._Piecemeal(
            db=db, copy=copy, columns=("n", "text"), rows=memoryview(data), edges=wire.boundaries(data)
        )
        with pytest.raises((StatementError, ServerError)) as first:
            db.copy_in(copy, wire.stream(data))
        with db.transaction():
            attempt.run(first.value)
    return attempt


def _numbered(count: int, text: bytes = b"x") -> list[list[bytes | None]]:
    return [[struct.pack("!i", n), text] for n in range(count)]


def test_rows_that_the_target_refuses_are_left_out(empty: Place) -> None:
    value(empty, "CREATE TABLE t (n int CHECK (n % 100 <> 7), text text)")
    found = _piecemeal(empty, _numbered(1000))
    assert found.refused == 10
    assert "t_n_check" in found.why
    assert values(empty, "SELECT n FROM t ORDER BY n") == tuple(n for n in range(1000) if n % 100 != 7)


def test_a_column_that_the_target_refuses_becomes_null(empty: Place) -> None:
    value(empty, "CREATE TABLE t (n int, text jsonb)")
    found = _piecemeal(empty, _numbered(500, b"not a document"))
    assert found.emptied == ["text"]
    assert value(empty, "SELECT count(*) FROM t WHERE text IS NULL") == 500 - found.refused


def test_a_table_of_which_every_row_is_refused_is_given_up(empty: Place) -> None:
    value(empty, "CREATE TABLE t (n int CHECK (n < 0), text text)")
    with pytest.raises(loading._TooMany):
        _piecemeal(empty, _numbered(500))
    assert value(empty, "SELECT count(*) FROM t") == 0


def _query(text: str) -> Query:
    return Query(text=text, original=text, fingerprint=text, site=Site(source="test"))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT * FROM sales.orders WHERE id = $1", {"orders"}),
        ("SELECT * FROM sales.open", {"orders"}),
        ("SELECT 1 FROM sales.events_january", {"events"}),
        ("SELECT * FROM sales.orders o JOIN sales.customers c ON c.id = o.customer_id", {"orders", "customers"}),
        ("DELETE FROM sales.nothing WHERE id = $1", {"nothing"}),
        ("SELECT * FROM sales.per_country", {"customers"}),
        ("SELECT 1", set()),
    ],
)
def test_tables_that_a_query_touches(shop18: Profile, text: str, names: set[str]) -> None:
    assert {t.name for t in wanted.tables([_query(text)], shop18)} == names


def _statistics(**fields: object) -> ColumnStatistics:
    plain = {"null_fraction": 0.0, "average_width": 4, "n_distinct": 100.0}
    return ColumnStatistics(**(plain | fields))  # type: ignore[arg-type]


def test_the_error_of_common_values() -> None:
    there = _statistics(most_common_values=("a", "b"), most_common_frequencies=(0.5, 0.1))
    here = _statistics(most_common_values=("a", "c"), most_common_frequencies=(0.45, 0.12))
    assert comparing.frequency_error(there, there) == 0
    assert comparing.frequency_error(there, here) == pytest.approx(0.05)
    assert comparing.frequency_error(there, _statistics()) == pytest.approx(0.5)
    assert comparing.frequency_error(_statistics(), here) is None


def test_the_distance_of_distributions() -> None:
    even = _statistics(histogram_bounds=("0", "1", "2", "3", "4"))
    same = [Position(common_there=0, common_here=0, bounds_here=n / 4) for n in range(5)]
    assert comparing.distance(even, even, same) == 0
    lower = [Position(common_there=0, common_here=0, bounds_here=min(n / 2, 1)) for n in range(5)]
    assert comparing.distance(even, even, lower) == pytest.approx(0.25)


def test_what_is_off() -> None:
    near = Pair(there=1.0, here=1.0)
    column = comparing.ColumnCompared(
        relation=A, column="c", distinct=Pair(there=100, here=10), nulls=near, width=near, correlation=near,
        frequency=0.2, distribution=None, fan_out=(Pair(there=5, here=50),),
    )  # fmt: skip
    assert column.beyond(Limits()) == ("distinct", "frequency", "fan-out")
    assert replace(column, distinct=near, frequency=None, fan_out=()).beyond(Limits()) == ()
