"""The CI files that init writes, and the action, run for real: their scripts, a real profile, real queries.

What a CI itself does is left out: checking out, installing, fetching the profile.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from premortem import cli, pg
from tests.cli import suites
from tests.cli.jobs import git, script, steps, write
from tests.comment.forge import TOKEN, Api, running

ROOT = Path(__file__).parents[2]
TABLE = """
CREATE TABLE items (id bigint PRIMARY KEY, sku text NOT NULL, status text NOT NULL, filler text NOT NULL);
INSERT INTO items SELECT g, 'SKU-' || (g % 20000), 'open', repeat('x', 60) FROM generate_series(1, 200000) g;
VACUUM (ANALYZE) items
"""
GOOD = "-- name: by_id\nselect * from items where id = $1;\n"
BAD = "-- name: by_sku\nselect * from items where sku = $1;\n"
FIRST = "create table items (id bigint primary key, sku text not null, status text not null, filler text not null);\n"
WIDE = "-- premortem: allow deep-offset (nothing pages here)\nselect id from items where id = $1;\n"


@pytest.fixture(scope="module")
def profile(server18: pg.Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pg.writer(server18, purpose="test") as db:
        db.execute("CREATE DATABASE items_of_jobs")
    with pg.writer(server18.dsn("items_of_jobs"), purpose="test") as db:
        for statement in TABLE.split(";\n"):
            db.execute(statement)
    path = tmp_path_factory.mktemp("jobs") / "prod.profile"
    assert cli.main(["profile", "pull", server18.dsn("items_of_jobs"), "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def cache() -> Iterator[str]:
    """A cache folder that the user who runs the servers can enter, wherever pytest keeps its own."""
    with tempfile.TemporaryDirectory(prefix="premortem-jobs-") as folder:
        os.chmod(folder, 0o755)
        yield folder


@pytest.fixture
def api() -> Iterator[Api]:
    with running() as started:
        yield started


@pytest.fixture
def repository(tmp_path: Path, profile: Path) -> Path:
    """A repository whose branch adds a query that scans a large table."""
    first = {"queries/items.sql": GOOD, "db/migrations/V1__first.sql": FIRST, ".gitignore": "*.profile\n"}
    return branch(tmp_path / "shop", first, {"queries/items.sql": GOOD + BAD}, profile)


def branch(folder: Path, first: Mapping[str, str], change: Mapping[str, str], profile: Path) -> Path:
    """Return a repository with a branch that brings a change, and the profile beside it."""
    write(folder, first)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    git(folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(folder, "checkout", "-qb", "change")
    write(folder, change)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "a change")
    (folder / "prod.profile").symlink_to(profile)
    return folder


def environment(api: Api, tmp_path: Path, **more: str) -> dict[str, str]:
    return {
        "GITHUB_API_URL": api.url,
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_RUN_ID": "100",
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "RUNNER_TEMP": str(tmp_path),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", ""),
        **more,
    }


def outputs(tmp_path: Path) -> dict[str, str]:
    lines = (tmp_path / "output").read_text().splitlines()
    (tmp_path / "output").unlink()
    return dict(line.split("=", 1) for line in lines)


def test_the_workflow_stops_a_bad_query_and_lets_its_index_pass(repository: Path, tmp_path: Path, api: Api) -> None:
    assert cli.main(["init", str(repository)]) == 0
    job = steps(repository / ".github/workflows/premortem.yml", "check")
    given = environment(api, tmp_path, BASE="origin/main")

    done = script(job["Check"]["run"], repository, given)
    code = outputs(tmp_path)["code"]
    assert code == "1", done.stderr + done.stdout
    assert "::error file=queries/items.sql,line=" in done.stdout
    assert "items_sku_idx" in (repository / "premortem.html").read_text("utf-8")
    assert script(job["Comment"]["run"], repository, given | {"CODE": code}).returncode == 1
    assert "CREATE INDEX CONCURRENTLY items_sku_idx" in api.bodies()[0]

    write(repository, {"db/migrations/V2__index.sql": "CREATE INDEX CONCURRENTLY items_sku_idx ON items (sku);\n"})
    git(repository, "add", "db")
    git(repository, "commit", "-qm", "its index")
    done = script(job["Check"]["run"], repository, given)
    code = outputs(tmp_path)["code"]
    assert code == "0", done.stderr + done.stdout
    assert script(job["Comment"]["run"], repository, given | {"CODE": code}).returncode == 0
    assert len(api.notes) == 1
    assert api.bodies()[0].split("\n")[1].startswith("## ✅")


def test_the_gitlab_job_keeps_the_verdict(repository: Path, tmp_path: Path, api: Api) -> None:
    assert cli.main(["init", str(repository), "--ci", "gitlab"]) == 0
    job = yaml.safe_load((repository / ".gitlab/premortem.yml").read_text("utf-8"))["premortem"]
    given = {
        "CI_API_V4_URL": api.url, "CI_PROJECT_ID": "42", "CI_MERGE_REQUEST_IID": "7", "CI_JOB_NAME": "premortem",
        "PREMORTEM_GITLAB_TOKEN": "glpat-x", "CI_MERGE_REQUEST_DIFF_BASE_SHA": "origin/main",
    }  # fmt: skip
    done = script("\n".join(job["script"]), repository, given)
    assert done.returncode == 1, done.stderr + done.stdout
    assert len(api.notes) == 1
    for path in job["artifacts"]["reports"].values():
        assert (repository / path).stat().st_size > 0


def captured(repository: Path, name: str, given: dict[str, str]) -> tuple[str, str]:
    """Run the steps of the workflow that capture a suite and check it; return check's code and what was printed."""
    job = steps(repository / ".github/workflows/premortem.yml", "check")
    done = script(job[f"Run the {name} tests and keep their queries"]["run"], repository, given)
    assert done.returncode == 0, done.stderr + done.stdout
    if sql := job.get(f"Write the branch's {name} migrations as SQL"):
        done = script(sql["run"], repository, given)
        assert done.returncode == 0, done.stderr + done.stdout
    checked = script(job["Check"]["run"], repository, given)
    told = checked.stdout + checked.stderr
    return outputs(Path(given["GITHUB_OUTPUT"]).parent)["code"], told


