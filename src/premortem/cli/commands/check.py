"""`premortem check`: the gate."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from functools import partial

from premortem import check
from premortem.cli import delivery, judging, locking
from premortem.cli.inputs import gather
from premortem.errors import UsageError


def run(arguments: argparse.Namespace) -> int:
    """Judge the queries of the paths and return the verdict's exit code."""
    if arguments.update_lock and arguments.no_lock:
        raise UsageError("--update-lock and --no-lock contradict each other")
    wanted = delivery.wanted(arguments)
    file = locking.lock_file(arguments, writes=arguments.update_lock)
    reason = check.Reason(says=f"recorded {date.today()}") if arguments.update_lock else None
    outcome = judging.run(arguments, partial(gather, arguments), file=file, reason=reason)
    delivery.write(outcome.report, wanted, details=False)
    if file is not None and outcome.lock is not None:
        said = locking.write(file, outcome.lock, outcome.report.gone)
        if not arguments.quiet:
            print(said, file=sys.stderr)
    return outcome.report.verdict.exit_code
