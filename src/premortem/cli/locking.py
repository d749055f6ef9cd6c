"""The lock as a file: where it is, what the base branch's says, how sites are written in it, and writing it."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from premortem import baseline, check, words
from premortem.baseline import DEFAULT_FILE, Lock
from premortem.cli import output
from premortem.cli.inputs import Inputs
from premortem.errors import InputError, UsageError
from premortem.model import Accepted, Query, Site

#: Places of queries that are no files: `<stdin>`, `pg_stat_statements`, `command line`, a capture without call sites.
_NO_FILE = re.compile(r"<.*>\Z|pg_stat_statements\b|command line\Z|capture\Z")


#: So many of the queries that were forgotten are named.
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFile:
    """A lock and where it lies; `lock` is None where there is none yet."""

    path: Path
    lock: Lock | None = None
    text: str = ""

    def place(self, site: Site) -> Site:
        """Return a site as the lock writes it: seen from the lock's folder, so that every checkout writes the same.

        Where there is no file, a line is the number of a statement in one run.
        """
        if _NO_FILE.match(site.source):
            return replace(site, line=None)
        seen = os.path.relpath(site.source, self.path.parent)
        return replace(site, source=seen.replace(os.sep, "/"))

    def site(self, name: str) -> Site:
        """Return where in the lock a query stands."""
        found = self.text.find(f"[query.{name}]")
        line = self.text.count("\n", 0, found) + 1 if found >= 0 else None
        return Site(source=os.path.relpath(self.path), line=line)


def lock_file(arguments: argparse.Namespace, *, writes: bool = False) -> LockFile | None:
    """Return the lock that the arguments name, or that lies here; None where nothing is to be compared with one.

    Raises InputError where it cannot be read, UsageError where one is named that is not there.
    """
    if arguments.no_lock:
        return None
    path = arguments.lock or Path(DEFAULT_FILE)
    if not path.exists():
        if arguments.lock and not writes:
            raise UsageError(f"{path} does not exist", hint=f"write it: premortem adopt --lock {path} …")
        output.check(str(path))
        return LockFile(path=path) if writes else None
    text = _text(path)
    return LockFile(path=path, lock=baseline.parse(text, str(path)), text=text)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start})", hint="take it from git again") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def known(file: LockFile | None, inputs: Inputs, *, skips: bool = True) -> check.Known:
    """Return what queries are compared with: the lock here, or where git is asked, the lock and files of the base."""
    here = file.lock if file is not None else None
    accepted = here.queries if here is not None else {}
    settings = here.settings if here is not None else ()
    if inputs.changes is None:
        lock = accepted if file is not None else None
        return check.Known(lock=lock, accepted=accepted, settings=settings, skips=skips)
    old = _of_base(file, inputs)
    base = check.Base(queries=inputs.changes.queries_before(), is_touched=_touched(inputs))
    return check.Known(
        lock=old.queries if old is not None else None,
        accepted=accepted,
        base=base,
        settings=old.settings if old is not None else (),
        skips=skips,
    )


def _of_base(file: LockFile | None, inputs: Inputs) -> Lock | None:
    """Return the lock as it was where the branch began; what the branch adds to it is new all the same."""
    text = inputs.changes.text_before(file.path) if file is not None and inputs.changes is not None else None
    return baseline.parse(text, f"{file.path} of the base branch") if text is not None and file is not None else None


def _touched(inputs: Inputs) -> Callable[[str], bool | None]:
    """Return what says of a source whether the branch touches it: only plain files can be told by git."""
    assert inputs.changes is not None
    touched = {source: inputs.changes.touches(source) for source in inputs.files if not _NO_FILE.match(source)}
    return touched.get


def seer(arguments: argparse.Namespace, file: LockFile, inputs: Inputs) -> Callable[[Accepted], bool]:
    """Return what says of an accepted query whether this run would have met it, so that it is gone if it did not."""
    captured = inputs.is_whole and any(isinstance(q, Query) and q.executions is not None for q in inputs.queries)
    folder = file.path.parent
    given = [os.path.relpath(p, folder).replace(os.sep, "/") for p in arguments.paths if p != "-"]

    def sees(was: Accepted) -> bool:
        if was.is_captured:
            return captured
        if _NO_FILE.match(was.site.source):
            return bool(arguments.workload) if was.site.source.startswith("pg_stat") else "-" in arguments.paths
        inside = any(p in (".", was.site.source) or was.site.source.startswith(f"{p}/") for p in given)
        return inside or (bool(given) and not (folder / was.site.source).exists())

    return sees


def forgetter(
    sees: Callable[[Accepted], bool], file: LockFile, gone: Mapping[str, Accepted], *, adopts: bool
) -> Callable[[Accepted], bool]:
    """Return what says whether the lock forgets a query that nobody asks any more.

    A part of a test suite passes as the whole does, so only a person who adopts forgets what a suite asked, and not
    with a run that asked less than half of it.
    """
    captured = [n for n, a in (file.lock.queries if file.lock is not None else {}).items() if a.is_captured]
    is_whole = adopts and 2 * sum(n in gone for n in captured) <= len(captured)
    return lambda was: sees(was) and (is_whole or not was.is_captured)


def write(file: LockFile, lock: Lock, gone: Sequence[Accepted] = ()) -> str:
    """Write the lock and return in a few lines what changed in it; `gone` is what this run did not meet any more.

    Raises PremortemError where it cannot be written.
    """
    text = baseline.render(lock)
    if text != file.text:
        output.write(text, str(file.path))
    old = file.lock.queries if file.lock is not None else {}
    forgotten = {n for n, a in old.items() if a in gone} - lock.queries.keys()
    kept = [n for n, a in old.items() if a in gone and n in lock.queries]
    return "\n".join([f"{file.path}: {_changed(old, lock.queries)}", *_gone([old[n] for n in forgotten], kept)])


def _gone(forgotten: Sequence[Accepted], kept: Sequence[str]) -> Iterator[str]:
    """Yield what became of the queries that nobody asks any more."""
    if forgotten:
        shown = sorted(words.one_line(str(a.site)) for a in forgotten)
        many = words.plural(len(forgotten), "query", "queries")
        yield f"  forgot {many} that this run did not meet any more: {words.listing(shown, most=_NAMED)}"
    if kept:
        many = words.plural(len(kept), "captured query", "captured queries")
        yield f"  kept {many} that this run did not ask; premortem adopt with the whole suite forgets them"


def _changed(old: Mapping[str, Accepted], new: Mapping[str, Accepted]) -> str:
    counts = (
        (len(new.keys() - old.keys()), "added"),
        (sum(1 for n in new.keys() & old.keys() if new[n] != old[n]), "changed"),
        (len(old.keys() - new.keys()), "removed"),
    )
    said = [f"{count:,} {word}" for count, word in counts if count]
    return ", ".join([words.plural(len(new), "query", "queries"), *(said or ["nothing changed"])])