def test_the_queries_of_a_django_suite_are_checked(tmp_path: Path, profile: Path, api: Api) -> None:
    folder = branch(tmp_path / "django", {"README": ""}, suites.DJANGO, profile)
    assert cli.main(["init", str(folder)]) == 0
    given = environment(api, tmp_path, BASE="origin/main")
    code, told = captured(folder, "Django", given)
    assert code == "1", told
    assert "seq-scan-discards-rows" in told
    write(folder, suites.DJANGO_CURE)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "an index")
    code, told = captured(folder, "Django", given)
    assert "items_by_sku" in (folder / "django.sql").read_text("utf-8")
    assert code == "0", told
    assert "seq-scan-discards-rows" not in told
    assert "require-concurrent-index-creation" in told


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not on this machine")
def test_the_queries_of_a_javascript_suite_are_checked(tmp_path: Path, profile: Path, api: Api) -> None:
    folder = branch(tmp_path / "node", {"README": ""}, suites.NODE, profile)
    assert cli.main(["init", str(folder)]) == 0
    job = steps(folder / ".github/workflows/premortem.yml", "check")
    done = script(job["Set up the node-postgres tests"]["run"], folder, {})
    assert done.returncode == 0, done.stderr
    code, told = captured(folder, "node-postgres", environment(api, tmp_path, BASE="origin/main"))
    assert code == "1", told
    assert "seq-scan-discards-rows" in told


_EXPRESSION = re.compile(r"\$\{\{\s*([\w.-]+)\s*\}\}")


