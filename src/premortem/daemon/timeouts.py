"""How long a statement had run that its statement_timeout ended: the log says which ended it, and not after how long.

What a session set for itself nobody else can see; what its role, its database and the server are set to is in the
catalog.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from premortem import pg

_SETTINGS = """
SELECT coalesce(d.datname, ''), coalesce(r.rolname, ''), pg_catalog.substr(c.said, 19)
FROM pg_catalog.pg_db_role_setting AS s
LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) s.setdatabase
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) s.setrole
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (said)
WHERE pg_catalog.starts_with(c.said, 'statement_timeout=')
UNION ALL
SELECT '', '', reset_val FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) 'statement_timeout'
"""
_VALUE = re.compile(r"\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>us|ms|s|min|h|d)?\s*\Z")
_UNITS = {"us": 0.001, None: 1.0, "ms": 1.0, "s": 1e3, "min": 6e4, "h": 3.6e6, "d": 8.64e7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """What statement_timeout is set to, in ms, by database and role; an empty name stands for any."""

    of: Mapping[tuple[str, str], float] = field(default_factory=lambda: MappingProxyType({}))

    def elapsed_ms(self, why: str, database: str, role: str) -> float | None:
        """Return after how long a timeout ended a statement; None where it was no timeout, or none is known."""
        if why != "statement timeout":
            return None
        places = ((database, role), ("", role), (database, ""), ("", ""))  # PostgreSQL's own order
        return next((found for place in places if (found := self.of.get(place))), None)


def read(db: pg.Session) -> Timeouts:
    """Return what a server is set to."""
    found = {(database, role): milliseconds(said) for database, role, said in db.tuples(_SETTINGS)}
    return Timeouts(of=MappingProxyType({place: value for place, value in found.items() if value}))


def milliseconds(said: str) -> float:
    """Return a setting's value in ms; 0, which is no timeout, for what cannot be read.

    >>> milliseconds("80"), milliseconds("1.5s"), milliseconds("2min"), milliseconds("soon")
    (80.0, 1500.0, 120000.0, 0.0)
    """
    found = _VALUE.match(said)
    return float(found["number"]) * _UNITS[found["unit"]] if found else 0.0
