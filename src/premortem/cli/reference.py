"""The reference page of the command line, made from the parser, so that the two cannot differ."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from premortem.cli import parser

_MADE = "<!-- made by scripts/docs from the parser; do not edit -->"
_CODES = """\
## Exit codes

| code | meaning |
|--:|---|
| 0 | nothing that fails |
| 1 | the gate says no |
| 2 | the command or its settings are wrong |
| 3 | could not tell: a query that cannot be parsed or planned, no server, an unusable profile, a bug; never a pass |
| 130 | Ctrl-C; servers that premortem started are stopped |

`-` in place of a query, path or output means standard input or output. Progress goes to standard error, and only where
that is a terminal. Colours: where standard output is a terminal, unless `NO_COLOR` is set; `FORCE_COLOR` forces them.

## Environment

| variable | meaning |
|---|---|
| `PREMORTEM_PG_BIN` | folders with PostgreSQL server programs, searched first; separated as `PATH` is |
| `PREMORTEM_CACHE_DIR` | where twins and server templates are kept |
| `GITHUB_TOKEN`, `GITHUB_REPOSITORY`, `GITHUB_API_URL` | where and as whom `comment` posts on GitHub |
| `GITHUB_REF`, `GITHUB_EVENT_PATH`, `GITHUB_RUN_ID` | which pull request; Actions sets all of these but the token |
| `GITHUB_STEP_SUMMARY` | where `comment` puts a report that may not be posted |
| `PREMORTEM_GITLAB_TOKEN`, `CI_API_V4_URL`, `CI_PROJECT_ID` | where and as whom it posts on GitLab |
| `CI_MERGE_REQUEST_IID`, `CI_PIPELINE_ID` | which merge request; GitLab CI sets all of these but the token |
| `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, `SSL_CERT_FILE` | `comment`: a proxy, and certificates of one's own |
| `PGHOST`, `PGUSER`, `PGPASSWORD`, `PGPASSFILE`, … | what the DSN of `profile pull` leaves out, as for `psql` |
"""


def page() -> str:
    """Return the page as Markdown."""
    lines = ["# Commands", "", _MADE, ""]
    for command in commands(parser.build()):
        lines += [*_command(command), ""]
    return "\n".join([*lines, _CODES])


def commands(root: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the parser and those of its commands, in the order of the help."""
    yield root
    for action in root._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from commands(below)


def options(command: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield what can be typed after a command, subcommands, --help and repetitions left out."""
    for action in command._actions:
        if action.help != argparse.SUPPRESS and not isinstance(
            action, argparse._SubParsersAction | argparse._HelpAction
        ):
            yield action


def _command(command: argparse.ArgumentParser) -> list[str]:
    rows = [f"| {_typed(a)} | {_meaning(command, a)} |" for a in options(command)]
    table = ["", "| argument | meaning |", "|---|---|", *rows] if rows else []
    return [f"## {command.prog}", "", " ".join((command.description or "").split()), *table]


def _typed(action: argparse.Action) -> str:
    value = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else "")
    names = ", ".join(f"`{n}`" for n in action.option_strings)
    return f"{names} `{value}`".strip() if names and value else names or f"`{value}`"


def _meaning(command: argparse.ArgumentParser, action: argparse.Action) -> str:
    said = (action.help or "").replace("%(default)s", str(action.default)).replace("%(prog)s", command.prog)
    return " ".join(said.split()) + (" (required)" if action.option_strings and action.required else "")
