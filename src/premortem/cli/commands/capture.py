"""`premortem capture`: run a suite, or read a log, and keep what it asked the database."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from premortem import capture, words
from premortem.cli import capturing, output
from premortem.errors import CommandError, PremortemError, UsageError
from premortem.model import CAPTURED

#: What `env`, `timeout` and `docker run` exit with when it is they who failed and not the command.
OURS_FAILED = 125


def run(arguments: argparse.Namespace) -> int:
    """Capture, write the file, and return the suite's own exit code."""
    output.check(str(arguments.output))
    _refuse_what_does_not_go_together(arguments)
    try:
        taken = _taken(arguments)
        capture.write(taken, arguments.output)
    except CommandError as error:
        _say(error)
        return error.status
    except UsageError:
        raise
    except PremortemError as error:
        if not arguments.suite:
            raise
        _say(error)
        return OURS_FAILED
    if not arguments.quiet:
        print(summary(taken, arguments.output), file=sys.stderr)
    return taken.exit_status or 0


def _refuse_what_does_not_go_together(arguments: argparse.Namespace) -> None:
    if not arguments.suite and not arguments.dsn and not arguments.log:
        raise UsageError("nothing to capture", hint="premortem capture -- COMMAND, for example: -- pytest")
    if arguments.log and (arguments.suite or arguments.dsn):
        raise UsageError("--log reads what is there, without a command or a server", hint="leave one of them out")


def _taken(arguments: argparse.Namespace) -> capture.Capture:
    if arguments.log:
        return capture.from_logs(arguments.log, prefix=arguments.log_line_prefix)
    if arguments.dsn:
        return capture.attach(arguments.dsn, arguments.suite, timeout=arguments.timeout)
    return capturing.run(arguments, major=arguments.pg)


def _say(error: PremortemError) -> None:
    print(f"premortem: {words.plain(error.message)}", file=sys.stderr)
    if error.hint:
        print(f"  hint: {words.plain(error.hint)}", file=sys.stderr)


def summary(taken: capture.Capture, path: Path) -> str:
    """Return what a capture holds, in a few lines."""
    tables = [len(schema.profile.tables) for schema in taken.schemas]
    lines = [
        f"premortem: {len(taken.statements):,} distinct statements of {taken.executed:,} executed; "
        f"{len(tables)} schemas ({', '.join(f'{n:,} tables' for n in tables) or 'none'}); written to {path}",
        *(f"  left out: {count:,} {reason}" for reason, count in taken.left_out),
    ]
    if taken.unreadable:
        lines.append(f"  could not be read: {len(taken.unreadable):,} statements")
    for gap in taken.gaps:
        lines.append(f"  {gap.subject}: {gap.says} {gap.effect}")
        lines.append(f"    {gap.cure}")
    if any(query.site.source == CAPTURED for query in taken.statements):
        lines.append("  a plugin names pytest's tests; of other runners' statements only their number is known")
    if taken.timed_out:
        lines.append("  the command was ended by --timeout: what it would have run later is missing")
    elif taken.failed:
        lines.append(f"  the command failed ({taken.exit_status}): what it would have run later is missing")
    return "\n".join(lines)
