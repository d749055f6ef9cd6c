"""What a branch changed, asked of real repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from premortem import sources
from premortem.errors import UsageError
from premortem.model import Query

ONE, TWO, EDITED = "select 1 from a;\n", "select 2 from b;\n", "select 3, x from c;\n"


class Repository:
    """A git repository with a main branch and one made from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        names = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *names, *arguments], cwd=self.folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode("utf-8", "replace")

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def commit(self, **files: str) -> None:
        for name, text in files.items():
            self.write(f"queries/{name}.sql", text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "work")

    def branch(self, name: str = "mine") -> None:
        self.git("checkout", "-q", "-b", name)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = Repository(tmp_path / "repo")
    made.commit(one=ONE, two=TWO, three=EDITED)
    made.branch()
    monkeypatch.chdir(made.folder)
    return made


def before(changes: sources.Changes) -> dict[str, str]:
    return {q.site.source: q.text for q in changes.queries_before() if isinstance(q, Query)}


def touched(changes: sources.Changes, folder: Path) -> set[str]:
    return {p.name for p in folder.rglob("*.sql") if changes.touches(p)}


def test_edited_new_and_untracked_files_are_touched(repository: Repository) -> None:
    repository.commit(two=TWO + "select 4;\n", new="select 5;\n")
    repository.write("queries/untracked.sql", "select 6;\n")
    repository.write("queries/one.sql", ONE + "-- not committed yet\n")
    changes = sources.changed_since("main")
    assert touched(changes, repository.folder) == {"one.sql", "two.sql", "new.sql", "untracked.sql"}
    assert before(changes) == {"queries/one.sql": "select 1 from a", "queries/two.sql": "select 2 from b"}
    assert {p.name for p in changes.added} == {"new.sql", "untracked.sql"}


def test_what_main_did_since_is_not_the_branchs(repository: Repository) -> None:
    repository.commit(two="select 20 from b;\n")
    repository.git("checkout", "-q", "main")
    repository.commit(one="select 10 from a;\n")
    repository.git("checkout", "-q", "mine")
    assert touched(sources.changed_since("main"), repository.folder) == {"two.sql"}
    assert touched(sources.changed_since("main..."), repository.folder) == {"two.sql"}


def test_a_renamed_file_is_compared_under_its_new_name(repository: Repository) -> None:
    repository.git("mv", "queries/two.sql", "queries/other.sql")
    repository.write("queries/other.sql", TWO)
    repository.git("commit", "-q", "-a", "-m", "renamed")
    assert before(sources.changed_since("main")) == {"queries/other.sql": "select 2 from b"}


def test_a_deleted_file_tells_what_stood_in_it(repository: Repository) -> None:
    repository.git("rm", "-q", "queries/two.sql")
    changes = sources.changed_since("main")
    assert before(changes) == {"queries/two.sql": "select 2 from b"}
    assert changes.text_before("queries/two.sql") == TWO
    assert changes.text_before("queries/never.sql") is None


def test_an_ignored_file_that_is_not_in_the_repository_is_touched(repository: Repository) -> None:
    repository.write(".gitignore", "generated/\n")
    repository.commit()
    path = repository.write("generated/x.sql", ONE)
    assert sources.changed_since("main").touches(path) is True


def test_a_file_elsewhere_is_nobodys(repository: Repository, tmp_path: Path) -> None:
    outside = tmp_path / "outside.sql"
    outside.write_text(ONE)
    (repository.folder / "link.sql").symlink_to(outside)
    changes = sources.changed_since("main")
    assert changes.touches(outside) is None
    assert changes.touches("link.sql") is None


