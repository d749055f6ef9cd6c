"""Test suites that ask PostgreSQL, told by the files that each language declares its dependencies in."""

from __future__ import annotations

import json
import posixpath
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from shlex import quote

from premortem.repository.hands import hands
from premortem.repository.seen import Suite
from premortem.repository.tree import Tree

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_PYTHON = {
    "django": "Django", "sqlalchemy": "SQLAlchemy", "sqlmodel": "SQLModel", "asyncpg": "asyncpg",
    "psycopg": "psycopg", "psycopg2": "psycopg2", "psycopg2-binary": "psycopg2", "peewee": "Peewee",
    "tortoise-orm": "Tortoise", "piccolo": "Piccolo",
}  # fmt: skip
_ENGINE = re.compile(r"""["']django\.(?:db\.backends\.postgresql|contrib\.gis\.db\.backends\.postgis)["']""")
_TESTS = re.compile(r"(?:^|/)(?:tests?/.+|tests|test_\w+|\w+_tests?)\.py\Z")
_NODE = {
    "@prisma/client": "Prisma", "prisma": "Prisma", "knex": "Knex", "typeorm": "TypeORM", "sequelize": "Sequelize",
    "drizzle-orm": "Drizzle", "kysely": "Kysely", "@mikro-orm/postgresql": "MikroORM", "objection": "Objection",
    "pg": "node-postgres", "postgres": "Postgres.js", "pg-promise": "pg-promise",
}  # fmt: skip
_GO = {
    "gorm.io/driver/postgres": "GORM", "github.com/uptrace/bun": "Bun", "github.com/jmoiron/sqlx": "sqlx",
    "github.com/jackc/pgx": "pgx", "github.com/lib/pq": "lib/pq", "github.com/go-pg/pg": "go-pg",
}  # fmt: skip
_RUST = {"sqlx": "SQLx", "diesel": "Diesel", "sea-orm": "SeaORM", "tokio-postgres": "tokio-postgres"}


def suites(tree: Tree) -> tuple[Suite, ...]:
    """Return the suites of a repository, for each language the one nearest to its root."""
    found = (suite for look in (_python, _node, _go, _ruby, _rust, _java, _php, _elixir) if (suite := look(tree)))
    return tuple(replace(suite, hands=hands(tree, suite)) for suite in found)


def _nearest(tree: Tree, names: Iterable[str], framework: Callable[[str], str | None]) -> tuple[str, str] | None:
    """Return the file nearest to the root in which a database library is named, and the library."""
    for path in tree.named(*names):
        found = framework(path)
        if found:
            return path, found
    return None


def _python(tree: Tree) -> Suite | None:
    files = [f for f in tree.files if re.fullmatch(r"requirements[\w.-]*\.(?:txt|in)", posixpath.basename(f))]
    names = ["pyproject.toml", "setup.cfg", "Pipfile", *dict.fromkeys(posixpath.basename(f) for f in files)]
    found = _nearest(tree, names, lambda path: _first(_PYTHON, _requirements(tree, path)))
    if found is None:
        return _undeclared_django(tree)
    path, framework = found
    folder = posixpath.dirname(path)
    needed = set(_requirements(tree, path))
    for other in tree.below(folder):
        if posixpath.dirname(other) in (folder, posixpath.join(folder, "requirements")):
            needed |= set(_requirements(tree, other))
    return Suite(
        language="python",
        framework=framework,
        command=_python_command(tree, folder, needed, framework),
        install=_python_install(tree, folder),
        folder=folder,
        source=path,
    )


def _undeclared_django(tree: Tree) -> Suite | None:
    """Return the tests of a Django project that nowhere says what it needs: told by its settings."""
    for manage in tree.named("manage.py"):
        folder = posixpath.dirname(manage)
        below = [f for f in tree.below(folder) if f.endswith(".py")]
        settings = next((f for f in below if "settings" in f and _ENGINE.search(tree.text(f))), None)
        if settings is not None and any(map(_TESTS.search, below)):
            return Suite(
                language="python",
                framework="Django",
                command=_python_command(tree, folder, set(), "Django"),
                install=('python -m pip install Django "psycopg[binary]"',),
                folder=folder,
                source=settings,
            )
    return None


