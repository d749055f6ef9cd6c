"""A log is followed from where it was left, through rotation, and says what the server cancelled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from premortem.daemon.logs import Tail

PREFIX = "%m [%p] %u@%d "
HEAD = "2026-01-31 14:03:00.000 UTC [{pid}] app@shop "


def cancel(path: Path, text: str, pid: int = 4711, why: str = "statement timeout") -> None:
    head = HEAD.format(pid=pid)
    with path.open("a") as log:
        log.write(f"{head}ERROR:  canceling statement due to {why}\n{head}STATEMENT:  {text}\n")


def noise(path: Path) -> None:
    with path.open("a") as log:
        log.write(HEAD.format(pid=1) + "LOG:  checkpoint starting: time\n")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "postgresql-1.log"
    noise(path)
    cancel(path, "select 'before'")
    return path


def read_twice(tail: Tail) -> list[str]:
    """What was written at the last look is read at the next one."""
    return [one.text for _ in range(2) for one in tail.read()]


def test_what_was_cancelled_is_read_once(log: Path) -> None:
    tail = Tail(str(log), prefix=PREFIX)
    assert tail.read() == ()
    cancel(log, "select *\n\tfrom items")
    (found,) = (one for _ in range(2) for one in tail.read())
    assert found.text == "select *\nfrom items"
    assert (found.pid, found.database, found.role, found.why) == (4711, "shop", "app", "statement timeout")
    assert found.at is not None
    assert read_twice(tail) == []


def test_other_errors_are_not_its_matter(log: Path) -> None:
    tail = Tail(str(log), prefix=PREFIX)
    tail.read()
    with log.open("a") as file:
        head = HEAD.format(pid=5)
        file.write(f'{head}ERROR:  relation "x" does not exist\n{head}STATEMENT:  select * from x\n')
    assert read_twice(tail) == []


@pytest.mark.parametrize("cut", [30, 70, 102, 110, 140, 165])
def test_half_a_record_waits_for_the_rest(log: Path, cut: int) -> None:
    tail = Tail(str(log), prefix=PREFIX)
    tail.read()
    cancel(log, "select 'whole'")
    head = HEAD.format(pid=5)
    record = f"{head}ERROR:  canceling statement due to user request\n{head}STATEMENT:  select\n\t\t1\n"
    with log.open("a") as file:
        file.write(record[:cut])
        file.flush()
        before = tail.read()
        file.write(record[cut:])
    assert [one.text for one in (*before, *tail.read(), *tail.read())] == ["select 'whole'", "select\n\t1"]


def test_rotation_loses_nothing(log: Path, tmp_path: Path) -> None:
    tail = Tail(str(tmp_path / "postgresql-*.log"), prefix=PREFIX)
    tail.read()
    cancel(log, "select 'old file'")
    after = tmp_path / "postgresql-2.log"
    cancel(after, "select 'new file'")
    os.utime(log, (1, 1))
    assert read_twice(tail) == ["select 'old file'", "select 'new file'"]


def test_a_log_that_was_cut_is_read_from_its_beginning(log: Path) -> None:
    tail = Tail(str(log), prefix=PREFIX)
    tail.read()
    log.write_text("")
    tail.read()
    cancel(log, "select 'again'")
    assert read_twice(tail) == ["select 'again'"]


def test_a_log_that_cannot_be_read_is_a_gap_until_it_can(tmp_path: Path) -> None:
    path = tmp_path / "none.log"
    tail = Tail(str(path), prefix=PREFIX)
    assert tail.read() == ()
    assert tail.gap is not None
    assert "No such file" in tail.gap.says
    noise(path)
    tail.read()
    cancel(path, "select 1")
    assert read_twice(tail) == ["select 1"]
    assert tail.gap is None
