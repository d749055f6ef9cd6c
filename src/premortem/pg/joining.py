"""Servers of ours that another process started: where they listen, and ending those that nobody looks after."""

from __future__ import annotations

from pathlib import Path

from psycopg.conninfo import make_conninfo

from premortem.pg.clusters import SUPERUSER
from premortem.pg.places import runner
from premortem.pg.postmaster import kill_leftover, postmaster_of, takes_connections_at


def running(data_directory: Path) -> str | None:
    """The connection string of the server of ours that runs and is ready in that data directory, None without one."""
    place = takes_connections_at(data_directory)
    if place is None or postmaster_of(data_directory, runner()) is None:
        return None
    sockets, port = place
    return make_conninfo(host=sockets, port=port, user=SUPERUSER, dbname="postgres")


def end_leftover(data_directory: Path) -> None:
    """Stop the server of ours that still runs in a data directory of which the caller knows that nobody owns it."""
    kill_leftover(data_directory, runner())
