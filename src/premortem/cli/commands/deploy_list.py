"""`premortem deploy list`: the ledger."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from premortem import words
from premortem.cli import output, watching
from premortem.model import Deploy, codec

_COMMIT = re.compile(r"[0-9a-f]{40,64}\Z")


def run(arguments: argparse.Namespace) -> int:
    """List the deploys, the newest last."""
    settings, secrets = watching.watching_of(arguments.settings)
    with watching.opened_store(settings, secrets, dsn=arguments.store) as store:
        found = store.deploys(since=datetime.now(UTC) - arguments.since, services=arguments.service)
    output.write(_as_json(found) if arguments.format == "json" else _as_text(found))
    return 0


def short(revision: str) -> str:
    """Return a revision as people write it: a commit's first twelve digits, any other name as it is."""
    return revision[:12] if _COMMIT.match(revision) else revision


def _as_json(found: Sequence[Deploy]) -> str:
    return json.dumps([codec.encode(deploy) for deploy in found], indent=2) + "\n"


def _as_text(found: Sequence[Deploy]) -> str:
    if not found:
        return "no deploys\n"
    width = max(len(deploy.service) for deploy in found)
    return "".join(f"{_line(deploy, width)}\n" for deploy in found)


def _line(deploy: Deploy, width: int) -> str:
    parts = [f"{deploy.at:%Y-%m-%d %H:%M:%S}Z", f"{deploy.service:<{width}}", short(deploy.revision)]
    parts += [part for part in (deploy.environment, deploy.author, deploy.says, deploy.url) if part]
    return words.plain("  ".join(parts))
