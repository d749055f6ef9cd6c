"""Profiles of the instances that are watched, kept fresh in a folder: what was there before it hurt.

A diagnosis reads the statement's tables as they are now and builds the twin of these, so it needs no profile to be
quick.  The kept one answers what the live server cannot: which index was there yesterday, how large a table was last
month, and everything when nobody can connect.  With sizes from every refresh, growth has a history.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from premortem import pg
from premortem.diagnosis.offender import Sizes
from premortem.errors import InputError, ProfileError
from premortem.model import Profile, RelationName, Values

#: Read again no sooner than this, however much DDL runs.
_LEAST_APART = timedelta(minutes=10)
_TIMEOUT = timedelta(seconds=30)
#: Profiles that are held in memory: those of the last diagnoses.
_HELD = 4
#: The history of sizes keeps every refresh of this long, and one a day of what is older.
_EVERY = timedelta(days=2)
_MOST_LINES = 500
_LEAST_ROWS, _MOST_TABLES = 1_000, 500
_PROFILE, _SIZES = "newest.profile", "sizes.jsonl"


class Profiles:
    """The kept profiles of a folder, by instance and database.  For any number of threads."""

    def __init__(self, directory: Path, *, hours: float = 6.0, values: Values = Values.LOW_CARDINALITY) -> None:
        self._directory = directory
        self._apart = timedelta(hours=hours)
        self._values = values
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], tuple[int, Profile]] = {}
        self._tried: dict[tuple[str, str], datetime] = {}
        self._changed: set[tuple[str, str]] = set()

    def profile(self, instance: str, database: str) -> Profile | None:
        """Return the kept profile, None where there is none that can be read."""
        path = self._folder(instance, database) / _PROFILE
        try:
            written = path.stat().st_mtime_ns
        except OSError:
            return None
        with self._lock:
            held = self._held.get((instance, database))
        if held is not None and held[0] == written:
            return held[1]
        from premortem import catalog

        try:
            found = catalog.read(path)
        except (InputError, ProfileError):  # of a newer premortem, or half gone: the next refresh makes it good
            return None
        self._hold(instance, database, written, found)
        return found

    def sizes(self, instance: str, database: str) -> tuple[Sizes, ...]:
        """Return how many rows the tables had, at each time that is remembered, the oldest first."""
        try:
            lines = (self._folder(instance, database) / _SIZES).read_text("utf-8", "replace").splitlines()
        except OSError:
            return ()
        return tuple(found for line in lines if (found := _parsed(line)) is not None)

    def changed(self, instance: str, database: str) -> None:
        """Take note of DDL: the profile is due before its time."""
        with self._lock:
            self._changed.add((instance, database))

    def is_due(self, instance: str, database: str, now: datetime) -> bool:
        """Whether the profile is to be read again: it is too old, its schema has changed, or reading it failed."""
        key = (instance, database)
        with self._lock:
            tried, changed = self._tried.get(key), key in self._changed
        if tried is None:
            tried = self._taken_at(instance, database)
        if tried is None or now < tried:  # never, or a clock was set
            return True
        return now - tried >= (min(_LEAST_APART, self._apart) if changed else self._apart)

    def refresh(self, instance: str, database: str, dsn: str, now: datetime) -> Profile:
        """Read the profile from the server, keep it, and return it.

        Raises what connecting and reading raise; the kept profile then stays, and is due again in ten minutes.
        """
        from premortem import catalog

        key = (instance, database)
        with self._lock:
            self._tried[key] = now
            self._changed.add(key)  # until it succeeds: what failed is tried again soon
        with pg.session(dsn, purpose="profile", database=database or None, statement_timeout=_TIMEOUT) as session:
            # Whoever watches knows what runs; to read it again is most of a pull's cost, on the server and here.
            found = catalog.pull(session, values=self._values, queries=False)
        folder = self._folder(instance, database)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / _PROFILE
        catalog.write(found, path)
        self._hold(instance, database, path.stat().st_mtime_ns, found)
        self._remember(folder / _SIZES, (*self.sizes(instance, database), _sizes(found)))
        with self._lock:
            self._changed.discard(key)
        return found

    def _taken_at(self, instance: str, database: str) -> datetime | None:
        found = self.profile(instance, database)
        return found.taken_at if found else None

    def _hold(self, instance: str, database: str, written: int, found: Profile) -> None:
        with self._lock:
            self._held.pop((instance, database), None)
            self._held[instance, database] = (written, found)
            for key in list(self._held)[:-_HELD]:
                del self._held[key]

    def _remember(self, path: Path, sizes: Iterable[Sizes]) -> None:
        """Write the history of sizes, whole or not at all."""
        part = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
        try:
            part.write_text("".join(f"{_written(s)}\n" for s in thinned(sizes)), "utf-8")
            part.replace(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                part.unlink()

    def _folder(self, instance: str, database: str) -> Path:
        """The folder of a database: legible, and another one for every name whatever is in it."""
        digest = hashlib.sha256(f"{instance}\0{database}".encode()).hexdigest()[:12]
        legible = re.sub(r"[^A-Za-z0-9_.-]", "_", f"{instance}-{database}")[:60].lstrip(".")
        return self._directory / "profiles" / f"{legible}-{digest}"


def thinned(sizes: Iterable[Sizes]) -> tuple[Sizes, ...]:
    """Return the sizes with one a day of those that are older than two days before the newest."""
    ordered = sorted(sizes, key=lambda s: s.at)
    if not ordered:
        return ()
    recent = ordered[-1].at - _EVERY
    days = {s.at.date(): s for s in reversed(ordered) if s.at < recent}
    return (*sorted(days.values(), key=lambda s: s.at), *(s for s in ordered if s.at >= recent))[-_MOST_LINES:]


def _sizes(profile: Profile) -> Sizes:
    large = [t for t in profile.tables if t.kind.has_storage and t.rows >= _LEAST_ROWS]
    large.sort(key=lambda t: -t.rows)
    return Sizes(at=profile.taken_at, rows=MappingProxyType({t.relation: t.rows for t in large[:_MOST_TABLES]}))


def _written(sizes: Sizes) -> str:
    rows = [[name.schema, name.name, round(rows)] for name, rows in sizes.rows.items()]
    return json.dumps({"at": sizes.at.isoformat(), "rows": rows}, separators=(",", ":"))


def _parsed(line: str) -> Sizes | None:
    """Return the sizes of a line, None for one that a full disk or an editor spoilt."""
    try:
        told = json.loads(line)
        at = datetime.fromisoformat(told["at"])
        rows = {RelationName(schema=str(s), name=str(n)): float(rows) for s, n, rows in told["rows"]}
    except (ValueError, KeyError, TypeError):
        return None
    return Sizes(at=at, rows=MappingProxyType(rows)) if at.tzinfo is not None else None
