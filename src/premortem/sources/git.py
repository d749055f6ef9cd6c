"""What a branch changed, as git tells it: which files, and what stood in them where the branch began.

git itself is asked, not a library: whoever has a repository has git, and it alone knows worktrees, partial clones,
line ends and renames as the user's configuration has them.  Everything is compared with the merge base, and with the
files as they lie here, so that edits nobody committed yet count too.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from premortem import sqltext
from premortem.errors import UsageError
from premortem.model import Query, Unreadable
from premortem.sources.path import along

_HINT_SHALLOW = "the clone is shallow; fetch the history: `fetch-depth: 0` (GitHub), `GIT_DEPTH: 0` (GitLab), or {cure}"
_LINK, _MODULE = "120000", "160000"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFile:
    """A file that the branch touches.

    `path` is where it is now, None if it is gone; `before` where it was, None if it is new; `blob` what it was.
    """

    path: Path | None
    before: Path | None
    blob: str | None = None


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What lies here, compared with the commit where the branch began."""

    root: Path
    base: str
    files: tuple[ChangedFile, ...]
    known: frozenset[Path]

    @cached_property
    def _by_path(self) -> Mapping[Path, ChangedFile]:
        return {f.path: f for f in self.files if f.path is not None}

    def touches(self, path: str | Path) -> bool | None:
        """Return whether a file is new or changed, None where it is none of the repository's."""
        real = Path(path).resolve()
        if not real.is_relative_to(self.root):
            return None
        return real in self._by_path or real not in self.known

    @property
    def added(self) -> tuple[Path, ...]:
        """The files that the branch adds, untracked ones included."""
        return tuple(f.path for f in self.files if f.path is not None and f.before is None)

    def text_before(self, path: str | Path) -> str | None:
        """Return what stood in a file of the repository where the branch began, None where it was not there."""
        real = Path(path).resolve()
        if not real.is_relative_to(self.root):
            return None
        name = os.fsencode(real.relative_to(self.root).as_posix())
        done = _run(self.root, b"cat-file", b"blob", self.base.encode() + b":" + name)
        return None if done.returncode else done.stdout.decode("utf-8-sig", "replace")

    def queries_before(self) -> tuple[Query | Unreadable, ...]:
        """Return the statements that stood in the `*.sql` files that the branch touches.

        A renamed file's have the new name, under which today's are compared with them.
        """
        old = [f for f in self.files if f.blob is not None and _is_sql(f.path or f.before)]
        texts = _blobs(self.root, [f.blob for f in old if f.blob is not None])
        return tuple(item for file, text in zip(old, texts, strict=True) for item in _split(file, text))


def _is_sql(path: Path | None) -> bool:
    return path is not None and path.name.lower().endswith(".sql")


def _split(file: ChangedFile, text: str) -> Iterator[Query | Unreadable]:
    place = file.path or file.before
    assert place is not None
    yield from along(sqltext.split(text.replace("\0", "\ufffd"), os.path.relpath(place)))


def changed_since(ref: str, folder: Path | None = None) -> Changes:
    """Return what changed here since the branch left `ref`; `folder` is any folder of the repository.

    Raises UsageError where git is missing, this is no repository, or it does not know the commit.
    """
    here = folder or Path.cwd()
    root = Path(os.fsdecode(_git(here, b"rev-parse", b"--show-toplevel").removesuffix(b"\n"))).resolve()
    base = _merge_base(root, ref)
    raw = _git(root, b"diff", b"--raw", b"-z", b"--no-abbrev", b"-M", b"--no-ext-diff", b"--no-textconv", base, b"--")
    new = _git(root, b"ls-files", b"--others", b"--exclude-standard", b"-z")
    tree = _git(root, b"ls-tree", b"-r", b"-z", b"--name-only", b"--full-tree", base)
    untracked = (ChangedFile(path=root / os.fsdecode(n), before=None) for n in new.split(b"\0") if n)
    return Changes(
        root=root,
        base=base.decode(),
        files=(*_parsed(raw, root), *untracked),
        known=frozenset(root / os.fsdecode(n) for n in tree.split(b"\0") if n),
    )


