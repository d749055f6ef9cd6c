"""Files, folders, standard input and the workload, and everything that can be wrong with a file."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from premortem import sources, sqltext
from premortem.errors import InputError
from premortem.model import Profile, Query, ServerFacts, Site, StatementKind, Unreadable, Values, Workload

NOBODY = io.StringIO("")


def read(*paths: str | Path, stdin: str = "", profile: Profile | None = None) -> tuple[Query | Unreadable, ...]:
    return sources.read(paths, stdin=io.StringIO(stdin), profile=profile)


def profile(*statements: Query) -> Profile:
    server = ServerFacts(version_num=150018, version="15.18", database="shop", encoding="UTF8", collate="C", ctype="C")
    return Profile(
        taken_at=datetime(2026, 1, 1, tzinfo=UTC),
        server=server,
        values=Values.ALL,
        workload=Workload(statements=statements),
    )


def measured(text: str, **facts: float) -> Query:
    site = Site(source="pg_stat_statements", name="42")
    return Query(
        text=text,
        original=text,
        fingerprint="",
        site=site,
        calls=facts.get("calls"),
        calls_per_second=facts.get("rate"),
        mean_time=timedelta(milliseconds=facts["ms"]) if "ms" in facts else None,
        search_path=("shop",),
    )


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "q.sql"
    file.write_text("select 1;\n\nselect :x;")
    one, two = read(file)
    assert (one.site, two.site) == (Site(source=str(file), line=1), Site(source=str(file), line=3))


def test_a_folder_is_read_in_order_and_files_only_once(tmp_path: Path) -> None:
    for name in ("b/2.sql", "a.sql", "b/1.SQL", "b/c/3.sql", "notes.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"select '{name}'")
    found = read(tmp_path, tmp_path / "a.sql", tmp_path / "b")
    assert [Path(q.site.source).name for q in found] == ["a.sql", "1.SQL", "2.sql", "3.sql"]


def test_standard_input_stands_where_the_dash_stands(tmp_path: Path) -> None:
    file = tmp_path / "q.sql"
    file.write_text("select 1")
    found = read(file, "-", stdin="select 2")
    assert [q.site.source for q in found] == [str(file), "<stdin>"]


def test_a_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    file = tmp_path / "q.sql"
    file.write_bytes(b"\xef\xbb\xbfselect 1;\r\n-- name: two\r\nselect 2\r\nwhere a = :x;\r\n")
    one, two = read(file)
    assert isinstance(one, Query)
    assert isinstance(two, Query)
    assert (one.text, two.site.line, two.site.name, two.text) == ("select 1", 3, "two", "select 2\r\nwhere a = $1")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"select 1;\nselect '\xe9';", "not valid UTF-8: byte 18 (line 2) is 0xe9"),
        (b"\xef\xbb\xbfselect '\xe9'", "byte 11 (line 1) is 0xe9"),
        ("select 1".encode("utf-16"), "UTF-16, at byte 0"),
        ("select 1".encode("utf-32"), "UTF-32, at byte 0"),
        (b"\x7fELF\0\0select", "NUL at byte 4"),
    ],
)
def test_a_file_that_is_no_text_is_named_with_the_byte(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "q.sql"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(file)
    assert str(file) in caught.value.message
    assert says in caught.value.message
    assert caught.value.exit_code == 2


def test_standard_input_that_is_no_text() -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"select '\xff'"), encoding="utf-8")
    with pytest.raises(InputError, match=r"<stdin> is not valid UTF-8: byte 8"):
        sources.read(["-"], stdin=stdin, profile=None)


def vanished(folder: Path) -> Path:
    return folder / "gone.sql"


def empty_folder(folder: Path) -> Path:
    (folder / "readme.md").write_text("x")
    return folder


def dangling_link(folder: Path) -> Path:
    (folder / "q.sql").symlink_to(folder / "nowhere.sql")
    return folder


def a_pipe_that_is_a_socket(folder: Path) -> Path:
    return Path(os.devnull) / "q.sql"


@pytest.mark.parametrize("make", [vanished, empty_folder, dangling_link, a_pipe_that_is_a_socket])
def test_what_cannot_be_opened_is_the_users_mistake(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(InputError):
        read(make(tmp_path))


def test_a_folder_that_links_to_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text("select 1")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert len(read(tmp_path)) == 1


def test_an_empty_file_has_no_queries(tmp_path: Path) -> None:
    file = tmp_path / "q.sql"
    file.write_text("")
    assert read(file) == ()


def test_one_string() -> None:
    (found,) = sources.text("select * from t where a = ?", Site(source="command line"))
    assert isinstance(found, Query)
    assert (found.text, str(found.site)) == ("select * from t where a = $1", "command line")
    lines = sources.text("select 1;\nselect 2", Site(source="x.py", line=40, name="q"))
    assert [str(q.site) for q in lines] == ["x.py:40 (q)", "x.py:41 (q)"]


def test_queries_that_production_runs_get_its_calls(tmp_path: Path) -> None:
    file = tmp_path / "q.sql"
    file.write_text("select * from t where a = :a and b in (1, 2);\nselect * from u;")
    production = profile(
        measured("select * from t where a = $1 and b in ($2, $3, $4)", calls=100, rate=2.0, ms=10),
        measured("select * from t where a = $1 and b in ($2 /*, ... */)", calls=300, rate=6.0, ms=2),
        measured("begin", calls=5, rate=1.0),
    )
    known, unknown = read(file, profile=production)
    assert isinstance(known, Query)
    assert isinstance(unknown, Query)
    assert (known.calls, known.calls_per_second, known.mean_time) == (400, 8.0, timedelta(milliseconds=4))
    assert (unknown.calls, unknown.calls_per_second) == (None, None)


def test_the_workload_is_made_readable_again() -> None:
    found = sources.workload(
        profile(
            measured("select * from t where at > now() - interval $1", calls=7, rate=0.5),
            measured("SET search_path TO $1", calls=1),
            measured("select * from t where a = "),
            measured("<insufficient privilege>"),
            measured("select ? from t"),
        )
    )
    ready, utility, cut, hidden, odd = found
    assert isinstance(ready, Query)
    assert (ready.text, ready.calls, ready.search_path) == (
        "select * from t where at > now() - $1::interval", 7, ("shop",),
    )  # fmt: skip
    assert ready.fingerprint == sqltext.fingerprint(ready.text)
    assert ready.site == Site(source="pg_stat_statements", name="42")
    assert isinstance(utility, Query)
    assert utility.kind is StatementKind.UTILITY
    assert isinstance(cut, Unreadable)
    assert cut.hint == "the text seems to be cut off"
    assert isinstance(hidden, Unreadable)
    assert "does not show" in hidden.says
    assert isinstance(odd, Query)


def test_a_table_that_is_called_almost_the_same_has_calls_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "q.sql"
    file.write_text("select * from orders_2025 where id = $1;\nselect * from orders_2026 where id = $1;")
    production = profile(measured("select * from orders_2026 where id = $1", calls=100, rate=2.0, ms=10))
    old, now = read(file, profile=production)
    assert isinstance(old, Query)
    assert isinstance(now, Query)
    assert (old.calls, now.calls) == (None, 100)
