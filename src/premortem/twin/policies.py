"""What a setting of the application holds while row-level security policies are planned.

A policy such as `tenant = current_setting('app.tenant')::int` cannot be planned before the application has set it.
The value decides how much a policy leaves, so it is one that the column really has: with one that no row has, every
index on the column would look as good as a primary key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from premortem.model import Column, Policy, Profile, Table

#: Where the statistics know nothing: a number, a UUID, a date, an empty text.
_MADE_UP = ("1", "00000000-0000-0000-0000-000000000001", "2026-01-01", "")


def values(setting: str, profile: Profile) -> Iterator[str]:
    """Yield what a setting may hold, likely values first; one of the wrong type is refused by the server."""
    for table in profile.tables:
        for policy in table.policies:
            if f"'{setting}'" in _text(policy):
                yield from _values_of(table, policy)
    yield from _MADE_UP


def _values_of(table: Table, policy: Policy) -> Iterator[str]:
    text = _text(policy)
    for column in table.columns:
        if re.search(rf"(?<![\w.'])\"?{re.escape(column.name)}\"?(?![\w.'])", text):
            yield from _common_value(column)


def _common_value(column: Column) -> Iterator[str]:
    for known in column.statistics:
        bounds = known.histogram_bounds or ()
        found = known.most_common_values or bounds[len(bounds) // 2 :]
        yield from found[:1]


def _text(policy: Policy) -> str:
    return f"{policy.using or ''} {policy.check or ''}"