def _parsed(raw: bytes, root: Path) -> Iterator[ChangedFile]:
    """Yield the files of `git diff --raw -z`: `:modes shas status`, then one path, or two for a rename or copy."""
    fields = iter(raw.split(b"\0"))
    for head in fields:
        if not head:
            continue
        modes = head.decode("ascii").lstrip(":").split(" ")
        status = modes[4][:1]
        first = root / os.fsdecode(next(fields))
        second = root / os.fsdecode(next(fields)) if status in "RC" else first
        if _MODULE in modes[:2]:
            continue
        blob = modes[2] if set(modes[2]) != {"0"} and modes[0] != _LINK else None
        yield ChangedFile(path=None if status == "D" else second, before=None if status == "A" else first, blob=blob)


def _merge_base(root: Path, ref: str) -> bytes:
    name = ref.removesuffix("...").removesuffix("..")
    if not name or name.startswith("-"):
        raise UsageError(f"--changed-since {ref!r} is no branch or commit", hint="for example origin/main")
    tried = _run(root, b"rev-parse", b"--verify", b"--quiet", b"--end-of-options", os.fsencode(name) + b"^{commit}")
    if tried.returncode:
        branch = name.partition("/")[2] or name
        cure = f"git fetch origin {branch}"
        hint = _HINT_SHALLOW.format(cure=cure) if _is_shallow(root) else f"fetch it: {cure}"
        raise UsageError(f"git knows no commit {name} here", hint=hint)
    found = _run(root, b"merge-base", tried.stdout.strip(), b"HEAD")
    if found.returncode:
        shallow = _is_shallow(root)
        cure = "git fetch --unshallow"
        hint = _HINT_SHALLOW.format(cure=cure) if shallow else "name a branch that this one was made from"
        raise UsageError(f"{name} and this branch have no commit in common here", hint=hint)
    return found.stdout.split(b"\n")[0]


def _is_shallow(root: Path) -> bool:
    return _run(root, b"rev-parse", b"--is-shallow-repository").stdout.strip() == b"true"


def _blobs(root: Path, names: Sequence[str]) -> list[str]:
    """Return the contents of blobs, in their order; what is no UTF-8 is read as well as it can be."""
    if not names:
        return []
    answer = _git(root, b"cat-file", b"--batch", stdin="".join(f"{n}\n" for n in names).encode())
    texts, position = [], 0
    for _ in names:
        end = answer.index(b"\n", position)
        header = answer[position:end].split(b" ")
        if len(header) < 3:
            raise UsageError("git cannot read a file of the base branch", hint="git fsck says what is missing")
        size = int(header[2])
        texts.append(answer[end + 1 : end + 1 + size].decode("utf-8-sig", "replace"))
        position = end + 1 + size + 1
    return texts


def _git(folder: Path, *arguments: bytes, stdin: bytes = b"") -> bytes:
    done = _run(folder, *arguments, stdin=stdin)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
        first = said.splitlines()[0] if said else f"git ended with {done.returncode}"
        raise UsageError(f"git cannot tell what changed: {first}", hint=_cure(said))
    return done.stdout


def _cure(said: str) -> str | None:
    if "dubious ownership" in said:
        return "git config --global --add safe.directory FOLDER"
    return "run it inside the repository" if "not a git repository" in said else None


def _run(folder: Path, *arguments: bytes, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    command = [b"git", b"-c", b"core.quotePath=false", b"-C", os.fsencode(folder), *arguments]
    try:
        return subprocess.run(command, input=stdin, capture_output=True, env=environment, check=False)
    except FileNotFoundError as error:
        raise UsageError("git is not installed, and --changed-since asks it", hint="install git") from error
    except OSError as error:
        raise UsageError(f"git cannot be run: {error.strerror}") from error
