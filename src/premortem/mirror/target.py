"""Where a mirror may be built: never in production, never over somebody's data, never on a disk that is too small.

A target is a connection string, or a server of our own.  What is asked of it is gathered in `Facts`, and `refusal`
decides from these alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from premortem import __version__, pg, words
from premortem.errors import PremortemError, ServerError, TargetRefused
from premortem.mirror import space
from premortem.mirror.manifest import Manifest, Stage
from premortem.mirror.options import Options, same_mirror
from premortem.model import Gap, Profile

queries = pg.named_sql("premortem.mirror", "sql/target.sql")

PRODUCTION, STAGING = "production", "staging"
_MARK = f"ALTER DATABASE … SET premortem.role = '{STAGING}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What decides whether a database may become a mirror.

    `role` is the setting `premortem.role`, by which whoever owns a database says what it is.  `free` is the room on
    the disk, None where it cannot be known from here.  A server that is ours is never production, though it has the
    system identifier of every other that was copied from one template.
    """

    database: str
    in_recovery: bool
    read_only: bool
    role: str
    encoding: str
    collate: str
    may_create: bool
    is_mirror: bool
    relations: int
    first_relations: str | None
    is_local: bool
    is_ours: bool = False
    system_identifier: str = ""
    is_superuser: bool = False
    free: int | None = None


def look(db: pg.Session, *, ours: Path | None = None) -> Facts:
    """Return the facts of a target; `ours` is the data directory of a server that is our own."""
    found = db.rows(queries["facts"], Facts)[0]
    identifier = db.value(queries["system identifier"]) if db.value(queries["may read system identifier"]) else ""
    return replace(
        found,
        role=found.role.strip().lower(),
        is_ours=ours is not None,
        system_identifier=str(identifier or ""),
        is_superuser=bool(db.can("be superuser")),
        free=space.free(ours) if ours is not None else _free(db, is_local=found.is_local),
    )


def _free(db: pg.Session, *, is_local: bool) -> int | None:
    """Return the room where a server keeps its files: known where it runs on this machine and tells where they are."""
    if not is_local:
        return None
    try:
        directory = Path(str(db.value(queries["data directory"])))
    except (ServerError, PremortemError):
        return None
    return space.free(directory) if directory.is_absolute() and directory.exists() else None


def refusal(facts: Facts, profile: Profile, found: Manifest | None, wanted: Wanted) -> TargetRefused | None:
    """Return why no mirror of that profile may be built there, None where it may."""
    return _never(facts, profile) or (_taken(facts) if found is None else _other(found, wanted))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which mirror is asked for, and whether to go on with one that was begun."""

    digest: str
    options: Options
    resume: bool = False


def _never(facts: Facts, profile: Profile) -> TargetRefused | None:
    """Why no mirror may ever be built there."""
    if facts.role == PRODUCTION:
        return TargetRefused(
            f"database {facts.database} says that it is production (premortem.role = {PRODUCTION})",
            hint="name another database",
        )
    if facts.in_recovery or facts.read_only:
        what = "is a replica in recovery" if facts.in_recovery else "is read-only"
        return TargetRefused(f"the server {what}, so nothing can be built there", hint="name a primary of its own")
    same = facts.system_identifier and facts.system_identifier == profile.server.system_identifier
    if same and facts.role != STAGING and not facts.is_ours:
        return TargetRefused(
            "that server is the one that the profile was taken from, or a physical copy of it",
            hint=f"build the mirror on another server; where this is a copy made for staging, say so: {_MARK}",
        )
    if not facts.may_create:
        return TargetRefused(
            f"this role may not create anything in database {facts.database}",
            hint=f"GRANT CREATE ON DATABASE {facts.database} TO it, or connect as the owner",
        )
    return None


def _taken(facts: Facts) -> TargetRefused | None:
    if not facts.relations:
        return None
    some = words.plural(facts.relations, "relation")
    return TargetRefused(
        f"database {facts.database} is not empty: it has {some}, such as {facts.first_relations}",
        hint="create an empty database for the mirror: CREATE DATABASE mirror",
    )


def _other(found: Manifest, wanted: Wanted) -> TargetRefused | None:
    again = "drop the database and create it again to build another one there"
    if found.digest != wanted.digest:
        taken = f"{found.taken_at:%Y-%m-%d %H:%M %Z}"
        return TargetRefused(f"that database holds the mirror of another profile, taken {taken}", hint=again)
    if not same_mirror(found.options, wanted.options):
        return TargetRefused("that database holds a mirror of this profile with other options", hint=again)
    if found.stage is not Stage.COMPLETE and found.made_by != __version__:
        return TargetRefused(
            f"premortem {found.made_by} began that mirror, and other versions make other rows", hint=again
        )
    if found.stage is not Stage.COMPLETE and not wanted.resume:
        return TargetRefused(
            f"that database holds a mirror that was not finished (it got as far as the {found.stage.value} stage)",
            hint="go on with it: --resume",
        )
    return None


def too_small(facts: Facts, room: space.Room, present: int = 0) -> TargetRefused | None:
    """Return why the disk is too small, None where it is large enough or its size is not known."""
    left = room.total - present
    if facts.free is None or facts.free >= left:
        return None
    return TargetRefused(
        f"the mirror needs about {words.size(left)} ({words.size(room.tables)} of tables, {words.size(room.indexes)} of"
        f" indexes, {words.size(room.passing)} while it is built) and the disk has {words.size(facts.free)}",
        hint="make room, name another server with --to, or build a smaller one with --scale, --rows or --for",
    )


def gaps(facts: Facts, profile: Profile, room: space.Room) -> tuple[Gap, ...]:
    """Return what makes that database answer otherwise than production, and what cannot be known of it."""
    found = []
    if facts.free is None:
        found.append(
            Gap(
                subject="room on the disk",
                says=f"It cannot be asked from here; the mirror needs about {words.size(room.total)}.",
                effect="Building it may end with a full disk; what is in stays in.",
            )
        )
    if facts.encoding != profile.server.encoding:
        found.append(
            Gap(
                subject=f"encoding {profile.server.encoding}",
                says=f"The target's encoding is {facts.encoding}, production's {profile.server.encoding}.",
                effect="Text may take more or less room.",
                cure=f"CREATE DATABASE … ENCODING '{profile.server.encoding}' TEMPLATE template0",
            )
        )
    if facts.collate != profile.server.collate and profile.server.locale_provider == "c":
        found.append(
            Gap(
                subject=f"collation {profile.server.collate}",
                says=f"The target sorts text by {facts.collate}, production by {profile.server.collate}.",
                effect="Range estimates and the order of text differ; LIKE may use other indexes.",
                cure=f"CREATE DATABASE … LC_COLLATE '{profile.server.collate}' TEMPLATE template0",
            )
        )
    return tuple(found)
