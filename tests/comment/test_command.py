"""The command: exit codes that keep the gate's verdict, and a report that is not lost where the token may not write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from premortem import cli
from tests.comment.forge import TOKEN, Api, running
from tests.comment.test_posting import github


@pytest.fixture
def api() -> Iterator[Api]:
    with running() as started:
        yield started


@pytest.fixture
def run(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    report = tmp_path / "report.md"
    report.write_text("## ❌ premortem\n", "utf-8")
    (tmp_path / "event.json").write_text(json.dumps({"pull_request": {"number": 7}}))
    environment = github(api, GITHUB_REF="", GITHUB_EVENT_PATH=str(tmp_path / "event.json"))
    for name in ("CI_PROJECT_ID", "GH_TOKEN", "GITHUB_STEP_SUMMARY", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, **more: str) -> int:
        for name, value in {**environment, **more}.items():
            monkeypatch.setenv(name, value)
        return cli.main(["comment", str(report), *arguments])

    return run


def test_it_posts_and_says_so(run: Callable[..., int], api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert run() == 0
    assert len(api.notes) == 1
    told = capsys.readouterr()
    assert told.err == "premortem: comment on acme/shop#7: created\npremortem: comment on acme/shop#7: unchanged\n"
    assert told.out == ""


@pytest.mark.parametrize("verdict", [0, 1, 3])
def test_the_verdict_survives(run: Callable[..., int], api: Api, verdict: int) -> None:
    assert run("--verdict", str(verdict)) == verdict
    api.writable = False
    assert run("--verdict", str(verdict), "--id", "other") == verdict
    assert run("--verdict", str(verdict), GITHUB_TOKEN="") == verdict


def test_a_fork_gets_the_report_in_the_summary(
    run: Callable[..., int], api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.writable = False
    assert run(GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md")) == 3
    assert (tmp_path / "summary.md").read_text("utf-8") == "## ❌ premortem\n"
    told = capsys.readouterr().err
    assert "the token may not do that" in told
    assert "workflow_run" in told
    assert "the report is in the job's summary instead" in told
    assert TOKEN not in told


def test_a_dry_run_sends_nothing_and_needs_no_token(
    run: Callable[..., int], api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--dry-run", "--pr", "9", GITHUB_TOKEN="") == 0
    assert "acme/shop#9" in capsys.readouterr().out
    assert api.asked == []


def test_a_missing_report_is_told(run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "report.md").write_text(" \n")
    assert run() == 2
    (tmp_path / "report.md").unlink()
    assert run() == 2
    told = capsys.readouterr().err
    assert "is empty" in told
    assert "report.md does not exist" in told


def test_a_check_that_wrote_no_report_is_told_in_the_comment(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An old comment, perhaps a green one, must not stay as it is."""
    (tmp_path / "report.md").unlink()
    assert run("--dry-run", "--verdict", "3") == 3
    told = capsys.readouterr().out
    assert "premortem could not tell" in told
    assert "exit code 3 before it wrote a report" in told
    assert run("--dry-run", "--verdict", "0") == 0
    assert "does not exist" in capsys.readouterr().err


def test_the_proxy_of_the_environment_is_used(run: Callable[..., int], api: Api) -> None:
    """The stand-in as a proxy: it is asked for the full URL of a host that does not exist."""
    with running() as proxy:
        assert run(GITHUB_API_URL="http://github.invalid/api", http_proxy=proxy.url) == 3
        assert proxy.asked[0][1].startswith("http://github.invalid/api/")
    assert api.asked == []
