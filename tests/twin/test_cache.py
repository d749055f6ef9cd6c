"""Built once, shared by any number of runs, and never half."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from premortem import pg, twin
from premortem.errors import StatementError
from premortem.model import Profile

from .conftest import LITERAL, query


@pytest.fixture
def profile(production: Callable[[str], Profile]) -> Profile:
    return production("create table t (id int primary key);\ninsert into t select generate_series(1, 1000)")


def test_the_second_opening_builds_nothing(profile: Profile, opened: Callable[..., twin.Twin]) -> None:
    name = secrets.token_hex(8)
    first: list[str] = []
    second: list[str] = []
    one = opened(profile, identity=name, progress=first.append)
    two = opened(profile, identity=name, progress=second.append)

    assert "building the twin" in first
    assert second == ["starting the twin"]
    assert two.profile == one.profile


def test_two_runs_at_once_build_one_twin_and_do_not_meet(profile: Profile, server: pg.Server) -> None:
    name = secrets.token_hex(8)
    said: list[str] = []
    rows: list[float] = []

    def run() -> None:
        with twin.open(profile, installation=server.installation, identity=name, progress=said.append) as here:
            rows.append(here.explain(query("select * from t"), LITERAL).plan.root.rows)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows == [1000, 1000, 1000]
    assert said.count("building the twin") == 1


def test_a_build_that_fails_leaves_nothing(profile: Profile, server: pg.Server, twins: Path) -> None:
    broken = twin.Migration(path="x.sql", text="select nonsense from nowhere")
    opening = twin.open(profile, installation=server.installation, migrations=[broken])
    with pytest.raises(StatementError), opening:
        pass
    assert [p for p in twins.iterdir() if p.is_dir()] == []


def test_a_spoiled_entry_is_built_again(profile: Profile, opened: Callable[..., twin.Twin], twins: Path) -> None:
    opened(profile)
    (made,) = [p for p in twins.iterdir() if p.is_dir()]
    (made / "standing.profile").write_bytes(b"spoiled")

    said: list[str] = []
    assert opened(profile, progress=said.append).profile.tables == profile.tables
    assert "building the twin" in said
