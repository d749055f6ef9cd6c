"""Where queries come from: files and folders, standard input, one string, production's own workload.

    read(paths, stdin=…, profile=…) -> Query | Unreadable …
    text(sql, site)                 -> Query | Unreadable …
    workload(profile)               -> Query | Unreadable …
    changed_since(ref)              -> Changes      which files the branch touches, and what stood in them before

A file that is no text is the user's mistake and raises InputError; a statement that is no SQL is `Unreadable`.
"""

from premortem.sources.files import read
from premortem.sources.git import ChangedFile, Changes, changed_since
from premortem.sources.texts import text
from premortem.sources.workload import with_calls, workload

__all__ = ["ChangedFile", "Changes", "changed_since", "read", "text", "with_calls", "workload"]
