"""How often an index was used, on every server that anybody uses it on, and whether that says enough.

PostgreSQL counts scans on each server for itself: an index that the primary never reads may be all that a standby's
reports live on.  So an index is idle only if the primary and each standby say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from premortem.errors import InputError
from premortem.model import Index, Profile, RelationKind, RelationName, ServerFacts, Table
from premortem.rules.indexes import family_of
from premortem.words import duration, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Scans over the shortest window of the servers; `idle` is how long ago the last one was, None where unknown."""

    scans: int
    window: timedelta
    idle: timedelta | None = None
    servers: int = 1

    def unused(self, settled: timedelta) -> str | None:
        """Return how long nobody has used the index, in words; None where somebody has."""
        everywhere = f" on any of {self.servers} servers" if self.servers > 1 else ""
        if not self.scans:
            return f"was not used{everywhere} in {duration(self.window)}"
        if self.idle is not None and self.idle >= settled:
            return f"was last used {duration(self.idle)} ago"
        return None


def counted(table: Table, index: Index, servers: Sequence[Profile]) -> Counted | None:
    """Return what the servers have counted of an index and its parts, None where one of them does not know."""
    found = [_on(table.relation, index.name, profile) for profile in servers]
    known = [one for one in found if one is not None]
    if not known or len(known) < len(found):
        return None
    idles = [one.idle for one in known if one.idle is not None]
    return Counted(
        scans=sum(one.scans for one in known),
        window=min(one.window for one in known),
        idle=min(idles, default=None),
        servers=len(known),
    )


def _on(relation: RelationName, name: str, profile: Profile) -> Counted | None:
    """Return one server's count; a partitioned table's index is used where its parts are."""
    table = profile.table(relation)
    index = next((i for i in table.indexes if i.name == name), None) if table is not None else None
    if table is None or index is None:
        return None
    parts = [(t, i) for t, i in family_of(table, index, profile) if t.kind is not RelationKind.PARTITIONED_TABLE]
    scans = [i.scans for _, i in parts if i.scans is not None]
    windows = [t.activity.window for t, _ in parts if t.activity.window is not None]
    if not parts or len(scans) < len(parts) or len(windows) < len(parts):
        return None
    return Counted(scans=sum(scans), window=min(windows), idle=_idle([i.last_used for _, i in parts], profile.taken_at))


def _idle(used: Sequence[datetime | None], now: datetime) -> timedelta | None:
    last = max((when for when in used if when is not None), default=None)
    return None if last is None else now - last


def check_replicas(profile: Profile, replicas: Sequence[Profile]) -> None:
    """Raise InputError where a profile is of no standby of this server, whose counters would be of other indexes."""
    seen = {profile.taken_at}
    for replica in replicas:
        if (which := _stranger(profile.server, replica.server)) is not None:
            raise InputError(
                f"the replica's profile of {replica.server.database}, taken {replica.taken_at:%Y-%m-%d %H:%M}, is of"
                f" another {which} than the profile of {profile.server.database}",
                hint="pull it from a standby of the same primary: premortem profile pull STANDBY_DSN -o FILE",
            )
        if replica.taken_at in seen:
            raise InputError("the same profile is given twice", hint="name one of each standby: --replica-profile FILE")
        seen.add(replica.taken_at)


def _stranger(here: ServerFacts, there: ServerFacts) -> str | None:
    if here.database != there.database:
        return "database"
    known = here.system_identifier and there.system_identifier
    return "cluster" if known and here.system_identifier != there.system_identifier else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """Why the counters cannot say that nobody uses an index, and what to do about it."""

    says: str
    cure: str = ""


def unheard(servers: Sequence[Profile], least: timedelta) -> Unheard | None:
    """Return why the counters say too little, None where they are old enough and every server's are there."""
    primaries = [p for p in servers if not p.server.in_recovery]
    if not primaries:
        says = "The profile is a standby's and the primary counts for itself"
        return Unheard(says=says, cure="Take the primary's profile, and this one as --replica-profile.")
    lacking = sum(p.server.standbys or 0 for p in servers) - (len(servers) - len(primaries))
    if lacking > 0:
        says = f"{plural(lacking, 'standby streams', 'standbys stream')} from production and {_count(lacking)}"
        return Unheard(says=says, cure="Pull a profile of each standby and hand it over: --replica-profile FILE.")
    windows = [t.activity.window for p in servers for t in p.tables if t.activity.window is not None]
    if windows and min(windows) < least:
        says = f"The counters cover {duration(min(windows))}, too short a time"
        return Unheard(says=says, cure="Pull again when they have counted for a month.")
    return None


def _count(servers: int) -> str:
    return "counts its reads for itself" if servers == 1 else "count their reads for themselves"


def cautions(found: Counted, servers: Sequence[Profile], settled: timedelta) -> Iterator[str]:
    """Yield what the counters cannot know."""
    if found.window < settled:
        yield f"the counters cover {duration(found.window)} only: a monthly job is not in them"
    else:
        yield "what runs once a quarter or a year may not be in the counters"
    if all(p.server.standbys is None for p in servers) and len(servers) == 1:
        yield "whether there are standbys is unknown: what they read is counted there"
