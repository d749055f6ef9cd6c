"""PgBouncer's consoles: who waits for a connection, which the server behind cannot know.

The columns are read by name, as they differ from version to version (https://www.pgbouncer.org/usage.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from premortem import pg
from premortem.errors import PremortemError
from premortem.model import Gap, Pool
from premortem.sampling.reading import table

_ADMIN = "pgbouncer"  # its own database, which is no pool


class Console:
    """One PgBouncer's console, connected when it is first asked and again when it was lost."""

    def __init__(self, name: str, dsn: str) -> None:
        self.name = name
        self._dsn = dsn
        self._line: pg.Lasting | None = None

    def read(self) -> tuple[Pool, ...] | Gap:
        """Return its pools, or why they could not be read."""
        try:
            return self._pools()
        except PremortemError as error:
            self.close()
            return Gap(
                subject=f"pooler {self.name}", says=f"PgBouncer's console could not be read: {error.message}.",
                effect="Who waits for a connection is not seen.",
                cure=error.hint or "give the DSN of its database pgbouncer, and list the role in stats_users",
            )  # fmt: skip

    def close(self) -> None:
        """End the connection."""
        if self._line is not None:
            self._line.close()
        self._line = None

    def _pools(self) -> tuple[Pool, ...]:
        if self._line is None or self._line.closed:
            self._line = pg.console(self._dsn, purpose="watch")
        limits = {row["name"] or "": row for row in _show(self._line, "SHOW DATABASES")}
        pools = _show(self._line, "SHOW POOLS")
        return tuple(_pool(self.name, row, limits) for row in pools if row["database"] != _ADMIN)


def _show(line: pg.Lasting, command: str) -> tuple[dict[str, str | None], ...]:
    return table(line.ask(command))


def _pool(pooler: str, row: Mapping[str, str | None], limits: Mapping[str, Mapping[str, str | None]]) -> Pool:
    limit = limits.get(row["database"] or "", {})
    waited = timedelta(seconds=_count(row, "maxwait"), microseconds=_count(row, "maxwait_us"))
    return Pool(
        pooler=pooler, database=row["database"] or "", user=row["user"] or "", mode=row.get("pool_mode") or "",
        clients_active=_count(row, "cl_active"), clients_waiting=_count(row, "cl_waiting"),
        servers_active=_count(row, "sv_active"), servers_idle=_count(row, "sv_idle"),
        servers_used=_count(row, "sv_used"), longest_wait=waited, size=_limit(limit, "pool_size"),
        reserve=_limit(limit, "reserve_pool_size", "reserve_pool"),
        most_server_connections=_limit(limit, "max_connections") or None,
    )  # fmt: skip


def _count(row: Mapping[str, str | None], name: str) -> int:
    return int(row.get(name) or 0)


def _limit(row: Mapping[str, str | None], *names: str) -> int | None:
    return next((int(said) for name in names if (said := row.get(name))), None)
