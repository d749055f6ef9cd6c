"""One statement as a server ran it: the word that readers of logs make and that everything after them counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """One execution of one statement, or `calls` of them where only a count is known.

    `text` is what the server received, comments included.  `session` tells backends apart (`%c` of the log), `client`
    is the `host:port` at the other end where the log knows it, `transaction` is the virtual transaction id (`%v`).
    `parameters` are the values of `$n` in text form, None for a statement without any; `search_path` is known only if
    the session set it.  `nested` statements were run by a function, which `function` names where that is known; `plan`
    is what auto_explain said, as it stands.  `line` is the log's line.
    """

    text: str
    at: datetime | None = None
    session: str = ""
    client: str | None = None
    transaction: str | None = None
    database: str | None = None
    role: str | None = None
    application: str | None = None
    parameters: tuple[str | None, ...] | None = None
    search_path: tuple[str, ...] | None = None
    failed: bool = False
    nested: bool = False
    function: str | None = None
    plan: str | None = None
    calls: int = 1
    line: int | None = None