def _python_command(tree: Tree, folder: str, needed: set[str], framework: str) -> str:
    run = next((r for lock, r in _RUNNERS.items() if tree.has(posixpath.join(folder, lock))), "")
    manage = posixpath.join(folder, "manage.py")
    pytest = "pytest" in needed or "pytest-django" in needed or tree.has(posixpath.join(folder, "pytest.ini"))
    if framework == "Django" and not pytest and tree.has(manage):
        return f"{run}python manage.py test"
    return f"{run}pytest" if run else "python -m pytest"


_RUNNERS: Mapping[str, str] = {"uv.lock": "uv run ", "poetry.lock": "poetry run ", "Pipfile.lock": "pipenv run "}


def _python_install(tree: Tree, folder: str) -> tuple[str, ...]:
    def here(name: str) -> bool:
        return tree.has(posixpath.join(folder, name))

    if here("uv.lock"):
        return ("python -m pip install uv", "uv sync --all-groups --all-extras")
    if here("poetry.lock"):
        return ("python -m pip install poetry", "poetry install --all-extras")
    if here("Pipfile.lock"):
        return ("python -m pip install pipenv", "pipenv sync --dev")
    files = [f for f in tree.below(folder) if posixpath.dirname(f) in (folder, posixpath.join(folder, "requirements"))]
    wanted = [posixpath.relpath(f, folder or ".") for f in files if f.endswith(".txt") and "requirements" in f]
    if wanted:
        return (f"python -m pip install {' '.join(f'-r {quote(w)}' for w in wanted)}",)
    extras = _extras(tree, posixpath.join(folder, "pyproject.toml"))
    return (f"python -m pip install -e '.{extras}'",)


def _extras(tree: Tree, path: str) -> str:
    project = _toml(tree, path).get("project")
    known = project.get("optional-dependencies", {}) if isinstance(project, dict) else {}
    wanted = [e for e in ("test", "tests", "testing", "dev") if isinstance(known, dict) and e in known]
    return f"[{','.join(wanted)}]" if wanted else ""


def _requirements(tree: Tree, path: str) -> Iterator[str]:
    """Yield the names of the packages that a file asks for, in lower case."""
    if path.endswith((".txt", ".in")):
        lines = tree.text(path).splitlines() if "requirements" in path else []
        yield from _names(line for line in lines if not line.lstrip().startswith(("#", "-")))
    elif path.endswith(("pyproject.toml", "Pipfile")):
        yield from _names(_strings(_toml(tree, path)))
    elif path.endswith("setup.cfg"):
        yield from _names(tree.text(path).splitlines())


def _strings(value: object) -> Iterator[str]:
    """Yield the requirements of a TOML document: lists of them, and the keys of tables called dependencies."""
    if isinstance(value, dict):
        for key, below in value.items():
            if isinstance(below, dict) and ("dependencies" in key or key in ("packages", "dev-packages")):
                yield from (k for k in below if isinstance(k, str))
            yield from _strings(below)
    elif isinstance(value, list):
        yield from (v for v in value if isinstance(v, str))
        for below in value:
            yield from _strings(below)


def _names(lines: Iterable[str]) -> Iterator[str]:
    found = (_REQUIREMENT.match(line) for line in lines)
    return (m[1].lower().replace("_", "-") for m in found if m)


def _toml(tree: Tree, path: str) -> Mapping[str, object]:
    try:
        return tomllib.loads(tree.text(path))
    except tomllib.TOMLDecodeError:
        return {}


def _first(known: Mapping[str, str], names: Iterable[str]) -> str | None:
    there = set(names)
    return next((label for name, label in known.items() if name in there), None)


