"""What was seen in a repository, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

#: Where git is told how to merge, and what of the lock: two branches that add to it always merge.
ATTRIBUTES, LOCK_MERGES = ".gitattributes", "premortem.lock merge=union"


class Forge(StrEnum):
    """Whose CI runs."""

    GITHUB = "github"
    GITLAB = "gitlab"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing that was found, with the file that says so, or assumed, with the reason."""

    says: str
    source: str = ""
    is_assumed: bool = False

    def __str__(self) -> str:
        how = "assumed" if self.is_assumed else "found"
        return f"{how}: {self.says}" + (f" ({self.source})" if self.source else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A test suite that asks the database: how to set it up and how to run it, from which folder.

    `language` decides what a CI job has to install; `hands` are variables that the suite takes its server from, with
    the templates that `premortem capture --set` fills in.
    """

    language: str
    framework: str
    command: str
    install: tuple[str, ...] = ()
    folder: str = ""
    source: str = ""
    hands: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrations:
    """A folder of migrations; `is_sql` where premortem can read them as they are."""

    path: str
    tool: str
    is_sql: bool
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that `propose` needs to know."""

    forge: Forge
    queries: tuple[str, ...] = ()
    migrations: tuple[Migrations, ...] = ()
    suites: tuple[Suite, ...] = ()
    postgres: int | None = None
    existing: frozenset[str] = frozenset()
    ignores_profile: bool = False
    merges_lock: bool = False
    remarks: tuple[Remark, ...] = ()
