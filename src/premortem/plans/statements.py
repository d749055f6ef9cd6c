"""Finds the statement that a plan is the plan of, in the lines above it: auto_explain's, a session's, or bare SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence

from premortem.plans.frames import is_frame, unframed

_QUERY_TEXT = re.compile(r"\s*Query Text: ?(?P<text>.*)\Z", re.DOTALL)
_PARAMETERS = re.compile(r"\s*(?:Query Parameters|Query Identifier|Settings): ")
_PROMPT = re.compile(r"\s*[\w.@:/-]*[=(*!^'\"$-][#>] ?(?=\S|\Z)")
_BEGINS = re.compile(
    r"\s*(?:explain\b|select\b|with\b|insert\s+into\b|update\s+\S|delete\s+from\b|merge\s+into\b|values\s*\(|execute\s)",
    re.IGNORECASE,
)
#: Without one of these there is no statement, and no need to look closer.
_WORDS = re.compile(r"\b(?:query text|explain|select|with|insert|update|delete|merge|values|execute)\b", re.IGNORECASE)
_MOST_LINES = 300


def above(lines: Sequence[str]) -> str | None:
    """Return the statement in the lines above a plan, None where there is none.

    >>> above(["shop=# explain analyze", "shop-# select 1;", "         QUERY PLAN", "----------------"])
    'explain analyze\\nselect 1;'
    """
    near = lines[-_MOST_LINES:]
    if not _WORDS.search("\n".join(near)):
        return None
    plain = [line for line in unframed(near) if not is_frame(line)]
    return _logged(plain) or _typed([_PROMPT.sub("", line) for line in plain])


def _logged(lines: Sequence[str]) -> str | None:
    found = [(at, m) for at, line in enumerate(lines) if (m := _QUERY_TEXT.match(line))]
    if not found:
        return None
    at, first = found[-1]
    rest = list(lines[at + 1 :])
    end = next((place for place, line in enumerate(rest) if _PARAMETERS.match(line)), len(rest))
    return "\n".join([first["text"], *rest[:end]]).strip() or None


def _typed(lines: Sequence[str]) -> str | None:
    begins = [at for at, line in enumerate(lines) if _BEGINS.match(line)]
    if not begins:
        return None
    explains = [at for at in begins if lines[at].lstrip()[:7].lower() == "explain"]
    last_end = max((at for at, line in enumerate(lines[:-1]) if line.rstrip().endswith(";")), default=-1)
    start = next(
        (at for at in explains[-1:] if at > last_end), next((at for at in begins if at > last_end), begins[-1])
    )
    return "\n".join(lines[start:]).strip() or None
