"""`premortem watch test-notify`: a marked test to the channels, so that the first real alert is not the test."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from premortem import notify
from premortem.cli import watching
from premortem.errors import SettingsError
from premortem.secrets import Secrets
from premortem.settings import Channel


def run(arguments: argparse.Namespace) -> int:
    """Send the tests, say what was answered, and end with 1 where a channel could not be told."""
    settings, secrets = watching.watching_of(arguments.settings)
    chosen = watching.chosen_channels(settings, arguments.channel)
    worked = [_tested(channel, secrets, settings.link) for channel in chosen]
    return 0 if all(worked) else 1


def _tested(channel: Channel, secrets: Secrets, link: str) -> bool:
    """Send a test to one channel, say what became of it, and return whether it worked."""
    try:
        outcomes = _outcomes(channel, secrets, link)
    except SettingsError as error:
        hint = f" ({error.hint})" if error.hint else ""
        print(f"not told: {error.message}{hint}")
        return False
    worked = all(outcome.verdict is notify.Verdict.DONE for outcome in outcomes)
    said = "; ".join(dict.fromkeys(outcome.says for outcome in outcomes))
    print(f"{'told' if worked else 'not told'}: {said}")
    return worked


def _outcomes(channel: Channel, secrets: Secrets, link: str) -> tuple[notify.Outcome, ...]:
    url = secrets.read(channel.url, f"the address of channel {channel.name}")
    token = secrets.read(channel.token, f"the token of channel {channel.name}")
    return notify.try_out(channel, notify.sender(channel, url=url, token=token), datetime.now(UTC), link=link)
