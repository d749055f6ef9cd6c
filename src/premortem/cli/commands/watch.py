"""`premortem watch`: watch until told to stop, for one window, or see whether it could."""

from __future__ import annotations

import argparse
from pathlib import Path

from premortem import daemon
from premortem.cli import watching
from premortem.settings import DEFAULT_FILE, Watching


def run(arguments: argparse.Namespace) -> int:
    """Watch, and return the exit code."""
    _, secrets = watching.watching_of(arguments.settings)
    place = (arguments.settings or Path(DEFAULT_FILE)).absolute()

    def read() -> Watching:
        return watching.watching_of(arguments.settings)[0]

    started = daemon.Started(
        read=read, secrets=secrets, journal=daemon.Journal(), orders=daemon.Orders(), here=place.parent
    )
    if arguments.check:
        return daemon.check(started, print)
    return daemon.run(started, once=arguments.once)
