"""Where a suite's statements go: the server's address, as environment variables and as templates ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from premortem.errors import UsageError

#: What libpq would take from the environment and what would lead it, or the driver, away from our server.
_ASTRAY = (
    "PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGPASSFILE", "PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY",
    "PGSSLCRL", "PGSSLNEGOTIATION", "PGREQUIRESSL", "PGREQUIREAUTH", "PGCHANNELBINDING", "PGREQUIREPEER",
    "PGTARGETSESSIONATTRS", "PGGSSENCMODE", "PGKRBSRVNAME",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server's address and the role and database that a suite gets there."""

    host: str
    port: int
    user: str
    password: str
    database: str

    @property
    def dsn(self) -> str:
        """The address as a URI, which every driver and framework reads.

        >>> Target(host="127.0.0.1", port=5432, user="app", password="a b", database="app").dsn
        'postgresql://app:a%20b@127.0.0.1:5432/app'
        """
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        place = f"[{self.host}]" if ":" in self.host else quote(self.host, safe="")
        return f"postgresql://{quote(self.user, safe='')}{secret}@{place}:{self.port}/{quote(self.database, safe='')}"

    @property
    def parts(self) -> dict[str, str]:
        """What a template may name."""
        return {
            "dsn": self.dsn,
            "host": self.host,
            "port": str(self.port),
            "user": self.user,
            "password": self.password,
            "database": self.database,
        }


def environment(target: Target, inherited: Mapping[str, str], templates: Sequence[str] = ()) -> dict[str, str]:
    """Return the environment of a suite that is to use the target: our own, `DATABASE_URL`, `PG*`, and the templates.

    Raises UsageError for a template that is no `NAME=TEXT` or names a part that a target does not have.
    """
    kept = {name: value for name, value in inherited.items() if name not in _ASTRAY}
    given = dict(_filled(template, target) for template in templates)
    return kept | _libpq(target) | {"DATABASE_URL": target.dsn} | given


def _libpq(target: Target) -> dict[str, str]:
    return {
        "PGHOST": target.host,
        "PGPORT": str(target.port),
        "PGUSER": target.user,
        "PGPASSWORD": target.password,
        "PGDATABASE": target.database,
    }


def _filled(template: str, target: Target) -> tuple[str, str]:
    name, equals, text = template.partition("=")
    if not equals or not name or "\0" in template:
        raise UsageError(f"--set {template} is no NAME=TEXT", hint="for example --set TEST_DB='{dsn}'")
    for part, value in target.parts.items():
        text = text.replace("{" + part + "}", value)
    return name, text
