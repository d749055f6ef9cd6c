"""Looks at a repository: whose CI, which queries, which suites, which PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from premortem.repository import sqlfiles
from premortem.repository.programs import has_sql
from premortem.repository.seen import ATTRIBUTES, LOCK_MERGES, Forge, Migrations, Remark, Seen, Suite
from premortem.repository.suites import suites
from premortem.repository.tree import Tree, git, read

_IMAGE = re.compile(r"""["'\s/](?:postgres|postgis|timescaledb|pgvector|postgresql)(?:-ha)?:(?:pg)?(\d{1,2})\b""")
_OTHER_CI = {
    "Jenkinsfile": "Jenkins", ".circleci/config.yml": "CircleCI", "azure-pipelines.yml": "Azure Pipelines",
    "bitbucket-pipelines.yml": "Bitbucket Pipelines", ".drone.yml": "Drone", ".woodpecker.yml": "Woodpecker",
}  # fmt: skip
_SUPPORTED = range(12, 19)


def root_of(folder: Path) -> Path:
    """Return the top folder of the repository that a folder is in, itself where it is in none."""
    top = git(folder, "rev-parse", "--show-toplevel")
    return Path(top.strip()) if top and top.strip() else folder


def look(root: Path, forge: Forge | None = None) -> Seen:
    """Return what a repository tells; `forge` is whose CI somebody says it is."""
    tree = read(root)
    known = sqlfiles.kinds(tree)
    folders = sqlfiles.migrations(tree, known)
    queries = sqlfiles.query_folders(known)
    found = suites(tree)
    postgres, postgres_source = _postgres(tree)
    whose, why = _forge(tree, forge)
    remarks = [
        why,
        *(Remark(says=f"queries in {q}", source=_count(q, known)) for q in queries),
        *(_of_migrations(m, found) for m in folders),
        *_of_suites(found),
        *([Remark(says=f"PostgreSQL {postgres}", source=postgres_source)] if postgres else []),
        *(
            Remark(says=f"{ci}: premortem writes nothing for it; see docs/how-to/ci.md", source=f)
            for f, ci in _others(tree)
        ),
    ]
    if tree.odd:
        says = f"{len(tree.odd)} files are left out: their names hold characters that CI files cannot"
        remarks.append(Remark(says=says, source=repr(tree.odd[0])))
    if not queries and not found:
        says = "there are neither .sql files with queries nor a suite that asks PostgreSQL: the job checks the schema"
        remarks.append(Remark(says=f"{says}; name the rest yourself", is_assumed=True))
    if not queries:
        remarks.append(Remark(says="no .sql files with queries, so no pre-commit hook is written"))
    return Seen(
        forge=whose,
        queries=queries,
        migrations=folders,
        suites=found,
        postgres=postgres,
        existing=frozenset(tree.files),
        merges_lock=LOCK_MERGES in tree.text(ATTRIBUTES),
        ignores_profile=git(root, "check-ignore", "-q", "prod.profile") is not None,
        remarks=tuple(r for r in remarks if r is not None),
    )


def _count(queries: str, known: Mapping[str, str]) -> str:
    files = [f for f in known if f == queries or f.startswith(f"{queries}/")]
    return f"{len(files)} file{'' if len(files) == 1 else 's'}"


def _of_migrations(found: Migrations, suites: tuple[Suite, ...]) -> Remark:
    if found.is_sql:
        how = ""
    elif has_sql(found.tool, suites):
        how = "; the job writes the branch's own as SQL"
    else:
        how = "; they are programs, and are not judged until you hand in their SQL (docs/how-to/migrations.md)"
    return Remark(says=f"migrations of {found.tool} in {found.path}{how}", source=found.source)


def _of_suites(found: tuple[Suite, ...]) -> Iterator[Remark]:
    for suite in found:
        yield Remark(says=f"{suite.framework}", source=suite.source)
        where = f" in {suite.folder}" if suite.folder else ""
        yield Remark(says=f"the tests are run by `{suite.command}`{where}", is_assumed=True)
        for name, template in suite.hands:
            yield Remark(says=f"the tests take their server from {name} too: {template}", is_assumed=True)


def _others(tree: Tree) -> Iterator[tuple[str, str]]:
    return ((f, ci) for f, ci in _OTHER_CI.items() if tree.has(f))


def _forge(tree: Tree, said: Forge | None) -> tuple[Forge, Remark | None]:
    if said is not None:
        return said, None
    host = _host(git(tree.root, "remote", "get-url", "origin") or "")
    for forge in Forge:
        if forge.value in host.split("."):
            return forge, Remark(says=f"origin is on {host}", source="git remote")
    if tree.has(".gitlab-ci.yml"):
        return Forge.GITLAB, Remark(says="GitLab CI", source=".gitlab-ci.yml")
    workflows = [f for f in tree.files if f.startswith(".github/workflows/")]
    if workflows:
        return Forge.GITHUB, Remark(says="GitHub Actions", source=workflows[0])
    where = f"origin is on {host}" if host else "there is no remote"
    return Forge.GITHUB, Remark(
        says=f"GitHub Actions: {where}, and no CI files; --ci gitlab for GitLab", is_assumed=True
    )


def _host(url: str) -> str:
    """Return the host of a remote, without whoever signs in there.

    >>> _host("git@github.com:a/b.git"), _host("https://user:secret@gitlab.example.com/a/b"), _host("/srv/git/a")
    ('github.com', 'gitlab.example.com', '')
    """
    short = re.match(r"(?:[^@/\s]+@)?([\w.-]+):(?!//)", url.strip())
    if short:
        return short[1].lower()
    return (urlsplit(url.strip()).hostname or "").lower()


def _postgres(tree: Tree) -> tuple[int | None, str]:
    """Return the newest major version of a PostgreSQL image that the repository names."""
    places = [
        f for f in tree.files if re.search(r"(?:compose[\w.-]*|\.github/workflows/[^/]+|\.gitlab-ci)\.ya?ml\Z", f)
    ]
    found = [(int(m[1]), f) for f in places for m in _IMAGE.finditer(tree.text(f)) if int(m[1]) in _SUPPORTED]
    return max(found, default=(None, ""))
