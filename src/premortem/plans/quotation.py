"""Takes off the marks that mails, chats and comments put before the lines of a plan that they quote.

Block by block: what stands unquoted above or below a quotation says nothing about it, and neither does how deep another
block is quoted.  A block that holds no line of a plan stays as it is, for it may be the rest of a condition.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from premortem.plans import labels

_MARK = re.compile(r"\s*(?:(?:[>|│#%*](?![=~])|//|--(?!>)|\w{1,12}>(?=[ >]|$)) ?)+")
_RULER = re.compile(r"\s*[-+|*#=]{3,}")
_ARROW = re.compile(r"\s*(?:[-–—−=]>|→|⟶|➔)\s*[A-Z]")
_FIGURES = re.compile(r"\s\((?:cost=|actual |never executed|rows=\d)")
_OTHER_FORMS = re.compile(r'\s*(?:- )?(?:"Node Type"|"?Node Type"?|<Node-Type>)')


def unquoted(lines: Sequence[str]) -> list[str]:
    """Return as many lines, those without their marks that quote a plan.

    >>> unquoted(["Hi all,", ">> > Limit  (cost=0.00..1.00)", ">> >   ->  Result  (cost=0.00..1.00)", "> thanks"])
    ['Hi all,', 'Limit  (cost=0.00..1.00)', '  ->  Result  (cost=0.00..1.00)', 'thanks']
    """
    found: list[str] = []
    for marked, group in groupby(lines, key=_is_marked):
        block = list(group)
        bare = [_MARK.sub("", line, count=1) for line in block] if marked else block
        found += bare if marked and any(map(_is_of_plan, bare)) else block
    return found


def _is_marked(line: str) -> bool:
    return bool(_MARK.match(line)) and not _RULER.match(line)


def _is_of_plan(line: str) -> bool:
    label = _FIGURES.split(line, maxsplit=1)[0].strip()
    return bool(_ARROW.match(line) or _OTHER_FORMS.match(line) or labels.is_known(label))
