"""A state directory: started by whoever comes first, joined by whoever comes then, taken over when the first leaves."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from premortem import pg, store
from premortem.errors import StoreError, UsageError
from premortem.store import places
from tests.store.made import NOON


@pytest.fixture
def state(reachable: Path) -> Path:
    return reachable / "some" / "state"


def test_state_is_kept_and_shared(state: Path) -> None:
    with store.open(directory=state) as first:
        first.commit("db-1", at=NOON, checkpoint=1)
        with store.open(directory=state) as second:
            assert second.saved("db-1").checkpoint == 1
            second.commit("db-1", at=NOON, checkpoint=2)
        assert first.saved("db-1").checkpoint == 2
        kept = [place.stat().st_mode for place in (state / "owner", state / "users", state / "postgresql")]
        assert not any(mode & (stat.S_IRWXG | stat.S_IRWXO) for mode in kept)
    assert pg.running(state / "postgresql") is None
    with store.open(directory=state, create=False) as again:
        assert again.saved("db-1").checkpoint == 2


def test_who_joined_takes_over_when_the_owner_leaves(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watcher that joined the server of a command goes on when the command ends."""
    monkeypatch.setattr(places, "_LEAVE_SECONDS", 0.2)
    with store.open(directory=state) as owner:
        watcher = store.open(directory=state)
        found = watcher.__enter__()
        found.commit("db-1", at=NOON, checkpoint=1)
        owner.saved("db-1")
    with pytest.raises(StoreError, match="lost"):
        found.commit("db-1", at=NOON, checkpoint=2)
    found.commit("db-1", at=NOON, checkpoint=2)
    assert found.saved("db-1").checkpoint == 2
    watcher.__exit__(None, None, None)
    assert pg.running(state / "postgresql") is None


def test_an_owner_waits_for_those_who_joined(state: Path) -> None:
    """A command that joined another command's server is not cut off by its end."""
    with store.open(directory=state):
        joined = store.open(directory=state)
        found = joined.__enter__()
        leaves = threading.Timer(0.5, lambda: joined.__exit__(None, None, None))
        leaves.start()
        found.commit("db-1", at=NOON, checkpoint=1)
    leaves.join()
    with store.open(directory=state) as again:
        assert again.saved("db-1").checkpoint == 1


def test_many_that_come_at_once_share_one_server(state: Path) -> None:
    """Commands in several shells, on a directory that is not there yet."""
    program = f"""
from premortem import store
from premortem.model import Deploy
from tests.store.made import NOON
import os, pathlib
with store.open(directory=pathlib.Path({str(state)!r})) as found:
    found.record(Deploy(service=str(os.getpid()), revision="a", at=NOON))
"""
    root = Path(__file__).parents[2]
    running = [subprocess.Popen([sys.executable, "-c", program], cwd=root) for _ in range(4)]
    assert [one.wait() for one in running] == [0] * 4
    with store.open(directory=state) as found:
        assert {one.service for one in found.deploys()} == {str(one.pid) for one in running}


def test_a_directory_without_state_is_made_only_where_that_is_wanted(state: Path) -> None:
    with pytest.raises(StoreError, match="there is no state in"), store.open(directory=state, create=False):
        pass
    assert not state.exists()


def test_a_lazy_store_begins_without_its_server(state: Path) -> None:
    with store.open(f"host={state} dbname=nothing", lazy=True) as found:
        for _ in range(2):
            with pytest.raises(StoreError, match="cannot be used"):
                found.saved("db-1")


def test_state_of_another_version_says_so(state: Path) -> None:
    (state / "postgresql").mkdir(parents=True)
    (state / "postgresql" / "PG_VERSION").write_text("11\n")
    with (
        pytest.raises(StoreError, match="made by PostgreSQL 11, which is not on this machine"),
        store.open(directory=state),
    ):
        pass


def test_a_file_in_place_of_the_directory(state: Path) -> None:
    state.parent.mkdir(parents=True)
    state.write_text("")
    with pytest.raises(StoreError, match="cannot be used"), store.open(directory=state):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_somebody_elses_state_is_refused_with_the_cure(state: Path) -> None:
    with store.open(directory=state) as found:
        found.commit("db-1", at=NOON)
        program = (
            "import os, pathlib\n"
            "from premortem.store.places import Directory\n"
            "from premortem.errors import StoreError\n"
            "os.setgid(65534); os.setuid(65534)\n"
            f"try:\n    Directory(pathlib.Path({str(state)!r})).dsn()\nexcept StoreError as error:\n"
            "    print(error.message, '|', error.hint)\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "belongs to another user | run this as the user that premortem watch runs as" in done.stdout


def test_what_the_dsn_says_is_checked() -> None:
    with pytest.raises(StoreError, match="empty"), store.open(" "):
        pass
    with pytest.raises(UsageError, match="cannot be read"), store.open("nonsense"):
        pass


def test_a_password_is_never_shown() -> None:
    with pytest.raises(StoreError) as caught, store.open("postgresql://bob:geheim@127.0.0.1:1/x"):
        pass
    assert "geheim" not in f"{caught.value.message} {caught.value.hint}"
    assert "127.0.0.1:1" in caught.value.message


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "/var/lib/a"),
        ({"XDG_STATE_HOME": "/x"}, "/x/premortem"),
        ({"XDG_STATE_HOME": "relative"}, "/home/bob/.local/state/premortem"),
        ({}, "/home/bob/.local/state/premortem"),
    ],
)
def test_the_usual_place(variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/bob", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "platform", "linux")
    assert store.default_directory() == Path(expected)
