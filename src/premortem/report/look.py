"""How a report is to look: decided by the shell, obeyed by the renderers."""

from __future__ import annotations

from dataclasses import dataclass

#: GitHub refuses a comment of more characters; GitLab takes a million.
GITHUB_CHARACTERS, GITLAB_CHARACTERS = 65_536, 1_000_000
#: Left free for the mark by which whoever posts a comment finds it again.
_MARGIN = 536


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The width in columns, whether colours may be used, and whether all details are wanted.

    `details` shows every parameter set's plan and what was declined (`explain`), not only what hurts (`check`).
    `limit` is how many characters a comment may have; what is cut refers to `whole`, a phrase that says where the whole
    report is.  `root` is the repository's folder and `here` the one that relative paths start from, both absolute:
    what shows a finding at a line of a file wants the file's path from the root.  `again` is the command line that made
    the report, to be typed again with another format.
    """

    width: int = 80
    colour: bool = False
    details: bool = False
    limit: int = GITHUB_CHARACTERS - _MARGIN
    whole: str = "premortem check --save html=FILE writes the whole report"
    root: str = ""
    here: str = ""
    again: str = ""
