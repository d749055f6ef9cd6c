"""`premortem mirror list`: the mirrors that are kept on servers of our own."""

from __future__ import annotations

import argparse

from premortem import mirror, words
from premortem.cli import output
from premortem.mirror import Options


def run(arguments: argparse.Namespace) -> int:
    """Print the kept mirrors, the newest first."""
    found = mirror.kept.every()
    if not found:
        output.write("no mirror is kept; build one with: premortem mirror build -p FILE\n")
        return 0
    lines = [f"{'name':<12}  {'production':<24}  {'profile taken':<16}  {'size':>8}  state     what"]
    for kept in found:
        about = kept.about
        state = "in use" if kept.running else "complete" if about.complete else "unfinished"
        database = words.shortened(words.one_line(about.database), 24)
        what = _what(Options.load(about.options))
        lines.append(
            f"{kept.name:<12}  {database:<24}  {about.taken_at[:16].replace('T', ' '):<16}"
            f"  {words.size(kept.size_bytes):>8}  {state:<8}  {what}"
        )
    output.write("\n".join(lines) + "\n")
    return 0


def _what(options: Options) -> str:
    parts = [f"scale {options.scale:g}" if options.scale != 1 else ""]
    parts.append(f"at most {words.plural(options.rows, 'row')}" if options.rows is not None else "")
    parts.append(words.plural(len(options.tables), "table") if options.tables is not None else "")
    parts.append(f"seed {options.seed}" if options.seed else "")
    parts.append(f"shifted to {options.shift_to:%Y-%m-%d}" if options.shift_to else "")
    return ", ".join(p for p in parts if p) or "everything"
