"""`premortem profile pull`: reads production's profile."""

from __future__ import annotations

import argparse
from datetime import timedelta

from premortem import catalog, pg, words
from premortem.cli import output
from premortem.cli.progress import shown
from premortem.errors import UsageError
from premortem.model import Profile, Values


def run(arguments: argparse.Namespace) -> int:
    """Read a profile and write it to its file."""
    if str(arguments.output) == output.STANDARD:
        raise UsageError("a profile is written to a file", hint="name it: -o prod.profile")
    if not arguments.dsn.strip():  # libpq would take it for whatever server is nearest
        raise UsageError("the connection string is empty", hint="is the variable that holds it set?")
    output.check(str(arguments.output))
    timeout = timedelta(seconds=arguments.statement_timeout)
    with (
        shown(f"connecting to {pg.describe(arguments.dsn)}") as told,
        pg.session(arguments.dsn, purpose="profile pull", statement_timeout=timeout) as session,
    ):
        profile = catalog.pull(session, values=Values(arguments.values), progress=told)
    catalog.write(profile, arguments.output)
    output.write(_said(profile, arguments.output.stat().st_size, str(arguments.output)))
    return 0


def _said(profile: Profile, size: int, path: str) -> str:
    indexes = sum(len(t.indexes) for t in profile.tables)
    lines = [
        f"{path}: {words.plural(len(profile.tables), 'relation')}, {words.plural(indexes, 'index', 'indexes')},"
        f" {words.plural(len(profile.workload.statements), 'statement')} of the workload, no rows; {words.size(size)}"
    ]
    for gap in profile.gaps:
        lines.append(f"  gap: {words.one_line(gap.subject)}: {words.one_line(gap.says)}")
        lines += [f"       to close it: {words.one_line(gap.cure)}"] if gap.cure else []
    return "\n".join(lines) + "\n"
