"""The first premortem.toml: what this repository needs, and what else can be said, commented out."""

from __future__ import annotations

import json

from premortem.repository.seen import Seen

_HEAD = """\
# What premortem check fails, warns of and leaves alone.  Every key: docs/reference/settings.md
# A query can be excused where it stands:
#   -- premortem: allow deep-offset (weekly export) until 2027-01-31
# What is there already is accepted with `premortem adopt`, so that only what is new is judged.

[rules]
# deep-offset = "warn"                  # "fail", "warn", "info" or "off"
# over-budget = "warn"

"""

_PATHS = """\
# Other settings for some files; patterns as in .gitignore, the last entry that matches decides.
# [[paths]]
# match = {example}
# at_most = "warn"                      # nothing fails there

"""

_BUDGETS = """\
# What a query may read, for the parameters for which it reads most.
# [[budgets]]
# rows_read = 1_000_000
#
# [[budgets]]
# query = "yearly_export"               # a query's name or fingerprint; also: path, table
# rows_read = 50_000_000

"""

_OWNERS = """\
# Whom to ask, named in the report.
# [[owners]]
# path = {example}
# owners = ["@your-org/your-team"]

"""

_TABLES = """\
# Rows that a table will have that production does not have yet.
# [tables."public.new_table"]
# rows = 5_000_000
"""


def text(seen: Seen) -> str:
    """Return the settings file."""
    example = json.dumps(f"{seen.queries[0]}/reports/**" if seen.queries else "reports/**", ensure_ascii=False)
    return _HEAD + _PATHS.format(example=example) + _BUDGETS + _OWNERS.format(example=example) + _TABLES
