"""What the commands of the mirror share: which profile, which rows, and where."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from datetime import UTC, datetime

from premortem import mirror, pg, sources
from premortem.cli.judging import profile_of as read_profile
from premortem.cli.progress import Told
from premortem.errors import InputError, UsageError
from premortem.mirror import Options, Place
from premortem.model import Gap, Profile, Query, Unreadable


def check_target(arguments: argparse.Namespace) -> None:
    """Refuse a connection string that is there and empty: libpq would take it for whatever server is nearest.

    Raises UsageError.
    """
    if arguments.to is not None and not arguments.to.strip():
        raise UsageError("the connection string is empty", hint="is the variable that holds it set?")


def profile_of(arguments: argparse.Namespace) -> tuple[Profile, str]:
    """Return the profile and the digest of its file."""
    return read_profile(arguments.profile)


def options_of(arguments: argparse.Namespace, profile: Profile) -> Options:
    """Return which rows the mirror has.

    Raises InputError where --for names queries that touch no table of the profile.
    """
    tables = None
    if arguments.wanted_by:
        tables = mirror.wanted.tables(_queries(arguments, profile), profile)
        if not tables:
            raise InputError("the queries of --for touch no table of the profile", hint="check the path")
    return Options(
        scale=arguments.scale, rows=arguments.rows, seed=arguments.seed, tables=tables,
        shift_to=_moment(arguments.shift_to),
    )  # fmt: skip


def _queries(arguments: argparse.Namespace, profile: Profile) -> list[Query]:
    found = sources.read([str(p) for p in arguments.wanted_by], stdin=sys.stdin, profile=profile)
    unreadable = next((q for q in found if isinstance(q, Unreadable)), None)
    if unreadable is not None:
        raise InputError(f"{unreadable.site}: {unreadable.says}", hint=unreadable.hint)
    return [q for q in found if isinstance(q, Query)]


def _moment(text: str | None) -> datetime | None:
    """Return the moment that becomes the profile's own: today's midnight for `now`, so that a day's runs are alike."""
    if text is None:
        return None
    if text == "now":
        return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--shift-to {text!r} is no moment", hint="write now, or such as 2027-03-31T12:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def place_of(
    arguments: argparse.Namespace, profile: Profile, options: Options, digest: str, stack: ExitStack, told: Told
) -> tuple[Place, tuple[Gap, ...]]:
    """Return where the mirror is: the target that was named, else a kept server that runs while the stack is open."""
    if arguments.to:
        told(f"connecting to {pg.describe(arguments.to)}")
        return Place(dsn=arguments.to), ()
    told("starting the mirror's server")
    return stack.enter_context(mirror.kept.opened(profile, options, digest=digest))


def finished_place(arguments: argparse.Namespace, profile: Profile, digest: str, stack: ExitStack, told: Told) -> Place:
    """Return where a mirror is that was built before: the target, else the newest that is kept of the profile.

    Raises InputError where none is kept.
    """
    return Place(dsn=arguments.to) if arguments.to else kept_place(profile, digest, stack, told)


def kept_place(profile: Profile, digest: str, stack: ExitStack, told: Told) -> Place:
    """Return where the newest kept mirror of a profile is; its server runs while the stack is open.

    Raises InputError where none is kept.
    """
    told("starting the mirror's server")
    options = mirror.kept.options_of_newest(digest)
    return stack.enter_context(mirror.kept.opened(profile, options, digest=digest))[0]
