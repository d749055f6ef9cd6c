"""Makes a capture of logs and dumps that are there already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain

from premortem.capture import logs
from premortem.capture.captured import Capture, captured
from premortem.capture.executed import Executed


class Counter:
    """Counts executions as they pass."""

    def __init__(self) -> None:
        self.calls = 0

    def of(self, executed: Iterable[Executed]) -> Iterator[Executed]:
        """Yield them as they are."""
        for one in executed:
            self.calls += one.calls
            yield one


def from_logs(paths: Sequence[str], *, prefix: str | None = None) -> Capture:
    """Return what logs and dumps of pg_stat_statements say; `-` is standard input, `prefix` the log_line_prefix.

    Raises InputError for what cannot be read or is none of these.
    """
    counter = Counter()
    executed = chain.from_iterable(_of(path, prefix) for path in paths)
    found = logs.gather(counter.of(executed), source=", ".join(paths))
    return captured(found, datetime.now(UTC), counter.calls)


def _of(path: str, prefix: str | None) -> Iterator[Executed]:
    with logs.opened(path) as lines:
        yield from logs.read(lines, prefix=prefix)
