"""A reader: one instance, and what must be remembered of it between two polls."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType

from premortem import words
from premortem.errors import PremortemError, PrivilegeError, ServerError, StatementError
from premortem.model import Gap, Glance, IndexSeen, InstanceFacts, Moved, Sample, StatementKey, quoted
from premortem.sampling import asking, lines, reading, standing
from premortem.sampling.link import Link, memory
from premortem.sampling.moments import moment
from premortem.sampling.poolers import Console
from premortem.sampling.standing import Standing

_OURS = "/* premortem/"  # after the first word of a statement
_NOT_LOADED = "55000"
#: An entry with a text of 4 kB, for which PostgreSQL before 17 takes 8 kB; no server takes more than its texts need.
_TEXT_BYTES = 10_000
_REFRESH = timedelta(minutes=10)  # names, grants and settings change rarely
_SKEW = timedelta(seconds=30)

Row = Mapping[str, str | None]


class Reader:
    """Looks at one instance; connects by itself again when the connection was lost.  For one thread."""

    def __init__(self, link: Link, name: str, databases: Sequence[str], consoles: Sequence[Console]) -> None:
        self.name = name
        self._link = link
        self._databases = tuple(databases)
        self._consoles = tuple(consoles)
        self._refused: Gap | None = None
        self._refreshed_at = datetime.now(UTC)
        self._before: lines.Reading | None = None
        self._parsed: Mapping[str, lines.Entry] = {}
        self._own: set[int] = set()
        self._nameless: set[int] = set()
        self._glances: list[Glance] = []
        self._untold: tuple[Gap, ...] = ()

    def __repr__(self) -> str:
        return f"<Reader of {self.name}>"

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def standing(self) -> Standing:
        """What the server was found to be: versions, limits, what the role may see."""
        return self._link.standing

    @property
    def databases(self) -> tuple[str, ...]:
        """The databases whose indexes are inventoried: those that were named, or the connection's own."""
        return self._databases or (self.standing.database,)

    def sample(self, *, indexes: bool = False) -> Sample:
        """Return what the instance shows now, against the sample before; with its indexes where they are asked for."""
        sample = self._sampled(self._polled(), datetime.now(UTC))
        return self._with_indexes(sample) if indexes else sample

    def glance(self) -> Glance:
        """Return the sessions only; the next sample holds this glance, too."""
        row = reading.only(self._link.ask(lambda line: line.ask(asking.glance(line.version_num))))
        found = Glance(at=_at(row), read_at=datetime.now(UTC), backends=reading.backends(row["backends"]))
        self._glances.append(found)
        return found

    def texts(self, keys: Collection[StatementKey], most: int = 500) -> dict[StatementKey, str]:
        """Return the texts of some entries, of so many of the first; one that the server lost is not among them.

        The server reads all its texts for this, so ask for an entry once, and for many in one call.  Where it fails,
        there are none, and the next sample says why.
        """
        wanted, of = list(dict.fromkeys(keys))[:most], self.standing
        if not wanted or not self._counts(of) or of.extension is None:
            return {}
        room = memory(len(self._before.lines) if self._before else of.most_entries or 0, _TEXT_BYTES)
        asked = asking.texts(of.version_num, of.extension, of.schema, (key.queryid for key in wanted), room)
        try:
            answer = self._link.ask(lambda line: line.ask(*asked))
        except PremortemError as error:  # what moved is known already, and must not be lost for want of a name
            self._untold = (_gap_of_texts(error),)
            return {}
        found = dict(map(reading.entry_text, reading.table(answer)))
        self._own |= {key.queryid for key, text in found.items() if _OURS in text[:40]}
        return {key: found[key] for key in wanted if key in found}

    def indexes(self, database: str) -> tuple[IndexSeen, ...]:
        """Return the indexes of a database of the instance; for another one than its own the reader connects anew."""
        return tuple(one for one in self._inventory(database) if one.definition)

    def _inventory(self, database: str) -> tuple[IndexSeen, ...]:
        """Return the indexes of a database; without a definition for a table that has none, or lost it meanwhile."""
        asked = asking.indexes(self.standing.version_num)
        if database == self.standing.database:
            answer = self._link.ask(lambda line: line.ask(asked))
        else:
            answer = self._link.beside(database, lambda line: line.ask(asked))
        return tuple(reading.index(row, database) for row in reading.table(answer))

    def close(self) -> None:
        """End the connections."""
        for console in self._consoles:
            console.close()
        self._link.close()

    def _polled(self) -> Row:
        """Return the answer to a poll; where the server is not what it was, what it is now is found out first."""
        if datetime.now(UTC) - self._refreshed_at > _REFRESH:
            self._refresh()
        row = self._asked()
        extension = row["extension"]
        if (None if extension is None else standing.version(extension)) == self.standing.extension:
            return row
        self._refresh()
        return self._asked()

    def _asked(self) -> Row:
        """Return the answer to a poll; what is refused is asked again of what the server has become, then left out."""
        for attempt in (1, 2):
            try:
                return self._poll()
            except (ServerError, StatementError) as error:
                if not self._counts(self.standing) or not _is_refusal(error):
                    raise
                if attempt == 1:
                    self._refresh()
                else:
                    self._refused = _refusal(error, self.standing)
        return self._poll()

    def _with_indexes(self, sample: Sample) -> Sample:
        """Return a sample with the indexes of all databases, or with none of them and the reason."""
        try:
            found = [one for database in self.databases for one in self._inventory(database)]
        except PremortemError as error:
            return replace(sample, gaps=(*sample.gaps, _gap_of_indexes(error)))
        tables = tuple(dict.fromkeys((one.database, one.table) for one in found))
        return replace(sample, indexes=tuple(one for one in found if one.definition), tables=tables)

    def _poll(self) -> Row:
        of = self.standing
        asked = asking.poll(of.version_num, of.extension if self._counts(of) else None, of.schema)
        return reading.only(self._link.ask(lambda line: line.ask(asked)))

    def _counts(self, of: Standing) -> bool:
        return of.counts and self._refused is None

    def _refresh(self) -> None:
        self._refused = None
        self._link.refresh()
        self._refreshed_at = datetime.now(UTC)

    def _sampled(self, row: Row, read_at: datetime) -> Sample:
        now, before = self._reading(row), self._before
        against = before if before is not None and now is not None and before.comparable(now) else None
        movement = lines.moved(against, now, self._own, self._parsed) if against and now else lines.Movement()
        of = self._named(movement.moved)
        pools = tuple(console.read() for console in self._consoles)
        sample = Sample(
            instance=self.name, at=_at(row), read_at=read_at, server=_facts(of, row, len(now.lines) if now else 0),
            since=against.at if against else None, moved=movement.moved, vanished=movement.vanished,
            backends=reading.backends(row["backends"]), seats=reading.seats(row["seats"], of),
            pools=tuple(pool for found in pools if not isinstance(found, Gap) for pool in found),
            databases=of.databases, roles=of.roles, glances=tuple(self._glances),
            gaps=(*self._gaps(of, _at(row), read_at), *(found for found in pools if isinstance(found, Gap))),
        )  # fmt: skip
        self._before, self._parsed = now, movement.parsed
        self._glances.clear()
        self._untold = ()
        return sample

    def _reading(self, row: Row) -> lines.Reading | None:
        """Return what the extension said, None where it said nothing; our own entry is learnt on the way."""
        of, own = self.standing, reading.number(row["own"])
        if own is not None:
            self._own.add(own)
        if not self._counts(of):
            return None
        return lines.Reading(
            at=_at(row), lines=lines.split(row["lines"]), extension=of.extension, hidden=int(row["hidden"] or 0)
        )

    def _named(self, moved: Sequence[Moved]) -> Standing:
        """Return the standing with the names of all databases and roles that moved."""
        of = self.standing
        unknown = {one.key.dbid for one in moved} - of.databases.keys() - self._nameless
        unknown |= {one.key.userid for one in moved} - of.roles.keys() - self._nameless
        if unknown:
            self._refresh()
            self._nameless |= unknown  # those of databases and roles that were dropped stay so
        return self.standing

    def _gaps(self, of: Standing, at: datetime, read_at: datetime) -> tuple[Gap, ...]:
        refused = () if self._refused is None else (self._refused,)
        return (*standing.gaps(of), *refused, *self._untold, *_skewed(at, read_at))