def _node(tree: Tree) -> Suite | None:
    found = _nearest(tree, ["package.json"], lambda path: _first(_NODE, _packages(_json(tree, path))))
    if found is None:
        return None
    path, framework = found
    folder = posixpath.dirname(path)
    scripts = _json(tree, path).get("scripts")
    test = scripts.get("test") if isinstance(scripts, dict) else None
    if not isinstance(test, str) or "no test specified" in test:
        return None
    tool, install = _node_tool(tree, folder)
    migrates = framework == "Prisma" and any(tree.below(posixpath.join(folder, "prisma/migrations")))
    command = f"npx prisma migrate deploy && {tool} test" if migrates else f"{tool} test"
    return Suite(language="node", framework=framework, command=command, install=install, folder=folder, source=path)


def _node_tool(tree: Tree, folder: str) -> tuple[str, tuple[str, ...]]:
    if tree.has(posixpath.join(folder, "pnpm-lock.yaml")):
        return "pnpm", ("corepack enable", "pnpm install --frozen-lockfile")
    if tree.has(posixpath.join(folder, "yarn.lock")):
        return "yarn", ("corepack enable", "yarn install --immutable")
    return "npm", ("npm ci" if tree.has(posixpath.join(folder, "package-lock.json")) else "npm install",)


def _packages(package: Mapping[str, object]) -> Iterator[str]:
    for key in ("dependencies", "devDependencies"):
        named = package.get(key)
        yield from named if isinstance(named, dict) else ()


def _json(tree: Tree, path: str) -> Mapping[str, object]:
    try:
        found = json.loads(tree.text(path))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _containing(tree: Tree, *names: str, known: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the file nearest to the root that names a library, as text and not as a part of another's name."""

    def framework(path: str) -> str | None:
        text = tree.text(path)
        return next(
            (label for n, label in known.items() if re.search(rf"(?<![\w-]){re.escape(n)}(?![\w-])", text)), None
        )

    return _nearest(tree, names, framework)


def _simple(
    tree: Tree, language: str, files: tuple[str, ...], known: Mapping[str, str], command: str, *install: str
) -> Suite | None:
    found = _containing(tree, *files, known=known)
    if found is None:
        return None
    path, framework = found
    folder = posixpath.dirname(path)
    return Suite(language=language, framework=framework, command=command, install=install, folder=folder, source=path)


def _go(tree: Tree) -> Suite | None:
    return _simple(tree, "go", ("go.mod",), _GO, "go test ./...", "go mod download")


def _rust(tree: Tree) -> Suite | None:
    return _simple(tree, "rust", ("Cargo.toml",), _RUST, "cargo test")


def _ruby(tree: Tree) -> Suite | None:
    found = _simple(tree, "ruby", ("Gemfile",), {"rails": "Rails", "sequel": "Sequel", "pg": "pg"}, "bundle exec rspec")
    if found is None:
        return None
    has_specs = any(tree.below(posixpath.join(found.folder, "spec")))
    test = "bundle exec rspec" if has_specs else "bin/rails test" if found.framework == "Rails" else "bundle exec rake"
    schema = "bin/rails db:create db:schema:load && " if found.framework == "Rails" else ""
    return replace(found, command=schema + test)


def _java(tree: Tree) -> Suite | None:
    known = {"org.postgresql": "JDBC"}
    found = _simple(tree, "java", ("pom.xml", "build.gradle", "build.gradle.kts"), known, "./gradlew test")
    if found is None or not found.source.endswith("pom.xml"):
        return found
    wrapper = tree.has(posixpath.join(found.folder, "mvnw"))
    return replace(found, command="./mvnw -B test" if wrapper else "mvn -B test")


def _php(tree: Tree) -> Suite | None:
    known = {"laravel/framework": "Laravel", "doctrine/dbal": "Doctrine", "doctrine/orm": "Doctrine"}
    found = _simple(tree, "php", ("composer.json",), known, "vendor/bin/phpunit", "composer install --no-interaction")
    return replace(found, command="php artisan test") if found and found.framework == "Laravel" else found


def _elixir(tree: Tree) -> Suite | None:
    return _simple(tree, "elixir", ("mix.exs",), {"postgrex": "Ecto", ":postgrex": "Ecto"}, "mix test", "mix deps.get")
