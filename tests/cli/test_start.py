"""Start-up is a feature: what the command line may import before it knows the command."""

from __future__ import annotations

import json
import subprocess
import sys

#: Rooms of ours that parsing arguments needs; everything else loads on use.
ALLOWED = {
    "premortem",
    "premortem.cli",
    "premortem.cli.border",
    "premortem.cli.entry",
    "premortem.cli.parser",
    "premortem.errors",
}
#: The standard library's modules of that cost a start more than they are worth.
SLOW = {"asyncio", "email", "http", "importlib.metadata", "logging", "ssl", "unittest", "xml"}


def imported_by(statement: str) -> set[str]:
    program = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_the_command_line_imports_only_what_it_needs() -> None:
    before = imported_by("pass")
    ours = imported_by("import premortem.cli; premortem.cli.parser.build()") - before
    foreign = {m.split(".")[0] for m in ours} - set(sys.stdlib_module_names)
    assert foreign == {"premortem"}
    assert {m for m in ours if m.startswith("premortem")} == ALLOWED
    assert not ours & SLOW


def test_json_needs_no_rich() -> None:
    ours = imported_by("import premortem.report.json, premortem.report.markdown")
    assert not {m for m in ours if m.split(".")[0] in ("rich", "psycopg", "postgast")}


def test_a_deploy_is_recorded_without_what_watches() -> None:
    """It stands in every pipeline: the daemon, and what it finds causes with, are not loaded for it."""
    ours = imported_by("import premortem.cli.commands.deploy_record, premortem.cli.commands.deploy_list")
    watches = {"daemon", "diagnosis", "twin", "sampling", "notify", "capture", "http.server", "prometheus_client"}
    assert not {m for m in ours if m.removeprefix("premortem.") in watches}
