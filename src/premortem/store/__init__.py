"""What watching must never forget: state, alerts, deploys, events and history, in PostgreSQL.

Words: a *commit* is everything that one poll leads to, kept in one transaction; a *checkpoint* is what a watcher goes
on from; the *registry* knows when a statement was first seen, and never forgets; the *outbox* holds the letters that
channels are to be sent; a *lease* lets one of several watchers have an instance.

    open(dsn, directory)          a store: a database of yours, or an embedded server in a state directory
    ├── saved, commit             the watcher: from where it was, to where it is       committing, recording
    ├── lease, release, maintain  several watchers; partitions and roll-up             maintaining, days
    ├── pending, delivered, …     model.Outbox                                         outbox
    ├── record, deploys           the ledger of deploys                                ledger
    └── first_seen, find, history, baselines, events, alerts                           past
    default_directory()           where state lives where nobody says

It refuses to be used by an older premortem than the one that migrated it, and to lose anything quietly: what it cannot
keep is a StoreError, and the caller still has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from premortem.store.link import Link
from premortem.store.places import default_directory, place
from premortem.store.store import KEEP, Store
from premortem.store.values import Known, Maintained, Saved, Step

__all__ = [
    "KEEP",
    "Known",
    "Maintained",
    "Saved",
    "Step",
    "Store",
    "default_directory",
    "open",
]


@contextmanager
def open(
    dsn: str | None = None, *, directory: Path | None = None, create: bool = True, lazy: bool = False
) -> Iterator[Store]:
    """A store: in the database of the DSN, else on an embedded server in the directory, else in the usual directory.

    Without `create`, a directory that holds no state is an error.  A `lazy` one connects at its first use, so that a
    watcher can begin while its store is down.  Raises StoreError.
    """
    link = Link(place(dsn, directory, create=create))
    try:
        if not lazy:
            with link.session():
                pass
        yield Store(link)
    finally:
        link.close()
