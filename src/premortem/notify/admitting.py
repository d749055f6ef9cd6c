"""Which channel is told what: by urgency, instance and owner, as the settings say."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from premortem.model import Alert, AlertChange, Deploy, Turn
from premortem.settings import Channel


def admits(channel: Channel, change: AlertChange) -> bool:
    """Return whether a change goes into the channel's outbox.

    An end must reach whoever was told of the beginning, also where the alert became a ticket or was muted meanwhile;
    the postman leaves out those whose beginning the channel was not told of.
    """
    if change.turn is Turn.CLOSED:
        return _about(channel, change.alert)
    if change.alert.muted:
        return False
    return _about(channel, change.alert) if change.turn is Turn.BETTER else admits_alert(channel, change.alert)


def admits_alert(channel: Channel, alert: Alert) -> bool:
    """Return whether an alert, as it stands, is one that the channel is told of."""
    urgent = not channel.urgencies or alert.urgency.value in channel.urgencies
    return urgent and _about(channel, alert)


def admits_deploy(channel: Channel, deploy: Deploy) -> bool:
    """Return whether the channel is told of deploys."""
    return channel.deploys


def _about(channel: Channel, alert: Alert) -> bool:
    return _matches(channel.instances, (alert.instance,)) and _matches(channel.owners, alert.owners)


def _matches(patterns: Sequence[str], names: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns for name in names)
