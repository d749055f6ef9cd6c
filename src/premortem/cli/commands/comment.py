"""`premortem comment`: the report as the one comment of a pull or merge request."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from premortem import comment
from premortem.cli import border
from premortem.errors import ForgeError, InputError, PremortemError, UsageError

#: GitHub's limit of a job summary, https://docs.github.com/actions: 1 MiB for each step.
_MOST_SUMMARY = 1_000_000
_HOW = "make it with: premortem check … --save markdown=FILE"
_NO_REPORT = "The check ended with exit code {code} before it wrote a report; the job's log says why."


def run(arguments: argparse.Namespace) -> int:
    """Post the report; end with the verdict that was handed in, or say by the code whether it was posted."""
    try:
        _posted(arguments, os.environ)
    except PremortemError as error:
        if arguments.verdict is None:
            raise
        border.say(error.message, error.hint)
    return arguments.verdict or 0


def _posted(arguments: argparse.Namespace, environment: Mapping[str, str]) -> None:
    text = _text(arguments.report, arguments.verdict)
    to = comment.Forge(arguments.to) if arguments.to else None
    if arguments.dry_run:
        environment = {**environment, "GITHUB_TOKEN": "-", "PREMORTEM_GITLAB_TOKEN": "-"}
    target = comment.target(environment, _event(environment), to=to, number=arguments.number, id=arguments.id)
    if arguments.dry_run:
        print(f"{target.forge} {target.name}, by {target.api}, as {target.mark.id}:")
        print(target.mark.on(text), end="")
        return
    try:
        outcome = comment.post(comment.open_forge(target), target.mark, text)
    except ForgeError:
        _summarise(text, environment)
        raise
    print(f"premortem: comment on {target.name}: {outcome}", file=sys.stderr)


def _text(path: str, verdict: int | None) -> str:
    """Return the report; where there is none because the check could not write one, a sentence that says so.

    A comment that stays as it was would show an old verdict, perhaps a green one.
    """
    try:
        content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except FileNotFoundError as error:
        if verdict:
            return f"## premortem could not tell\n\n{_NO_REPORT.format(code=verdict)}\n"
        raise InputError(f"{path} does not exist", hint=_HOW) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", hint=_HOW) from error
    text = content.decode("utf-8", "replace")
    if not text.strip():
        raise InputError(f"{path} is empty", hint="did the check end before it wrote its report?")
    return text


def _event(environment: Mapping[str, str]) -> object:
    path = environment.get("GITHUB_EVENT_PATH")
    if not path:
        return None
    try:
        event: object = json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"GITHUB_EVENT_PATH {path} cannot be read: {error}") from error
    return event


def _summarise(text: str, environment: Mapping[str, str]) -> None:
    """Put the report where a job may always write, so that a comment that is refused does not hide it."""
    path = environment.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    with Path(path).open("a", encoding="utf-8", errors="replace") as file:
        file.write(comment.fitted(text, _MOST_SUMMARY // 4))
    print("premortem: the report is in the job's summary instead", file=sys.stderr)
