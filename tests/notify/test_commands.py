"""`premortem watch test-notify` and `premortem watch dead-letters`, as they are typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.notify.sink import Reply, Sink

SETTINGS = """
[[channels]]
name = "ops"
kind = "slack"
url = {{ env = "OPS_HOOK" }}

[[channels]]
name = "on-call"
kind = "pagerduty"
url = "{url}"
token = {{ file = "key" }}
"""


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "premortem", "watch", *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def settled(folder: Path, sink: Sink) -> Path:
    (folder / "premortem.toml").write_text(SETTINGS.format(url=sink.url))
    (folder / "key").write_text("R0SECRETSECRETSECRETSECRETSECRET\n")
    return folder


def test_every_channel_says_what_it_answered(tmp_path: Path, sink: Sink) -> None:
    done = run(settled(tmp_path, sink), "test-notify", OPS_HOOK=f"{sink.url}/services/SECRET")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "told: ops (slack) answered 200: ok",
        "told: on-call (pagerduty) answered 200: ok",
    ]
    assert [one.path for one in sink.asked] == ["/services/SECRET", "/v2/enqueue", "/v2/enqueue"]
    assert "SECRET" not in done.stdout + done.stderr


def test_one_that_cannot_be_told_is_1_and_the_others_are_told(tmp_path: Path, sink: Sink) -> None:
    sink.replies = [Reply(status=404, text="no_service")]
    done = run(settled(tmp_path, sink), "test-notify", OPS_HOOK=f"{sink.url}/services/SECRET")
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == "not told: ops (slack) answered 404: no_service"
    assert done.stdout.splitlines()[1].startswith("told")


def test_a_secret_that_is_missing_is_told_by_its_place(tmp_path: Path, sink: Sink) -> None:
    done = run(settled(tmp_path, sink), "test-notify", "ops")
    assert done.returncode == 1
    assert "not told: the address of channel ops is in the environment variable OPS_HOOK" in done.stdout


def test_a_channel_that_is_not_there_is_a_mistake(tmp_path: Path, sink: Sink) -> None:
    done = run(settled(tmp_path, sink), "test-notify", "opps")
    assert done.returncode == 2
    assert "the settings have no channel opps" in done.stderr
    assert "they have ops, on-call" in done.stderr
    (tmp_path / "premortem.toml").write_text("")
    assert run(tmp_path, "test-notify").returncode == 2


def test_settings_may_stand_before_or_after_the_verb(tmp_path: Path, sink: Sink) -> None:
    settled(tmp_path, sink).joinpath("premortem.toml").rename(tmp_path / "other.toml")
    hook = f"{sink.url}/services/SECRET"
    assert run(tmp_path, "--settings", "other.toml", "test-notify", "ops", OPS_HOOK=hook).returncode == 0
    assert run(tmp_path, "test-notify", "ops", "--settings", "other.toml", OPS_HOOK=hook).returncode == 0
    assert run(tmp_path, "test-notify", "ops", OPS_HOOK=hook).returncode == 2
