"""The border at which the driver's errors become ours, once; no other module sees one of psycopg's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg

from premortem.errors import (
    ConnectionRefused,
    PremortemError,
    PrivilegeError,
    ServerError,
    ServerTimeout,
    StatementError,
    UnsupportedServer,
)

# What the text of a failed connection says (the driver gives no SQLSTATE then), what that is, and what to do.
# "could not translate" and the like are libpq's own sentences, which it translates only where it was built with NLS;
# psycopg's binary build is not, and a miss is still a ConnectionRefused with the text in it.
CONNECTING: tuple[tuple[str, type[ServerError], str], ...] = (
    ("password authentication failed", PrivilegeError, "check the user and the password (PGPASSWORD or ~/.pgpass)"),
    ("no password supplied", PrivilegeError, "give the password in PGPASSWORD or ~/.pgpass"),
    ("authentication failed", PrivilegeError, "check the user, and what the server's pg_hba.conf asks of it"),
    ("SASL authentication failed", PrivilegeError, "check the user and the password"),
    ("SSL off", PrivilegeError, "add sslmode=require to the connection string"),
    ("no encryption", PrivilegeError, "add sslmode=require to the connection string"),
    ("no pg_hba.conf entry", PrivilegeError, "let the server's pg_hba.conf admit this user from this machine"),
    ("is not permitted to log in", PrivilegeError, "ALTER ROLE ... LOGIN, or use another role"),
    ("permission denied for database", PrivilegeError, "GRANT CONNECT ON DATABASE ... TO this role, or use another"),
    ("server does not support SSL", ConnectionRefused, "the server has no SSL: use sslmode=prefer, if that is right"),
    ("certificate", ConnectionRefused, "check sslmode and sslrootcert"),
    ("does not exist", ServerError, "check the names of the database and the role"),
    ("no such database", ServerError, "check the name of the database, also in pgbouncer.ini"),
    ("no such user", PrivilegeError, "check the name of the role, also in PgBouncer's auth_file"),
    ("too many clients", ServerError, "every connection slot is taken: try later, or raise max_connections"),
    ("remaining connection slots", ServerError, "every connection slot is taken: try later, or raise max_connections"),
    ("too many connections", ServerError, "the role's or database's connection limit is reached: try later"),
    ("no more connections allowed", ServerError, "the pooler's client limit is reached: raise max_client_conn"),
    ("starting up", ConnectionRefused, "the server is starting: try again in a moment"),
    ("shutting down", ConnectionRefused, "the server is shutting down"),
    ("recovery mode", ConnectionRefused, "the server recovers from a crash: try again in a moment"),
    ("timeout expired", ServerTimeout, "check the host, the port and the firewall between"),
    ("timed out", ServerTimeout, "check the host, the port and the firewall between"),
    ("could not translate host name", ConnectionRefused, "check the host's name"),
    ("failed to resolve host", ConnectionRefused, "check the host's name"),
    ("invalid port number", ConnectionRefused, "a port is a number from 1 to 65535"),
    ("Connection refused", ConnectionRefused, "is a server running there, and listening on that port?"),
    ("No such file or directory", ConnectionRefused, "is a server running, with its socket in that folder?"),
    ("received invalid response", UnsupportedServer, "is that port really PostgreSQL's?"),
    ("server closed the connection", ConnectionRefused, "is that port really PostgreSQL's, and is the server well?"),
)

UNREACHABLE = ("08", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04")
TIMEOUTS = {
    "57014": "raise the statement timeout, or ask when the server is less busy",
    "55P03": "another session holds a lock that this needs: try again later",
}
#: 55000 is what a statement names and is not ready: a foreign table without a handler, an unfilled view.
STATEMENT_CLASSES = ("0A", "21", "22", "23", "2B", "39", "3D", "3F", "42", "44", "54", "55000", "P0")
HINTS = {
    "53100": "the server's disk is full: free some space",
    "53200": "the server is out of memory: lower work_mem or shared_buffers",
    "53300": "every connection slot is taken: try later, or raise max_connections",
    "57P04": "the database was dropped",
    "25006": "this session may only read",
}


@contextlib.contextmanager
def connecting(place: str, secrets: tuple[str, ...]) -> Iterator[None]:
    """Turn a failure to connect to `place` into our errors, without any of the secrets."""
    try:
        yield
    except psycopg.Error as error:
        raise connection_error(error, place, secrets) from error
    except OSError as error:
        raise ConnectionRefused(f"{place} cannot be reached: {error.strerror or error}") from error


def connection_error(error: psycopg.Error, place: str, secrets: tuple[str, ...]) -> ServerError:
    """What a failed attempt to connect means."""
    text = _without(_one_line(str(error)), secrets)
    for sign, kind, hint in CONNECTING:
        if sign in text:
            return kind(f"{place} cannot be used: {text}", hint=hint, sqlstate=error.sqlstate)
    kind = ServerTimeout if isinstance(error, psycopg.errors.ConnectionTimeout) else ConnectionRefused
    return kind(f"{place} cannot be used: {text}", sqlstate=error.sqlstate)


@contextlib.contextmanager
def speaking(place: str, shift: int = 0) -> Iterator[None]:
    """Turn what the server says about a statement into our errors; positions count from after `shift` characters."""
    try:
        yield
    except psycopg.Error as error:
        raise statement_error(error, place, shift) from error
    except UnicodeDecodeError as error:
        raise ServerError(f"{place} sent text that is not valid UTF-8: {error.reason}") from error


def statement_error(error: psycopg.Error, place: str, shift: int = 0) -> PremortemError:
    """What a failed statement means."""
    state, said = error.sqlstate, error.diag.message_primary or _one_line(str(error))
    hint = error.diag.message_hint
    if state is None or state.startswith(UNREACHABLE):
        return _lost(error, state, place, said)
    if state in TIMEOUTS:
        return ServerTimeout(f"{place}: {said}", hint=hint or TIMEOUTS[state], sqlstate=state)
    if state == "42501":
        return PrivilegeError(said, hint=hint, sqlstate=state)
    if state.startswith(STATEMENT_CLASSES):
        return StatementError(said, hint=hint, sqlstate=state, position=_position(error, shift))
    return ServerError(f"{place}: {said}", hint=hint or HINTS.get(state), sqlstate=state)


def _lost(error: psycopg.Error, state: str | None, place: str, said: str) -> PremortemError:
    if state is None and not isinstance(error, psycopg.OperationalError):
        return ServerError(f"{place}: {said}")  # the driver's own complaint, such as a wrong number of parameters
    return ConnectionRefused(
        f"the connection to {place} was lost: {said}",
        hint="the server may have crashed or been restarted: try again",
        sqlstate=state,
    )


def context(error: PremortemError) -> str | None:
    """Return where in its own work the server was when it refused a statement, such as the line of a COPY."""
    cause = error.__cause__
    return cause.diag.context if isinstance(cause, psycopg.Error) else None


def _position(error: psycopg.Error, shift: int) -> int | None:
    text = error.diag.statement_position
    return max(1, int(text) - shift) if text else None


def _one_line(text: str) -> str:
    return "; ".join(part.strip() for part in text.splitlines() if part.strip())


def _without(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