def test_from_a_folder_of_it_and_from_a_worktree(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit(two=TWO + "select 4;\n")
    monkeypatch.chdir(repository.folder / "queries")
    changes = sources.changed_since("main")
    assert before(changes) == {"two.sql": "select 2 from b"}
    assert changes.touches("two.sql") is True
    repository.git("worktree", "add", "-q", "-b", "third", str(tmp_path / "tree"))
    monkeypatch.chdir(tmp_path / "tree")
    Path("queries/one.sql").write_text("select 9 from a;\n")
    assert touched(sources.changed_since("main"), tmp_path / "tree") == {"one.sql", "two.sql"}


@pytest.mark.parametrize(
    "name", [b"with space.sql", b"new\nline.sql", b'quo"te.sql', b"-dash.sql", b"\xff\xfe.sql", "ü表.sql".encode()]
)
def test_any_name_of_a_file(repository: Repository, name: bytes) -> None:
    path = repository.folder / "queries" / os.fsdecode(name)
    repository.git("checkout", "-q", "main")
    path.write_text(TWO)
    repository.commit()
    repository.git("checkout", "-q", "-B", "mine")
    path.write_text(EDITED)
    changes = sources.changed_since("main")
    assert changes.touches(path) is True
    assert list(before(changes).values()) == ["select 2 from b"]


def test_a_base_that_is_no_utf8_is_read_as_well_as_it_can_be(repository: Repository) -> None:
    repository.git("checkout", "-q", "main")
    repository.write("queries/latin.sql", b"select 1 from a; -- gr\xfc\xdfe\n")
    repository.commit()
    repository.git("checkout", "-q", "-B", "mine")
    repository.write("queries/latin.sql", "select 1 from a; -- grüße\n")
    assert list(before(sources.changed_since("main")).values()) == ["select 1 from a"]


def test_line_ends_are_no_edit(repository: Repository) -> None:
    repository.git("config", "core.autocrlf", "true")
    repository.write("queries/one.sql", ONE.replace("\n", "\r\n"))
    assert touched(sources.changed_since("main"), repository.folder) == set()


def test_settings_of_git_that_change_its_output_do_no_harm(repository: Repository) -> None:
    for name, value in (
        ("diff.external", "false"),
        ("color.ui", "always"),
        ("diff.renames", "copies"),
        ("core.quotePath", "true"),
        ("diff.noprefix", "true"),
        ("status.relativePaths", "true"),
        ("diff.relative", "true"),
    ):
        repository.git("config", name, value)
    repository.commit(two=TWO + "select 4;\n")
    assert before(sources.changed_since("main")) == {"queries/two.sql": "select 2 from b"}


def test_a_shallow_clone_says_how_to_fetch_the_rest(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit(two=EDITED)
    clone = tmp_path / "clone"
    url = f"file://{repository.folder}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", "-b", "mine", url, str(clone)], check=True)
    monkeypatch.chdir(clone)
    with pytest.raises(UsageError, match="no commit origin/main") as caught:
        sources.changed_since("origin/main")
    assert "fetch-depth: 0" in (caught.value.hint or "")
    subprocess.run(["git", "fetch", "-q", "--depth", "1", "origin", "main:refs/remotes/origin/main"], check=True)
    with pytest.raises(UsageError, match="no commit in common") as caught:
        sources.changed_since("origin/main")
    assert "git fetch --unshallow" in (caught.value.hint or "")
    subprocess.run(["git", "fetch", "-q", "--unshallow"], check=True)
    assert touched(sources.changed_since("origin/main"), clone) == {"two.sql"}


@pytest.mark.parametrize(
    ("ref", "says"), [("origin/gone", "no commit origin/gone"), ("--output=x", "is no branch"), ("", "is no branch")]
)
def test_a_reference_that_is_none(repository: Repository, ref: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        sources.changed_since(ref)
    assert not (repository.folder / "x").exists()


def test_branches_without_a_common_commit(repository: Repository) -> None:
    repository.git("checkout", "-q", "--orphan", "alone")
    repository.commit(alone=ONE)
    with pytest.raises(UsageError, match="no commit in common"):
        sources.changed_since("main")


def test_outside_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="not a git repository") as caught:
        sources.changed_since("main")
    assert caught.value.hint == "run it inside the repository"


def test_without_git(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="git is not installed"):
        sources.changed_since("main")
