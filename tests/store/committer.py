"""A process that commits without end and says what was kept, to be killed at any moment.

committer.py DSN-or-folder FIRST
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from pathlib import Path

from premortem import store
from premortem.model import Event
from tests.store.made import NOON, POLL, change, delta, statements

STATEMENTS = 20
KNOWN = statements(*range(STATEMENTS))


def opened(where: str) -> AbstractContextManager[store.Store]:
    return store.open(None, directory=Path(where)) if where.startswith("/") else store.open(where)


def commit(found: store.Store, number: int) -> None:
    """Keep the outcome of poll `number`: everything that a commit has, once."""
    at = NOON + number * POLL
    found.commit(
        "db-1",
        at=at,
        checkpoint=number,
        changes=[change(subject=f"{number:06}")],
        deltas=[delta(one, at) for one in range(STATEMENTS)],
        statements=KNOWN,
        events=[Event(id=f"poll-{number}", at=at, kind="poll", payload={"number": number})],
        channels=["slack"],
    )


def main(where: str, first: str) -> None:
    with opened(where) as found:
        number = int(first)
        while True:
            commit(found, number)
            print(number, flush=True)
            number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
