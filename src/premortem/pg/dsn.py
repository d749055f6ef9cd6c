"""Connection strings, read without ever repeating the password that may be in one."""

from __future__ import annotations

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from premortem.errors import UsageError

HINT = "write postgresql://user@host:port/database, or host=... dbname=... user=..."


def read(text: str) -> dict[str, str]:
    """The parameters in a connection string; what cannot be read is not repeated, as it may hold a password."""
    try:
        parameters = {key: str(value) for key, value in conninfo_to_dict(text).items() if value is not None}
    except (ProgrammingError, UnicodeError):
        raise UsageError("the connection string cannot be read", hint=HINT) from None
    if "@" in parameters.get("host", "") or "@" in parameters.get("port", ""):
        raise UsageError(
            "the connection string cannot be read: its password holds an @ that is not escaped", hint="write @ as %40"
        )
    if any(port and not port.isdigit() for port in parameters.get("port", "").split(",")):
        raise UsageError("the connection string cannot be read: its port is not a number", hint=HINT)
    return parameters


def describe(text: str) -> str:
    """Where a connection string leads, fit to be shown: database, host and user, and nothing else.

    >>> describe("postgresql://alice:secret@db.example.com:5433/shop?sslmode=require")
    'database shop on db.example.com:5433 as alice'
    >>> describe("nonsense")
    'an unreadable connection string'
    """
    try:
        given = read(text)
    except UsageError:
        return "an unreadable connection string"
    known = _defaults() | given
    hosts = (known.get("host") or known.get("hostaddr") or "the local socket").split(",")
    ports = (known.get("port") or "5432").split(",")
    places = [_place(host, ports[min(at, len(ports) - 1)] or "5432") for at, host in enumerate(hosts)]
    user = known.get("user") or "the operating system's user"
    return f"database {known.get('dbname') or user} on {', '.join(places)} as {user}"


def secrets_of(parameters: dict[str, str]) -> tuple[str, ...]:
    """The values in a connection string that no message may repeat."""
    known = _defaults() | parameters
    return tuple(known[name] for name in ("password", "sslpassword") if known.get(name))


def passwords(text: str) -> tuple[str, ...]:
    """The passwords in a connection string, for whoever has to keep them out of what is said; none in other texts.

    >>> passwords("postgresql://alice:secret@db.example.com/shop"), passwords("https://example.com/secret")
    (('secret',), ())
    """
    try:
        parameters = read(text)
    except UsageError:
        return ()
    return tuple(parameters[name] for name in ("password", "sslpassword") if parameters.get(name))


def compose(parameters: dict[str, str]) -> str:
    """The connection string with these parameters."""
    return make_conninfo("", **parameters)


def _place(host: str, port: str) -> str:
    if host.startswith(("/", "@")) or host == "the local socket":
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _defaults() -> dict[str, str]:
    """What libpq takes from the environment for parameters that are not given."""
    return {
        option.keyword.decode(): option.val.decode(errors="replace") for option in Conninfo.get_defaults() if option.val
    }
