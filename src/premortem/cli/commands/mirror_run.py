"""`premortem mirror run`: a command with a kept mirror's server behind it."""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack

from premortem.capture import suite, target
from premortem.cli import mirroring
from premortem.cli.progress import shown
from premortem.errors import CommandError, UsageError
from premortem.mirror import Place
from premortem.pg.dsn import read


def run(arguments: argparse.Namespace) -> int:
    """Run a command while the newest kept mirror of a profile is up; return the command's exit code."""
    if not arguments.suite:
        raise UsageError("no command is named", hint="premortem mirror run -p FILE -- COMMAND, for example: -- psql")
    profile, digest = mirroring.profile_of(arguments)
    with ExitStack() as stack:
        with shown("starting the mirror's server", quiet=arguments.quiet) as told:
            place = mirroring.kept_place(profile, digest, stack, told)
        try:
            ending = suite.run(arguments.suite, target.environment(_address(place), os.environ))
        except CommandError as error:
            raise UsageError(error.message) from error
    return ending.status


def _address(place: Place) -> target.Target:
    parts = read(place.dsn)
    return target.Target(
        host=parts["host"], port=int(parts["port"]), user=parts["user"], password="", database=parts["dbname"]
    )
