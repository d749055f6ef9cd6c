"""What to type next when the twin's server refuses a query.

The server says what is wrong with the text.  It cannot know why a name is missing: that the change's migrations create
it, that production has it in another schema, or that the profile was pulled before it was there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from premortem.errors import StatementError
from premortem.model import Profile, Query

_TABLE, _COLUMN, _SCHEMA, _FUNCTION, _OBJECT = "42P01", "42703", "3F000", "42883", "42704"
#: PostgreSQL has two for a parameter's type: it knows none, or what it knows does not fit every use.
INDETERMINATE = ("42P18", "42P08")
_AMBIGUOUS = "42725"
_RELATION = re.compile(r'relation "(.+)" does not exist')
_PARAMETER = re.compile(r"parameter \$(\d+)")
_NULL_TEST = re.compile(r"\$\d+\s+is\s+(?:not\s+)?null\b", re.IGNORECASE)
_CREATED = "if the change creates it, give its migrations: --migrations PATH"
_NEWER = "if production has it by now, pull the profile again"
#: More names than this are a list and no hint.
_MOST_NAMES = 3


def explained(error: StatementError, query: Query, profile: Profile) -> StatementError:
    """Return the server's refusal with what to do about it, after the server's own hint where it gave one."""
    parts = [part for part in (error.hint, *_cures(error, query, profile)) if part]
    hint = "; ".join(part.rstrip(".") for part in parts) or None
    return StatementError(error.message, hint=hint, sqlstate=error.sqlstate, position=error.position)


def without_null_tests(text: str) -> str:
    """Return the text with `$n IS NULL` made a constant, for PostgreSQL takes no type from it.

    >>> without_null_tests("select * from t where $1 is null or a = $1")
    'select * from t where true or a = $1'
    """
    return _NULL_TEST.sub("true", text)


def _cures(error: StatementError, query: Query, profile: Profile) -> Iterator[str]:
    state = error.sqlstate
    if state == _TABLE:
        yield from _of_relation(error.message, profile)
    elif state in (_COLUMN, _SCHEMA):
        yield _CREATED
        yield _NEWER
    elif state in (_FUNCTION, _OBJECT):
        yield _CREATED
        yield "if an extension brings it, install the extension for a local PostgreSQL"
    elif state in INDETERMINATE or (state == _AMBIGUOUS and "unknown" in error.message):
        yield f"write the placeholder's type in the query, such as {_placeholder(error.message, query)}::integer"


def _of_relation(message: str, profile: Profile) -> Iterator[str]:
    match = _RELATION.search(message)
    schema, _, name = match[1].rpartition(".") if match else ("", "", "")
    alike = [t.full_name for t in profile.tables if t.name == name]
    if profile.find_table(name, schema or None):
        yield "production has it, and the twin could not create it: the report's gaps say why"
        return
    if alike and not schema:
        yield f"the profile has {_listed(alike)}: write the schema, or set the role's search_path in production"
        return
    close = alike or get_close_matches(name, {t.name for t in profile.tables}, cutoff=0.8)
    if close:
        yield f"did you mean {_listed(close)}?"
    yield _CREATED
    yield _NEWER


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else shown


def _placeholder(message: str, query: Query) -> str:
    """Return the placeholder that the server complains of, as the query's author wrote it."""
    match = _PARAMETER.search(message)
    number = int(match[1]) if match else 1
    names = query.parameter_names
    name = names[number - 1] if number <= len(names) else None
    return f":{name}" if name else f"${number}"
