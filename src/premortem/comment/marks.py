"""The hidden line by which we know a comment as ours, and whose it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARK = re.compile(r'\A\s*<!-- premortem:comment id="(?P<id>[^"\n]*)" run="(?P<run>\d+)" -->[ \t]*\r?\n?')
_UNSAFE = re.compile(r"[^\w./ -]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Which job's comment it is, and the number of the run that wrote it; later runs have higher ones."""

    id: str
    run: int = 0

    @property
    def line(self) -> str:
        """The mark as it stands in a comment."""
        return f'<!-- premortem:comment id="{self.id}" run="{self.run}" -->\n'

    def on(self, text: str) -> str:
        """Return a text with the mark."""
        return self.line + text


def parted(body: str) -> tuple[Mark | None, str]:
    """Return the mark that a comment begins with, and the comment without it.

    >>> parted(Mark(id="ci/check", run=7).on("text"))
    (Mark(id='ci/check', run=7), 'text')
    >>> parted("> <!-- premortem:comment id=\\"a\\" run=\\"1\\" -->")[0] is None
    True
    """
    found = _MARK.match(body)
    if found is None:
        return None, body
    return Mark(id=found["id"], run=int(found["run"])), body[found.end() :]


def safe_id(text: str) -> str:
    """Return an id that no HTML comment ends early for.

    >>> safe_id('CI / "check" --> x'), safe_id("")
    ('CI / -check- - x', 'default')
    """
    return re.sub("-{2,}", "-", _UNSAFE.sub("-", text)).strip()[:120] or "default"