def open(
    dsn: str,
    name: str,
    *,
    databases: Sequence[str] = (),
    poolers: Mapping[str, str] | None = None,
    statement_timeout: timedelta = timedelta(seconds=5),
) -> Reader:
    """Return a reader of an instance, connected; `poolers` are the DSNs of PgBouncers' consoles by their names."""
    link = Link(dsn, statement_timeout)
    found = Reader(link, name, databases, [Console(*pooler) for pooler in (poolers or {}).items()])
    _ = link.standing  # connects, so that what is wrong is known now
    return found


def _at(row: Row) -> datetime:
    return moment(int(row["at"] or 0))


def _facts(of: Standing, row: Row, entries: int) -> InstanceFacts:
    reset_at = reading.number(row["reset_at"])
    return InstanceFacts(
        version_num=of.version_num, started_at=of.started_at, in_recovery=row["in_recovery"] == "t",
        extension=of.extension, identity=of.identity, entries=entries, most_entries=of.most_entries,
        deallocations=reading.number(row["deallocations"]), reset_at=None if reset_at is None else moment(reset_at),
    )  # fmt: skip


def _is_refusal(error: ServerError | StatementError) -> bool:
    """Whether the server would go on refusing: rights, or an extension whose library is another version or gone."""
    return isinstance(error, PrivilegeError | StatementError) or error.sqlstate == _NOT_LOADED


def _refusal(error: ServerError | StatementError, of: Standing) -> Gap:
    return Gap(
        subject="pg_stat_statements", says=f"The server does not let {of.role} read it: {error.message}.",
        effect="Slow queries are seen only while they run, no averages and no shares are known.",
        cure=f"GRANT USAGE ON SCHEMA {quoted(of.schema)} TO {quoted(of.role)}; GRANT pg_monitor TO {quoted(of.role)}",
    )  # fmt: skip


def _gap_of_texts(error: PremortemError) -> Gap:
    return Gap(
        subject="texts of statements", says=f"The texts of new statements could not be read: {error.message}.",
        effect="They are known by their numbers until this goes well.", cure=error.hint or "",
    )  # fmt: skip


def _gap_of_indexes(error: PremortemError) -> Gap:
    return Gap(
        subject="indexes", says=f"The indexes could not be read: {error.message}.",
        effect="An index that vanishes is not told.", cure=error.hint or "",
    )  # fmt: skip


def _skewed(at: datetime, read_at: datetime) -> tuple[Gap, ...]:
    skew = at - read_at
    if abs(skew) <= _SKEW:
        return ()
    way = "ahead of" if skew > timedelta(0) else "behind"
    says = f"The server's clock is {words.duration(abs(skew))} {way} this machine's."
    return (Gap(subject="clock", says=says, effect="Times of alerts are the server's.", cure="check NTP on both"),)
