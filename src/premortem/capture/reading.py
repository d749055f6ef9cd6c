"""Makes a capture of logs and dumps that are there already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain

from premortem.capture import logs
from premortem.capture.captured import Capture, captured
from premortem.capture.executed import Executed
from premortem.model import Gap


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
    cut: list[str] = []
    executed = chain.from_iterable(_of(path, prefix, cut) for path in paths)
    found = logs.gather(counter.of(executed), source=", ".join(paths))
    return replace(captured(found, datetime.now(UTC), counter.calls), gaps=tuple(map(_cut_off, cut)))


def _cut_off(path: str) -> Gap:
    return Gap(
        subject=f"log {path}",
        says="The compressed file is cut off or damaged, and was read as far as it goes.",
        effect="What was logged after that is missing.",
        cure="copy the file again",
    )


def _of(path: str, prefix: str | None, cut: list[str]) -> Iterator[Executed]:
    with logs.opened(path) as lines:
        yield from logs.read(lines, prefix=prefix)
        if lines.is_cut:
            cut.append(path)
