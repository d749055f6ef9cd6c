"""`deploy record`, `deploy list` and `history`: what a person types, on a real store."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from premortem import cli, pg, store
from premortem.cli import shipping
from premortem.cli.commands import history
from premortem.model import Deploy
from premortem.settings import parse
from tests.store.made import change, delta, key, statement

NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)
CI = (
    "GITHUB_REPOSITORY GITHUB_SHA GITHUB_ACTOR GITHUB_SERVER_URL CI_PROJECT_NAME CI_COMMIT_SHA CI_COMMIT_TITLE"
    " CI_PROJECT_URL CI_ENVIRONMENT_NAME GIT_COMMIT BUILD_URL"
).split()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, outside of any repository and of any CI job."""
    for name in CI:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def database(server18: pg.Server) -> Iterator[str]:
    """A fresh database; tests/store has the store on every version."""
    with pg.writer(server18, purpose="test") as db:
        db.execute("CREATE DATABASE state")
    yield server18.dsn("state")
    with pg.writer(server18, purpose="test") as db:
        db.execute("DROP DATABASE state WITH (FORCE)")


@pytest.fixture
def busy(database: str) -> str:
    """A store in which a query got slow 40 minutes ago, right after a deploy."""
    known = {
        key(1): statement(1, "select * from order_items where product_sku = $1 and status = $2", table="order_items"),
        key(2): statement(2, "select \x1b[31m from users", table="users"),
    }
    with store.open(database) as found:
        moved = []
        for ago in range(120, -1, -1):
            at = NOW - ago * MINUTE
            mean = 2800.0 if ago < 40 else 3.0
            moved += [delta(1, at, calls=20, mean=mean, is_new=ago == 120), delta(2, at, calls=1)]
        found.commit("db-1", at=NOW, deltas=moved, statements=known)
        opened = change()
        alert = replace(opened.alert, opened_at=NOW - 35 * MINUTE, statement=known[key(1)])
        found.commit("db-1", at=NOW, changes=[replace(opened, alert=alert)])
    return database


def since() -> str:
    """The two hours before these tests were loaded, however long ago that was."""
    return f"{120 + (datetime.now(UTC) - NOW) // MINUTE}m"


def run(*typed: str) -> int:
    return cli.main(typed)


def test_a_deploy_is_recorded_once_and_listed(here: Path, database: str, capsys: pytest.CaptureFixture[str]) -> None:
    record = ("deploy", "record", "--service", "shop", "--revision", "a7c3dbe", "--author", "ann", "--store", database)
    assert run(*record, "--at", "2026-01-31T14:03:00+02:00", "--says", "new\nfilter") == 0
    assert "shop a7c3dbe at 2026-01-31 12:03:00 UTC: recorded in database" in capsys.readouterr().out
    assert run(*record, "--at", "2026-01-31T12:03:00Z") == 0
    assert "was recorded before" in capsys.readouterr().out
    assert run("deploy", "list", "--since", "9000d", "--store", database) == 0
    assert capsys.readouterr().out == "2026-01-31 12:03:00Z  shop  a7c3dbe  ann  new filter\n"
    assert run("deploy", "list", "--since", "9000d", "--service", "other", "--store", database) == 0
    assert capsys.readouterr().out == "no deploys\n"
    assert run("deploy", "list", "--since", "9000d", "-f", "json", "--store", database) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told == {
        "service": "shop",
        "revision": "a7c3dbe",
        "at": "2026-01-31T12:03:00+00:00",
        "author": "ann",
        "says": "new filter",
    }


