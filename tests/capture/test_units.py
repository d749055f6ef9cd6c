"""Which test a statement belongs to, by what the log and the suite's processes told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from premortem.capture.executed import Executed
from premortem.capture.units import Told, WithoutTests
from premortem.model import Site

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def told(folder: Path, pid: int, *lines: tuple[object, ...]) -> None:
    with (folder / f"tests-{pid}").open("a") as file:
        for seconds, *words in lines:
            moment = (BEGAN + timedelta(seconds=float(str(seconds)))).timestamp()
            file.write(json.dumps([moment, *words]) + "\n")


def ran(seconds: float, **given: str) -> Executed:
    return Executed(text="select 1", at=BEGAN + timedelta(seconds=seconds), session="s", transaction="3/4", **given)


def phases(name: str, begins: int) -> tuple[tuple[object, ...], ...]:
    place = (name, "test_x.py", 9)
    setup, call, teardown = ((begins + n, phase, *place) for n, phase in enumerate(("setup", "call", "teardown")))
    return (setup, call, teardown, (begins + 3, "end", name))


@pytest.mark.parametrize(
    ("seconds", "phase"), [(0.0, "setup"), (0.999, "setup"), (1.0, "call"), (2.5, "teardown"), (3.2, None), (-1, None)]
)
def test_one_process_is_told_by_the_time_alone(tmp_path: Path, seconds: float, phase: str | None) -> None:
    told(tmp_path, 7, *phases("test_x.py::test_a", 0))
    unit = Told(tmp_path).of(ran(seconds))
    assert unit.phase == phase
    if phase is None:
        assert unit == WithoutTests().of(ran(seconds))
    else:
        assert (unit.within, unit.name, unit.site) == ("test", "test_x.py::test_a", Site(source="test_x.py", line=9))


def test_the_millisecond_in_which_a_test_begins_or_ends_is_its_own(tmp_path: Path) -> None:
    """For every millisecond of a second: the log cuts a time to them, and a product of one may fall just below it."""
    for ms in range(1000):
        place = ("test_x.py::test_a", "test_x.py", 9)
        begins = ms / 1000
        spans = (
            (begins - 1, "setup", *place),
            (begins + 0.0004, "call", *place),
            (begins + 1.0004, "teardown", *place),
        )
        folder = tmp_path / str(ms)
        folder.mkdir()
        told(folder, 7, *spans)
        tests = Told(folder)
        assert [tests.of(ran(begins + n)).phase for n in (0, 1, 1.001)] == ["call", "call", "teardown"], ms


@pytest.mark.parametrize(
    "given",
    [
        {"application": "pytest 8"},
        {"client": "127.0.0.1:4242"},
        {"database": "test_shop_gw1"},
        {"database": "own"},
    ],
)
def test_workers_are_told_apart(tmp_path: Path, given: dict[str, str]) -> None:
    told(tmp_path, 6, (0, "end", "a"), (0, "end", "b"))  # the process that started them runs no tests
    told(tmp_path, 7, (0, "worker", "gw0"), *phases("a", 0))
    told(tmp_path, 8, (0, "worker", "gw1"), *phases("b", 0), (3, "port", 4242))
    tests = Told(tmp_path)
    tests.of(ran(1.0, application="pytest 8", database="own"))
    assert tests.of(ran(1.5, **given)).name == "b"


def test_a_connection_that_nobody_claims_is_no_tests(tmp_path: Path) -> None:
    told(tmp_path, 7, *phases("a", 0))
    told(tmp_path, 8, *phases("b", 0))
    assert Told(tmp_path).of(ran(1.5, database="shared")).within == "transaction"


def test_half_a_line_is_read_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("premortem.capture.units._REFRESH", 0.0)
    told(tmp_path, 7, *phases("a", 0))
    whole = (tmp_path / "tests-7").read_bytes()
    (tmp_path / "tests-7").write_bytes(whole[:-20])
    tests = Told(tmp_path)
    assert tests.of(ran(3.5)).within == "test"
    (tmp_path / "tests-7").write_bytes(whole)
    assert tests.of(ran(3.5)).within == "transaction"
