"""Where queries come from: files and folders, standard input, one string, production's own workload.

    read(paths, stdin=…, profile=…) -> Query | Unreadable …
    text(sql, site)                 -> Query | Unreadable …
    workload(profile)               -> Query | Unreadable …

A file that is no text is the user's mistake and raises InputError; a statement that is no SQL is `Unreadable`.
"""

from premortem.sources.files import read
from premortem.sources.texts import text
from premortem.sources.workload import workload

__all__ = ["read", "text", "workload"]
