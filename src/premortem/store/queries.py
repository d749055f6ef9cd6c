"""The store's SQL, tagged: whoever watches the server that also keeps our state must be able to leave us out."""

from __future__ import annotations

from dataclasses import replace

from premortem import pg

TAG = "/* premortem/store */ "
_FILES = ("session", "committing", "outbox", "ledger", "registry", "history", "maintaining")


def _tagged(query: pg.NamedSQL) -> pg.NamedSQL:
    return replace(query, bodies={least: TAG + body for least, body in query.bodies.items()})


QUERIES = {
    name: _tagged(query) for file in _FILES for name, query in pg.named_sql(__package__, f"sql/{file}.sql").items()
}
