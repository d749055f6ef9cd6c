"""A capture survives its file, and a file that is none says so."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from premortem import capture
from premortem.capture import file
from premortem.errors import CaptureError, InputError
from premortem.model import (
    Allow,
    Gap,
    Profile,
    Query,
    RelationKind,
    Repeats,
    ServerFacts,
    Site,
    StatementKind,
    Table,
    Unreadable,
    Values,
)

SITE = Site(source="tests/test_shop.py", line=7, name="checkout")
FACTS = ServerFacts(version_num=180006, version="18.6", database="app", encoding="UTF8", collate="C", ctype="C")
TAKEN = capture.Capture(
    taken_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    command=("pytest", "-q", "ä\udcff"),
    exit_status=1,
    server_version="18.6",
    executed=12,
    statements=(
        Query(
            text="select $1", original="select 1", fingerprint="f", site=SITE, kind=StatementKind.SELECT, executions=12,
            parameter_count=1, parameter_names=("id",), samples=(("1",), (None,)), tags=(("route", "/x"),), role="app",
            allows=(Allow(rule="deep-offset", reason="x", line=3, until=date(2027, 1, 1)),), database="app",
            search_path=("tenant",), mean_time=timedelta(milliseconds=3),
            repeats=Repeats(count=12, within="test", unit="tests/test_shop.py::test_x", site=SITE),
        ),
    ),
    unreadable=(Unreadable(original="selec", site=SITE, says="syntax error"),),
    left_out=(("utility statements", 9),),
    schemas=(
        capture.Schema(
            databases=("app", "app_gw1"),
            profile=Profile(
                taken_at=datetime(2026, 1, 2, tzinfo=UTC), server=FACTS, values=Values.NONE,
                tables=(Table(schema="public", name="t", kind=RelationKind.TABLE),),
            ),
        ),
    ),
    gaps=(Gap(subject="s", says="x"),),
)  # fmt: skip


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "c"
    capture.write(TAKEN, path)
    assert capture.read(path) == TAKEN
    assert capture.is_capture(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"premortem-capture 1 gzip ")
    assert file.dump(TAKEN) == path.read_bytes()


def _newer(data: bytes) -> bytes:
    return data.replace(b"premortem-capture 1 ", b"premortem-capture 7 ", 1)


def _edited(data: bytes) -> bytes:
    return data[:-9] + b"x" + data[-8:]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: b"", "is not a premortem capture"),
        (lambda data: b"premortem-profile 1 gzip 5 x\nabcde", "is not a premortem capture"),
        (lambda data: b"SELECT 1;", "is not a premortem capture"),
        (_newer, "format version 7, and this premortem reads up to 1"),
        (lambda data: data[:-10], "is truncated"),
        (lambda data: data[:26], "damaged first line"),
        (_edited, "its checksum does not match"),
    ],
)
def test_what_is_no_capture_says_so_in_one_sentence(tmp_path: Path, change: object, says: str) -> None:
    path = tmp_path / "c"
    path.write_bytes(change(file.dump(TAKEN)))  # type: ignore[operator]
    with pytest.raises(CaptureError, match=says) as caught:
        capture.read(path)
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_json_of_another_shape_names_the_place(tmp_path: Path) -> None:
    data = file.dump(replace(TAKEN, executed="many"))  # type: ignore[arg-type]
    with pytest.raises(CaptureError, match="executed should be a whole number"):
        file.load(data, "c")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        capture.read(tmp_path / "none")
    assert not capture.is_capture(tmp_path / "none")
    with pytest.raises(CaptureError, match="cannot be written"):
        capture.write(TAKEN, tmp_path / "none" / "c")
