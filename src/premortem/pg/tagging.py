"""The mark on our own statements, by which anybody who reads pg_stat_statements knows them as premortem's.

It stands after the first word: since PostgreSQL 18 an entry's text begins with the statement, without the comments
before it.
"""

from __future__ import annotations

import re

_FIRST_WORD = re.compile(r"\s*[A-Za-z]+(?=\s)")


def tag_of(purpose: str) -> str:
    """Return the comment that marks statements of a purpose."""
    return f" /* premortem/{purpose} */"


def tagged(sql: str, tag: str) -> str:
    """Return a statement with a tag after its first word, before it where it begins with something else.

    >>> tagged("SELECT 1", tag_of("watch")), tagged("(SELECT 1)", tag_of("watch"))
    ('SELECT /* premortem/watch */ 1', ' /* premortem/watch */(SELECT 1)')
    """
    word = _FIRST_WORD.match(sql)
    end = word.end() if word else 0
    return sql[:end] + tag + sql[end:]
