"""`premortem profile grants`: the least-privilege SQL."""

from __future__ import annotations

import argparse

from premortem import catalog
from premortem.cli import output


def run(arguments: argparse.Namespace) -> int:
    """Print the SQL that lets a role pull profiles."""
    output.write(catalog.grants_sql(arguments.role).rstrip("\n") + "\n")
    return 0