def test_the_settings_say_where_state_is(
    here: Path, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("premortem.toml").write_text('[watch]\nstore = {env = "THE_STORE"}\n')
    assert run("deploy", "record", "--service", "shop", "--revision", "a") == 2
    assert "THE_STORE, which is not set" in capsys.readouterr().err
    monkeypatch.setenv("THE_STORE", database)
    assert run("deploy", "record", "--service", "shop", "--revision", "a") == 0
    assert run("deploy", "list") == 0
    assert "  shop  a\n" in capsys.readouterr().out


def test_a_service_that_no_instance_names_is_told(
    here: Path, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("premortem.toml").write_text('[[instances]]\nname = "db-1"\ndsn = "host=x"\nservices = ["shop"]\n')
    for service, told in (("shop", False), ("shpo", True)):
        assert run("deploy", "record", "--service", service, "--revision", "a", "--store", database) == 0
        assert ("no instance of the settings names the service" in capsys.readouterr().err) is told


def test_a_pipeline_that_forgot_the_store_is_told(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(here / "state"))
    assert run("deploy", "record", "--service", "shop", "--revision", "a") == 3
    said = capsys.readouterr().err
    assert "there is no state in" in said
    assert "--store DSN" in said
    assert not (here / "state").exists()


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["--revision", "a"], "nobody says which service"),
        (["--service", "shop"], "nobody says which revision"),
        (["--service", "shop", "--revision", "x" * 300], "longer than 200"),
        (["--service", "shop", "--revision", "a", "--at", "2999-01-01T00:00:00Z"], "in the future"),
    ],
)
def test_what_nobody_says_is_asked_for(
    typed: list[str], says: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("deploy", "record", *typed, "--store", "host=/nowhere") == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("at", ["yesterday", "2026-01-31T14:03:00"])
def test_a_time_needs_its_zone(at: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("deploy", "record", "--at", at)
    assert ended.value.code == 2
    assert "no time" in capsys.readouterr().err


def test_a_ci_job_and_git_say_the_rest(here: Path) -> None:
    for command in ("init -q", "-c user.name=ann -c user.email=a@b.c commit -q --allow-empty -m first"):
        subprocess.run(["git", *command.split()], check=True)
    found = shipping.by_git("")
    assert (len(found.revision), found.author, found.says) == (40, "ann", "first")
    assert shipping.by_git("nothing") == shipping.Shipped() == shipping.by_git("--help")
    gitlab = {
        "CI_PROJECT_NAME": "shop",
        "CI_COMMIT_SHA": "a7c3dbe",
        "GITLAB_USER_LOGIN": "ann",
        "CI_PROJECT_URL": "https://gitlab.example/acme/shop",
        "CI_ENVIRONMENT_NAME": "production",
        "CI_COMMIT_TITLE": "Filter",
    }
    assert shipping.by_job(gitlab) == shipping.Shipped(
        service="shop",
        revision="a7c3dbe",
        author="ann",
        environment="production",
        says="Filter",
        url="https://gitlab.example/acme/shop/-/commit/a7c3dbe",
    )
    assert shipping.by_job({"GIT_COMMIT": "b", "BUILD_URL": "https://ci/1"}).url == "https://ci/1"
    assert shipping.by_job({}) == shipping.Shipped()


def test_history_shows_when_a_query_got_slow(here: Path, busy: str, capsys: pytest.CaptureFixture[str]) -> None:
    at = (NOW - 41 * MINUTE).isoformat()
    assert run("deploy", "record", "--service", "shop", "--revision", "a7c3dbe", "--at", at, "--store", busy) == 0
    capsys.readouterr()
    assert run("history", "order_items", "--since", since(), "--step", "10m", "--store", busy) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert "select * from order_items where product_sku = $1 and status = $2" in lines[0]
    assert "first seen" in said
    fast = [line for line in lines if " 3 ms " in line]
    slow = [line for line in lines if "2.8 s" in line]
    assert len(fast) >= 7
    assert len(slow) >= 3
    assert all("█" * 20 in line for line in slow)
    assert not any("█" in line for line in fast)
    assert sum("deploy shop a7c3dbe" in line for line in lines) == 1
    assert sum("slow-query opened" in " ".join(line.split()) for line in [said.replace("\n", " ")]) == 1


def test_history_lists_the_heaviest(here: Path, busy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("history", "--since", since(), "--store", busy) == 0
    said = capsys.readouterr().out
    assert said.index("order_items") < said.index("users")
    assert "\x1b" not in said
    assert max(map(len, said.splitlines())) <= 100


def test_history_as_json(here: Path, busy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("history", f"{1:016x}", "--since", since(), "--step", "1h", "-f", "json", "--store", busy) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["format"], told["version"], told["step_seconds"]) == ("premortem history", 1, 3600)
    (query,) = told["queries"]
    assert query["tables"] == ["order_items"] or query["tables"] == ["public.order_items"]
    assert sum(step["calls"] for step in query["steps"]) == query["calls"]
    assert query["appeared"] is True
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "history.md").read_text("utf-8")
    for name in [*told, *query, *query["steps"][0], *(told["alerts"][0] if told["alerts"] else ())]:
        assert re.search(rf"[`.]{name}`", page), name


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["nothing like it"], "has the fingerprint, the table or the text nothing like it"),
        (["--since", "1h", "--until", "2h"], "not before"),
        (["--step", "5s"], "by the minute"),
    ],
)
def test_history_of_nothing(
    typed: list[str], says: str, here: Path, busy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("history", *typed, "--store", busy) == 2
    assert says in capsys.readouterr().err


def test_history_of_an_empty_store(here: Path, database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("history", "--store", database) == 0
    assert "nothing ran" in capsys.readouterr().out


def test_deploys_of_services_that_do_not_use_the_instance_are_not_in_its_history() -> None:
    said = '[[instances]]\nname = "a"\ndsn = "host=a"\nservices = ["shop"]\n[[instances]]\nname = "b"\ndsn = "host=b"\n'
    watching = parse(said, "t.toml").watching
    deploys = tuple(Deploy(service=name, revision="r", at=NOW) for name in ("Shop", "mail", ""))

    def shown(*instances: str) -> list[str]:
        return [one.service for one in history.of_services(deploys, instances, watching)]

    assert shown("a") == ["Shop", ""]
    assert shown("a", "b") == shown("gone") == ["Shop", "mail", ""]
