"""Runs a suite on a server of our own and collects what it did there.

```
run
├── server.recording     a server that logs every statement
├── watching.Watcher     a thread that sees the schemas
├── _Reader              a thread that reads the log while it grows
└── suite.run            the command, unchanged
```
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from premortem.capture import counted, following, logs, plugging, suite, target, watching
from premortem.capture.captured import Capture, Schema, captured
from premortem.capture.reading import Counter
from premortem.capture.server import Recorder, Wanted, recording
from premortem.capture.units import Told, Units, WithoutTests
from premortem.errors import CommandError
from premortem.model import Gap

_PRIORITY = 5  # as `nice` counts
_BEHIND = 1.0  # seconds: a test tells of its connections when it ends


def run(
    command: Sequence[str],
    *,
    wanted: Wanted | None = None,
    templates: Sequence[str] = (),
    timeout: float | None = None,
    plugin: bool = True,
    stdout: int | None = None,
    inherited: Mapping[str, str] = os.environ,
) -> Capture:
    """Run a suite's command on a new server and return what it did there.

    `templates` are `NAME=TEXT` variables for it, with `{dsn}` and its parts filled in; `timeout` is in
    seconds, and `stdout` the file descriptor for its output in place of ours.
    Raises CommandError where it could not be run or somebody interrupted it, InstallationError without a PostgreSQL.
    """
    began = datetime.now(UTC)
    with recording(wanted or Wanted()) as recorder, _plugin(wanted=plugin) as folder:
        given = target.environment(recorder.target, inherited, templates)
        if folder is not None:
            given |= plugging.environment(folder, given)
        with _watched(recorder) as watcher, _read(recorder, folder) as reader:
            ending = suite.run(command, given, timeout=timeout, stdout=stdout)
            if ending.asked is not None:
                raise CommandError("interrupted, and nothing was captured", status=128 + ending.asked)
            recorder.flush()
        return replace(
            captured(reader.found, began, reader.executed),
            command=tuple(command),
            exit_status=ending.status,
            timed_out=ending.timed_out,
            server_version=recorder.server.installation.version,
            schemas=tuple(Schema(databases=names, profile=profile) for names, profile in watcher.schemas),
            gaps=(*_unwatched(watcher), *(_missing(name, recorder) for name in watcher.missing_extensions)),
        )


def _unwatched(watcher: watching.Watcher) -> tuple[Gap, ...]:
    if watcher.problem is None:
        return ()
    return (
        Gap(
            subject="the suite's schema",
            says=f"It could not be watched to the end: {watcher.problem}.",
            effect="Tables that were made later are missing.",
        ),
    )


def _missing(extension: str, recorder: Recorder) -> Gap:
    return Gap(
        subject=f"extension {extension}",
        says=f"The suite asked for it, and PostgreSQL {recorder.server.installation.version} here does not have it.",
        effect="What the suite would have built with it is missing.",
        cure="install a PostgreSQL that has it, and name its version with --pg MAJOR",
    )


def _plugin(*, wanted: bool) -> AbstractContextManager[Path | None]:
    return plugging.plugged() if wanted else nullcontext()


@contextmanager
def _watched(recorder: Recorder) -> Iterator[watching.Watcher]:
    watcher = watching.Watcher(recorder.server, recorder.log, recorder.form, begins=recorder.begins)
    watcher.start()
    try:
        yield watcher
    finally:
        watcher.stop()


class _Reader:
    """A thread that turns a growing log into queries."""

    def __init__(self, recorder: Recorder, units: Units) -> None:
        self._recorder = recorder
        self._units = units
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="premortem-reader", daemon=True)
        self._failed: BaseException | None = None
        self._found: logs.Gathered | None = None
        self._counter = Counter()

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read to the log's end."""
        self._stop.set()
        self._thread.join()

    @property
    def found(self) -> logs.Gathered:
        """What it found, once it has stopped."""
        if self._failed is not None or self._found is None:
            raise self._failed or RuntimeError("the log was not read to its end")
        return self._found

    @property
    def executed(self) -> int:
        """How many executions it read."""
        return self._counter.calls

    def _run(self) -> None:
        _give_way()
        try:
            recorder = self._recorder
            lines = following.lines(recorder.log, self._stop, begins=recorder.begins, behind=_BEHIND)
            executed = chain(logs.read(lines, form=recorder.form), counted.nested(recorder.server))
            self._found = logs.gather(self._counter.of(executed), self._units, source="capture")
        except BaseException as error:  # noqa: BLE001  # it is raised where somebody waits for us
            self._failed = error


def _give_way() -> None:
    """Let the suite go first where there are fewer cores than work; only Linux has that for a single thread."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _PRIORITY)


@contextmanager
def _read(recorder: Recorder, folder: Path | None) -> Iterator[_Reader]:
    reader = _Reader(recorder, Told(folder) if folder is not None else WithoutTests())
    reader.start()
    try:
        yield reader
    finally:
        reader.stop()
