"""`premortem diagnose`: what hurts on a server now, why, and what to type; without a daemon, in seconds."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from premortem import diagnosis, words
from premortem.cli import output
from premortem.cli.configured import settings_of
from premortem.errors import InputError, PremortemError, UsageError
from premortem.model import Deploy, Gap, Now, codec
from premortem.report import now as report
from premortem.settings import DEFAULT_FILE, Instance, Settings

if TYPE_CHECKING:
    from premortem.secrets import Secrets

#: How far back deploys matter.
_SINCE = timedelta(days=365)
#: Seconds for all of it, and for the worst alone where that is not enough.
_BUDGET, _WORST = 4.0, 10.0
_CLEAR = "\x1b[H\x1b[2J"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """The server to look at: by its DSN, or as the settings name it."""

    dsn: str
    name: str
    poolers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    services: tuple[str, ...] = ()


def run(arguments: argparse.Namespace) -> int:
    """Look at a server and show what hurts: once, or again and again."""
    settings = settings_of(arguments.settings)
    target = _target(arguments, settings)
    wanted = diagnosis.Wanted(
        seconds=arguments.seconds,
        limit=arguments.limit,
        budget=_BUDGET if arguments.budget is None else arguments.budget,
        worst=_WORST if arguments.budget is None else 0.0,
        show_values=arguments.show_values,
        settings=settings,
        ledger=diagnosis.Ledger(deploys=_deploys(arguments.deploys), services=target.services),
    )
    with _remembered(wanted, settings, arguments.settings, target) as (told, gaps), _opened(target) as reader:
        if arguments.watch is not None:
            return _again(arguments, lambda: _look(reader, target, told, gaps))
        found = _look(reader, target, told, gaps)
    output.write(report.render(found, arguments.format, look=output.look()))
    return found.verdict.exit_code


def _opened(target: _Target) -> contextlib.AbstractContextManager[diagnosis.Reader]:
    return diagnosis.opened(target.dsn, target.name, poolers=target.poolers)


def _look(reader: diagnosis.Reader, target: _Target, wanted: diagnosis.Wanted, gaps: tuple[Gap, ...]) -> Now:
    found = diagnosis.look(reader, target.dsn, wanted)
    return replace(found, gaps=(*found.gaps, *gaps))


def _again(arguments: argparse.Namespace, look: Callable[[], Now]) -> int:
    """Look until somebody stops it; a server that goes away in between is said, and looked for again."""
    code = 3
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            try:
                found = look()
            except PremortemError as error:
                shown, code = f"{words.one_line(error.message)}\n", 3
            else:
                shown, code = report.render(found, arguments.format, look=output.look()), found.verdict.exit_code
            clear = _CLEAR if arguments.format == "terminal" and sys.stdout.isatty() else ""
            output.write(clear + shown)
            time.sleep(arguments.watch)
    return code


def _target(arguments: argparse.Namespace, settings: Settings) -> _Target:
    """Return the server that was named: an instance of the settings, or a connection string."""
    typed = arguments.dsn.strip()
    if not typed:  # libpq would take it for whatever server is nearest
        raise UsageError("the connection string is empty", hint="is the variable that holds it set?")
    poolers = {f"pooler {n}": dsn for n, dsn in enumerate(arguments.pooler or (), start=1)}
    instance = next((i for i in settings.watching.instances if i.name == typed), None)
    if instance is None:
        return _Target(dsn=typed, name="this server", poolers=poolers)
    return _of_settings(instance, _secrets(arguments.settings), poolers)


def _secrets(path: Path | None) -> Secrets:
    from premortem.secrets import Secrets

    return Secrets.of((path or Path(DEFAULT_FILE)).absolute().parent)


def _of_settings(instance: Instance, secrets: Secrets, poolers: Mapping[str, str]) -> _Target:
    known = {p.name: secrets.read(p.dsn, f"the connection string of {p.name}") for p in instance.poolers}
    dsn = secrets.read(instance.dsn, f"the connection string of {instance.name}")
    return _Target(dsn=dsn, name=instance.name, poolers=known | dict(poolers), services=instance.services)


def _deploys(path: Path | None) -> tuple[Deploy, ...]:
    """Return the deploys of a file: what `premortem deploy list --format json` writes, or one object a line."""
    if path is None:
        return ()
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    try:
        told = json.loads(text) if text.lstrip().startswith("[") else [json.loads(t) for t in text.splitlines() if t]
        found = [codec.decode(Deploy, item) for item in told]
    except (ValueError, codec.Misfit) as error:
        hint = 'write a list of {"service": …, "revision": …, "at": "2026-01-31T14:03:00+00:00"}'
        raise InputError(f"{path} holds no deploys: {error}", hint=hint) from error
    return tuple(found)


@contextlib.contextmanager
def _remembered(
    wanted: diagnosis.Wanted, settings: Settings, path: Path | None, target: _Target
) -> Iterator[tuple[diagnosis.Wanted, tuple[Gap, ...]]]:
    """Yield what is wanted with the watcher's memory, where the settings name its store and it answers."""
    known = settings.watching
    if not (known.store.said or known.store.env or known.store.file or known.state_directory):
        yield wanted, ()
        return
    from premortem.cli import watching

    with contextlib.ExitStack() as stack:
        try:
            store = stack.enter_context(watching.opened_store(known, _secrets(path)))
            deploys = store.deploys(since=None)
        except PremortemError as error:
            yield wanted, (_forgotten(error),)
            return

        def first_seen(fingerprint: str) -> tuple[datetime | None, bool]:
            try:
                return store.first_seen([fingerprint], target.name).get(fingerprint), True
            except PremortemError:  # the store went away since; the server's own counters know a little
                return None, True

        ledger = replace(wanted.ledger, deploys=(*deploys, *wanted.ledger.deploys))
        yield replace(wanted, ledger=ledger, first_seen=first_seen), ()


def _forgotten(error: PremortemError) -> Gap:
    return Gap(
        subject="the watcher's memory",
        says=f"The store was not read: {error.message}.",
        effect="When a statement was first seen, and what was shipped before, is not known.",
        cure=error.hint or "",
    )
