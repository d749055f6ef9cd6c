"""From what was seen to the files that put premortem into a repository."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from premortem.repository import github, gitlab, hooks, settings_file
from premortem.repository.seen import ATTRIBUTES, LOCK_MERGES, Forge, Seen

SETTINGS = "premortem.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A file to write.

    `exists` says that there is one of that name, which stays as it is unless somebody insists; `add` is then what to
    put into it by hand, where that is possible.
    """

    path: str
    text: str
    says: str
    exists: bool = False
    add: str = ""


def propose(seen: Seen) -> tuple[Proposal, ...]:
    """Return the files that put premortem into a repository."""
    return tuple(_all(seen))


def _all(seen: Seen) -> Iterator[Proposal]:
    yield _file(seen, SETTINGS, settings_file.text(seen), "what fails, budgets, owners")
    if seen.forge is Forge.GITHUB:
        yield _file(seen, github.PATH, github.text(seen), "the workflow: pulls the profile, checks pull requests")
    else:
        yield _file(seen, gitlab.PATH, gitlab.text(seen), "the jobs: pull the profile, check merge requests")
        yield _file(seen, gitlab.MAIN, gitlab.INCLUDE, "includes the jobs", add=gitlab.INCLUDE)
    if seen.queries:
        add = f"under repos:\n{hooks.hook(seen)}"
        yield _file(seen, hooks.PATH, hooks.text(seen), "checks .sql files before a commit", add=add)
    if ATTRIBUTES not in seen.existing:
        yield _file(seen, ATTRIBUTES, f"{LOCK_MERGES}\n", "merges what two branches accept")


def _file(seen: Seen, path: str, text: str, says: str, add: str = "") -> Proposal:
    return Proposal(path=path, text=text, says=says, exists=path in seen.existing, add=add)