class Action:
    """The action as a runner would run it, without the steps that are other people's actions."""

    def __init__(self, repository: Path, tmp_path: Path, api: Api, cache: str) -> None:
        self.action: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
        self.repository, self.tmp_path, self.api, self.cache = repository, tmp_path, api, cache

    def run(self, **given: str) -> tuple[int, str]:
        """Run the steps and return the verdict's exit code, and what the steps printed."""
        defaults = {name: said.get("default", "") for name, said in self.action["inputs"].items()}
        values = {f"inputs.{k}": v for k, v in (defaults | {k.replace("_", "-"): v for k, v in given.items()}).items()}
        values |= {"github.token": TOKEN, "runner.temp": str(self.tmp_path)}
        told, code = "", 0
        for name in ("Check", "Comment", "Verdict"):
            (step,) = [s for s in self.action["runs"]["steps"] if s.get("name") == name]
            assert "${{" not in step["run"]
            if name == "Comment" and values["inputs.comment"] != "true":
                continue
            done = script(step["run"], self.repository, self.environment(step["env"], values))
            told, code = told + done.stdout + done.stderr, done.returncode
            if name == "Check":
                values |= {f"steps.check.outputs.{k}": v for k, v in outputs(self.tmp_path).items()}
                assert code == 0, told
        return code, told

    def environment(self, wanted: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
        def filled(text: str) -> str:
            while _EXPRESSION.search(text):
                text = _EXPRESSION.sub(lambda m: values.get(m[1], ""), text)
            return text

        made = environment(self.api, self.tmp_path) | {k: filled(v) for k, v in wanted.items()}
        return made | {"PREMORTEM_CACHE_DIR": self.cache}


@pytest.fixture
def action(repository: Path, tmp_path: Path, api: Api, cache: str) -> Action:
    return Action(repository, tmp_path, api, cache)


def test_the_action_fails_comments_and_reports(action: Action, api: Api, tmp_path: Path) -> None:
    code, told = action.run(paths="queries\n", changed_since="origin/main", comment_id="gate one")
    assert code == 1, told
    assert "::error file=queries/items.sql" in told
    assert 'id="gate one"' in api.bodies()[0]
    reports = tmp_path / "premortem-reports"
    assert {p.name for p in reports.iterdir()} == {f"premortem.{e}" for e in ("md", "html", "json", "sarif")}


def test_the_action_fails_on_what_it_is_told_to(action: Action, repository: Path, api: Api) -> None:
    assert action.run(paths="queries", fail_on="never", comment="false")[0] == 0
    assert api.notes == []
    write(repository, {"warn.sql": WIDE, "odd name.sql": GOOD, "wrong.sql": "select nothing from nowhere;\n"})
    assert action.run(paths="warn.sql\nodd name.sql", fail_on="warning", comment="false")[0] == 1
    assert action.run(paths="odd name.sql", fail_on="warning", comment="false")[0] == 0
    assert action.run(paths="wrong.sql", fail_on="never", comment="false")[0] == 3


def test_the_action_takes_migrations_and_settings(action: Action, repository: Path) -> None:
    write(
        repository, {"new/1.sql": "CREATE INDEX CONCURRENTLY i ON items (sku);\n", "my.toml": '[[paths]]\nmatch="**"\n'}
    )
    assert action.run(paths="queries", migrations="new/1.sql", comment="false")[0] == 0
    write(repository, {"my.toml": '[[paths]]\nmatch = "**"\nat_most = "warn"\n'})
    assert action.run(paths="queries", settings="my.toml", comment="false")[0] == 0
    write(repository, {"my.toml": "[nonsense]\n"})
    assert action.run(paths="queries", settings="my.toml", comment="false")[0] == 2


def test_a_suite_that_fails_is_no_pass(action: Action) -> None:
    code, told = action.run(suite="exit 7", comment="false", fail_on="never")
    assert code == 3, told
    assert "the suite ended with 7" in told


def test_a_fork_keeps_its_verdict(action: Action, api: Api) -> None:
    api.writable = False
    code, told = action.run(paths="queries")
    assert code == 1
    assert "workflow_run" in told


POLICY = """
[[budgets]]
table = "items"
rows_read = 1_000
[[budgets]]
path = "queries/**"
ms = 5
[[owners]]
path = "queries"
owners = "@acme/items"
[[owners]]
table = "items"
owners = ["@acme/items", "Kim"]
"""


def test_what_a_team_decided_reaches_the_check(repository: Path, cache: str) -> None:
    over = f"-- premortem: allow seq-scan-discards-rows (soon better) until 2020-02-29\n{BAD}"
    write(repository, {"premortem.toml": POLICY, "queries/items.sql": over})
    command = "premortem check -p prod.profile queries -f json"
    done = script(command, repository, {"PREMORTEM_CACHE_DIR": cache})
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    (judged,) = report["queries"]
    found = {f["rule"]: f["says"] for f in judged["findings"]}
    assert "reads 200,000 rows of items, and its budget is 1,000 (budgets[1])" in found["over-budget"]
    assert "allowed until 2020-02-29 (soon better), which is over" in found["seq-scan-discards-rows"]
    assert judged["owners"] == ["@acme/items", "Kim"]
    assert any("no time can be predicted" in g["says"] for g in report["gaps"])


def test_the_hook_checks_the_files_that_it_is_given(repository: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    command = " ".join([hook["entry"], *hook["args"], "queries/items.sql"])
    assert script(command, repository, {}).returncode == 1


def test_the_action_and_the_hook_are_what_their_schemas_want() -> None:
    for command in (
        ("-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions", str(ROOT / "action.yml")),
        ("-c", "from pre_commit.main import main; raise SystemExit(main())", "validate-manifest",
         str(ROOT / ".pre-commit-hooks.yaml")),
    ):  # fmt: skip
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
