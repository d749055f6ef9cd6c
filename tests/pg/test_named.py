"""SQL files are read strictly: a mistake in a header is found when the file is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from premortem import pg
from premortem.errors import UnsupportedServer
from premortem.pg.named import parse

TEXT = """\
-- What this file is about.

-- name: tables
-- purpose: every table
-- needs: nothing
SELECT 1 -- name: is no header inside a line
FROM a;

-- version: 14
-- a comment of the body
SELECT 14
-- version: 17

SELECT 17;
-- name: late
-- version: 16
SELECT 16
"""


def test_reads_headers_and_bodies() -> None:
    queries = parse(TEXT)
    assert list(queries) == ["tables", "late"]
    tables = queries["tables"]
    assert (tables.purpose, tables.needs) == ("every table", "nothing")
    assert tables.pick(120000) == "SELECT 1 -- name: is no header inside a line\nFROM a"
    assert tables.pick(150018) == "-- a comment of the body\nSELECT 14"
    assert tables.pick(180006) == "SELECT 17"


def test_too_old_a_server() -> None:
    with pytest.raises(UnsupportedServer, match="late needs PostgreSQL 16 or newer, this is 15"):
        parse(TEXT)["late"].pick(150018)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SELECT 1", "before any name"),
        ("-- purpose: x\n-- name: a\nSELECT 1", "before any name"),
        ("-- name: a\n", "without SQL"),
        ("-- name: a\nSELECT 1\n-- version: 14\n", "without SQL"),
        ("-- name: a\nSELECT 1\n-- name: a\nSELECT 2", "used twice"),
        ("-- name: a\n-- version: 14\nSELECT 1\n-- version: 14\nSELECT 2", "two bodies"),
        ("-- name: a\n-- version: 9.6\nSELECT 1", "not a major version"),
        ("-- name: a\n-- needs: x\n-- needs: y\nSELECT 1", "two lines of needs"),
    ],
)
def test_mistakes_are_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text, "file.sql")


@given(st.sets(st.integers(12, 18), min_size=1), st.integers(12, 18))
def test_the_highest_that_is_not_above(versions: set[int], server: int) -> None:
    text = "-- name: q\n" + "".join(f"-- version: {one}\nSELECT {one}\n" for one in versions)
    fitting = [one for one in versions if one <= server]
    query = parse(text)["q"]
    if fitting:
        assert query.pick(server * 10_000 + 3) == f"SELECT {max(fitting)}"
    else:
        with pytest.raises(UnsupportedServer):
            query.pick(server * 10_000 + 3)


def test_reads_a_packages_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop_of_test").mkdir()
    (tmp_path / "shop_of_test" / "__init__.py").touch()
    (tmp_path / "shop_of_test" / "q.sql").write_text("-- name: é\nSELECT 'é'", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert pg.named_sql("shop_of_test", "q.sql")["é"].pick(180000) == "SELECT 'é'"
