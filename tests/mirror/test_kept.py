"""Mirrors on servers of our own: built once, reused, listed and removed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from premortem import catalog, cli, mirror
from premortem.errors import InputError, MirrorError
from premortem.mirror import Options, kept
from premortem.model import Profile
from tests.mirror.conftest import digest


@pytest.fixture
def profile_file(shop18: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The profile's file, with a cache of its own around."""
    cache = Path(tempfile.mkdtemp())  # pytest's own folders are closed to the server's user
    cache.chmod(0o755)
    monkeypatch.setenv("PREMORTEM_CACHE_DIR", str(cache))
    file = tmp_path / "shop.profile"
    catalog.write(shop18, file)
    yield file
    shutil.rmtree(cache)


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """What a command prints."""
    assert cli.main(["mirror", *arguments]) == code, capsys.readouterr().err
    return capsys.readouterr().out


def test_a_day_with_one(profile_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no mirror is kept" in said(capsys, "list")
    first = said(capsys, "build", "-p", str(profile_file))
    assert "33,000 rows in 4 tables" in first
    assert "none of them ran" in first
    assert "was there already" in said(capsys, "build", "-p", str(profile_file))
    assert "complete" in said(capsys, "list")
    asked = 'import os, sys; sys.exit(0 if "mirror" in os.environ["DATABASE_URL"] else 9)'
    assert cli.main(["mirror", "run", "-p", str(profile_file), "--", sys.executable, "-c", asked]) == 0
    count = (
        "import psycopg, sys; "
        "sys.exit(psycopg.connect().execute('SELECT 7 FROM sales.orders HAVING count(*) = 20000').fetchone()[0])"
    )
    assert cli.main(["mirror", "run", "-p", str(profile_file), "--", sys.executable, "-c", count]) == 7
    verified = json.loads(said(capsys, "verify", "-p", str(profile_file), "-f", "json", "--min-columns", "0.5"))
    assert verified["near"] is True
    assert {t["name"]: t["rows"]["mirror"] for t in verified["tables"]}["orders"] == 20_000
    name = said(capsys, "list").splitlines()[1].split()[0]
    assert said(capsys, "remove", name) == "removed 1 mirror\n"
    assert "no mirror is kept" in said(capsys, "list")


def test_queries_are_planned_in_both(profile_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "build", "-p", str(profile_file), "--seed", "5")
    queries = tmp_path / "queries.sql"
    queries.write_text(
        "SELECT * FROM sales.orders WHERE customer_id = $1;\nSELECT * FROM sales.orders WHERE id = $1;\n"
    )
    text = said(capsys, "verify", "-p", str(profile_file), str(queries), "--all")
    assert "have production's shape" in text
    assert "orders.customer_id" in text
    strict = ("--max-median", "0.5", "--max-p95", "0.5")
    text = said(capsys, "verify", "-p", str(profile_file), str(queries), *strict, code=1)
    assert "FAIL: the median of the rows' q-error" in text


def test_in_use(shop18: Profile, profile_file: Path) -> None:
    with (
        kept.opened(shop18, Options(), digest=digest(shop18)) as (place, _),
        pytest.raises(MirrorError, match="in use by another run"),
        kept.opened(shop18, Options(), digest=digest(shop18)),
    ):
        pass
    assert place.server is not None
    assert not place.server.running


def test_a_machine_that_went_down(shop18: Profile, profile_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not on disk may be gone, so such a mirror is made anew; one that was put away is not."""
    with kept.opened(shop18, Options(), digest=digest(shop18)) as (place, _):
        mirror.build(place, shop18, Options(), digest=digest(shop18))
        kept.completed(place)
        (one,) = kept.every()
        assert one.running
    monkeypatch.setattr(kept, "_boot", lambda: "another")
    with kept.opened(shop18, Options(), digest=digest(shop18)) as (place, _):
        assert mirror.build(place, shop18, Options(), digest=digest(shop18), resume=True).was_there
        monkeypatch.setattr(kept, "_boot", lambda: "a third")  # as if the machine went down now
        folder = place.server.data_directory.parent if place.server else None
        assert folder is not None
        while_open = json.loads((folder / "about.json").read_text())
    (folder / "about.json").write_text(json.dumps(while_open))
    with kept.opened(shop18, Options(), digest=digest(shop18)) as (place, _):
        assert not mirror.build(place, shop18, Options(), digest=digest(shop18), resume=True).was_there


def test_names(profile_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("", "..", "../clusters", "nothing"):
        with pytest.raises(InputError, match="no kept mirror"):
            kept.remove(name)
    with pytest.raises(InputError, match="no mirror of this profile is kept"):
        kept.options_of_newest("d")


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "premortem", "mirror", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("build", "--to", ""), "the connection string is empty"),
        (("build", "--to", "  "), "the connection string is empty"),
        (("verify", "--to", ""), "the connection string is empty"),
        (("run",), "no command is named"),
        (("run", "--", "/nowhere/at-all"), "no mirror of this profile is kept"),
        (("build", "--scale", "0"), "no number above 0"),
        (("build", "--rows", "nan"), "no number above 0"),
        (("build", "--seed", "-1"), "no whole number"),
        (("build", "--shift-to", "tomorrow"), "is no moment"),
        (("build", "--for", "nowhere.sql"), "nowhere.sql"),
        (("verify", "--min-shapes", "2"), "no share"),
    ],
)
def test_mistakes(profile_file: Path, arguments: Sequence[str], says: str) -> None:
    ran = command(arguments[0], "-p", str(profile_file), *arguments[1:])
    assert ran.returncode == 2, ran.stderr
    assert says in ran.stderr
