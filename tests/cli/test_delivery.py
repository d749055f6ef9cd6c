"""Several reports of one run: each in its own file, all or a clear error, and paths as the repository has them."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from premortem.cli import delivery, parser
from premortem.errors import PremortemError, UsageError
from tests.report.reports import INCIDENT, REPORTS, report

CI = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR", "GITLAB_CI")


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in CI:
        monkeypatch.delenv(name, raising=False)


def typed(*arguments: str) -> argparse.Namespace:
    return parser.build().parse_args(["check", "-p", "prod.profile", *arguments])


def written(*arguments: str) -> None:
    delivery.write(REPORTS["incident"], delivery.wanted(typed(*arguments)), details=False)


def test_one_run_writes_them_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written("--save", "sarif=a.sarif", "--save", "markdown=a.md", "--save", "html=a.html", "--save", "junit=a.xml")
    assert json.loads((tmp_path / "a.sarif").read_text())["version"] == "2.1.0"
    assert (tmp_path / "a.md").read_text().startswith("## ❌")
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "a.xml").read_text().startswith("<?xml")
    assert "FAIL  1 of 2 queries would hurt production" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--save", "html"], "--save html is no FORMAT=FILE"),
        (["--save", "html="], "is no FORMAT=FILE"),
        (["--save", "sarf=x"], "there is no format sarf"),
        (["--save", "html=x", "--save", "json=x"], "two reports cannot both be written to x"),
        (["--save", "html=x", "-o", "./x"], "two reports cannot both be written"),
        (["--save", "github=-"], "two reports cannot both be written to standard output"),
        (["--save", "html=no/such/x"], "there is no folder no/such"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_work(arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        delivery.wanted(typed(*arguments))


def test_a_device_takes_more_than_one() -> None:
    written("--save", "html=/dev/null", "--save", "json=/dev/null", "-o", "/dev/null")


def test_standard_error_is_written_to_and_stays_what_it_is(tmp_path: Path) -> None:
    program = (
        "import sys; from premortem.cli import output; print('before', file=sys.stderr, flush=True);"
        "output.write('report\\n', '/dev/stderr')"
    )
    before = os.lstat("/dev/stderr")
    with (tmp_path / "log").open("ab") as log:
        subprocess.run([sys.executable, "-c", program], stderr=log, check=True)
    assert (tmp_path / "log").read_text() == "before\nreport\n"
    assert os.lstat("/dev/stderr").st_ino == before.st_ino


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    written("-f", "text", "-o", "link.txt")
    assert (tmp_path / "link.txt").is_symlink()
    assert "queries/items.sql:3" in (tmp_path / "real.txt").read_text()


def test_where_one_fails_the_others_are_written(tmp_path: Path) -> None:
    with pytest.raises(PremortemError, match="/dev/full"):
        written("--save", "json=/dev/full", "--save", "text=a.txt", "-o", "b.txt")
    assert (tmp_path / "a.txt").exists()
    assert (tmp_path / "b.txt").exists()


def test_a_comment_that_is_cut_names_the_file_that_is_whole(tmp_path: Path) -> None:
    every = delivery.wanted(typed("--save", "markdown=a.md", "--save", "html=out.html", "-o", "/dev/null"))
    delivery.write(report(*[INCIDENT] * 300), every, details=False)
    assert "the whole report is in out.html" in (tmp_path / "a.md").read_text()


def test_gitlab_takes_a_longer_comment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_CI", "true")
    every = delivery.wanted(typed("--save", "markdown=a.md", "-o", "/dev/null"))
    delivery.write(report(*[INCIDENT] * 300), every, details=False)
    assert 65_536 < len((tmp_path / "a.md").read_text()) < 1_000_000


def _git(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "-q", str(root)], check=True)


def _github(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", f"{root}/")


def _gitlab(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_PROJECT_DIR", str(root))


@pytest.mark.parametrize("marked", [_git, _github, _gitlab])
def test_paths_count_from_the_root_of_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marked: Callable[[Path, pytest.MonkeyPatch], None]
) -> None:
    root = tmp_path / "shop"
    (root / "api").mkdir(parents=True)
    marked(root, monkeypatch)
    monkeypatch.chdir(root / "api")
    written("--save", "text=a.txt", "-o", "/dev/null")
    assert (root / "api" / "a.txt").read_text().startswith("api/queries/items.sql:3: error ")


def test_a_workspace_elsewhere_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", "/somewhere/else")
    written("--save", "text=a.txt", "-o", "/dev/null")
    assert (tmp_path / "a.txt").read_text().startswith("queries/items.sql:3: error ")
