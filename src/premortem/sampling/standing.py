"""What stays as it is while a connection lasts: versions, limits, and what the role may see, with a gap for each no."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from premortem.model import Gap, quoted
from premortem.sampling.asking import OLDEST, TOPLEVEL
from premortem.sampling.moments import moment

_BLIND = "Slow queries are seen only while they run, no averages and no shares are known."
_UNMATCHED = "Executions that still run are known by their texts only, which may be cut off."


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A server as a connection found it; `unseen` is whether we may keep out of pg_stat_statements."""

    database: str
    version_num: int
    started_at: datetime
    identity: int | None
    extension: tuple[int, int] | None
    schema: str
    most_entries: int | None
    track: str
    query_ids: str
    activities: bool
    sees_all: bool
    role: str
    most: int
    reserved: int
    unseen: bool
    databases: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    roles: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def counts(self) -> bool:
        """Whether pg_stat_statements can be read here."""
        return self.extension is not None and self.extension >= OLDEST and self.most_entries is not None


def read(row: Mapping[str, str | None]) -> Standing:
    """Return what the statement `standing` said."""
    extension, identity, most_entries = row["extension"], row["identity"], row["most_entries"]
    return Standing(
        database=_said(row["database"]), version_num=int(_said(row["version_num"])),
        started_at=moment(int(_said(row["started_at"]))), identity=None if identity is None else int(identity),
        extension=None if extension is None else version(extension), schema=row["schema"] or "",
        most_entries=None if most_entries is None else int(most_entries), track=row["track"] or "",
        query_ids=row["query_ids"] or "", activities=row["activities"] == "on", sees_all=row["sees_all"] == "t",
        role=_said(row["role"]), most=int(_said(row["most"])), reserved=int(_said(row["reserved"])),
        unseen=row["unseen"] == "t" and most_entries is not None,
    )  # fmt: skip


def version(text: str) -> tuple[int, int]:
    """Return an extension's version as numbers.

    >>> version("1.10"), version("1.11.2"), version("unpackaged")
    ((1, 10), (1, 11), (0, 0))
    """
    numbers = [int(part) for part in text.split(".") if part.isdigit()]
    return (numbers[0], numbers[1]) if len(numbers) > 1 else (0, 0)


def gaps(of: Standing) -> tuple[Gap, ...]:
    """Return what cannot be seen here, each with its cure."""
    return (*_counting(of), *_seeing(of))


def _counting(of: Standing) -> Iterator[Gap]:
    if of.most_entries is None:
        yield _gap(
            "pg_stat_statements", "The server has not loaded pg_stat_statements.", _BLIND,
            "add pg_stat_statements to shared_preload_libraries, restart the server, then CREATE EXTENSION",
        )  # fmt: skip
    elif of.extension is None:
        yield _gap(
            "pg_stat_statements",
            f"The database {of.database} lacks the extension pg_stat_statements; its counters are the whole server's, "
            "but they are read through a database that has it.", _BLIND,
            f"CREATE EXTENSION pg_stat_statements in {of.database}, or give the DSN of a database that has it",
        )  # fmt: skip
    elif of.extension < OLDEST:
        yield _gap(
            "pg_stat_statements", f"pg_stat_statements {_shown(of.extension)} is older than {_shown(OLDEST)}.", _BLIND,
            "ALTER EXTENSION pg_stat_statements UPDATE",
        )  # fmt: skip
    else:
        yield from _counting_partly(of, of.extension)


def _counting_partly(of: Standing, extension: tuple[int, int]) -> Iterator[Gap]:
    if of.track == "none":
        yield _gap(
            "pg_stat_statements", "pg_stat_statements.track is none: the server counts nothing.", _BLIND,
            "ALTER SYSTEM SET pg_stat_statements.track = 'top'; SELECT pg_reload_conf()",
        )  # fmt: skip
    if extension < TOPLEVEL:
        yield _gap(
            "nested statements",
            f"pg_stat_statements {_shown(extension)} does not tell statements inside functions from those of clients.",
            "Their time may be counted twice in shares of the database's time.",
            "ALTER EXTENSION pg_stat_statements UPDATE",
        )  # fmt: skip


def _seeing(of: Standing) -> Iterator[Gap]:
    if not of.sees_all:
        yield _gap(
            "other roles' statements", f"The role {of.role} sees only its own sessions and statements.",
            "What other roles run is invisible.", f"GRANT pg_monitor TO {quoted(of.role)}",
        )  # fmt: skip
    if not of.activities:
        yield _gap(
            "sessions", "track_activities is off: the server does not say what its sessions run.",
            "Running and cancelled queries are not seen.",
            "ALTER SYSTEM SET track_activities = on; SELECT pg_reload_conf()",
        )  # fmt: skip
    if of.query_ids == "off":
        yield _gap(
            "query identifiers", "compute_query_id is off: sessions do not say which entry they run.", _UNMATCHED,
            "ALTER SYSTEM SET compute_query_id = 'auto'; SELECT pg_reload_conf()",
        )  # fmt: skip


def _gap(subject: str, says: str, effect: str, cure: str) -> Gap:
    return Gap(subject=subject, says=says, effect=effect, cure=cure)


def _shown(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]}.{numbers[1]}"


def _said(text: str | None) -> str:
    return text or ""
