"""What the daemon says of itself: one line per happening on standard error, as `key=value`, without any secret.

Whoever runs it reads these lines in journald or a container's log, and greps them; no library's format is needed for
that.  Every value passes through one place, which takes out secrets and whatever a terminal would obey.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO

from premortem import words
from premortem.errors import PremortemError
from premortem.secrets import hide

_BARE = re.compile(r"[\w.:/@%+,-]+\Z", re.ASCII)
#: A hostile name or an error that repeats a statement must not fill a disk.
_LONGEST = 1000


class Journal:
    """A stream of lines that any thread may write to; `now` is the clock of their times."""

    def __init__(self, stream: IO[str] | None = None, *, now: Callable[[], datetime] | None = None) -> None:
        self._stream = stream
        self._now = now or _now
        self._lock = threading.Lock()
        self._hidden: tuple[str, ...] = ()

    def hide(self, parts: tuple[str, ...]) -> None:
        """Leave these texts out of everything that is said from now on, and those named before, too."""
        with self._lock:
            self._hidden = tuple(sorted({*self._hidden, *parts}, key=len, reverse=True))

    def say(self, event: str, /, **facts: object) -> None:
        """Say that something happened."""
        self._write("info", event, facts)

    def warn(self, event: str, /, **facts: object) -> None:
        """Say that something is not as it should be, and what is done about it."""
        self._write("warning", event, facts)

    def fail(self, event: str, error: Exception, /, **facts: object) -> None:
        """Say that something failed: with the error's sentence and hint, or its kind where it is none of ours."""
        hint = error.hint if isinstance(error, PremortemError) else None
        said = error.message if isinstance(error, PremortemError) else f"{type(error).__name__}: {error}"
        self._write("error", event, {**facts, "says": said, **({"hint": hint} if hint else {})})

    def clean(self, text: str) -> str:
        """Return a text without secrets."""
        return hide(text, self._hidden)

    def _write(self, level: str, event: str, facts: dict[str, object]) -> None:
        said = " ".join(f"{key}={quoted(self.clean(str(value)))}" for key, value in facts.items())
        time = self._now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"time={time} level={level} event={event} {said}".rstrip()
        stream = self._stream or sys.stderr
        with self._lock:
            try:
                stream.write(line + "\n")
                stream.flush()
            except (OSError, ValueError):  # nobody listens any more: watching goes on all the same
                return


def quoted(value: str) -> str:
    """Return a value as it stands in a line: bare where it can be, else in double quotes.

    >>> quoted("db-1"), quoted("it said no"), quoted("")
    ('db-1', '"it said no"', '""')
    """
    shown = words.one_line(words.plain(value))
    shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
    return shown if _BARE.match(shown) else json.dumps(shown, ensure_ascii=False)


def _now() -> datetime:
    return datetime.now(UTC)
