"""The channels that are told, one round each: begun, ended and begun anew as the settings change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from premortem.daemon.current import Current, Loaded
from premortem.daemon.delivering import Office, Round, joined
from premortem.notify import Postman, Sender, sender
from premortem.settings import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What a round was made for: where that changes, it is made anew."""

    channel: Channel
    url: str
    token: str
    link: str


class Mail:
    """All rounds; for the thread that takes orders."""

    def __init__(self, current: Current, office: Office) -> None:
        self._current = current
        self._office = office
        self._rounds: dict[str, tuple[_Made, Round]] = {}

    def follow(self) -> None:
        """Tell the channels of the settings, and no others; raises SettingsError for one that cannot work."""
        wanted = {made.channel.name: made for made in _wanted(self._current.loaded)}
        left = [name for name, (made, _) in self._rounds.items() if wanted.get(name) != made]
        for name in left:
            self._rounds[name][1].stop()
        for name in left:
            made, ended = self._rounds.pop(name)
            ended.join(made.channel.timeout_seconds + 1)
        for name, made in wanted.items():
            if name not in self._rounds:
                self._begin(made)

    def check(self, loaded: Loaded) -> None:
        """Raise SettingsError where one of the channels of some settings cannot work."""
        for made in _wanted(loaded):
            _sender(made)

    def wake(self) -> None:
        """Say that there are letters."""
        for _, one in tuple(self._rounds.values()):
            one.wake()

    def stop(self, seconds: float) -> Sequence[str]:
        """End all rounds, together within so many seconds; return the names of those that did not."""
        rounds = [one for _, one in self._rounds.values()]
        for one in rounds:
            one.stop()
        return joined(rounds, max(0.0, seconds))

    def _begin(self, made: _Made) -> None:
        postman = Postman(channel=made.channel, sender=_sender(made), outbox=self._office.store, link=made.link)
        one = Round(postman, self._office)
        self._rounds[made.channel.name] = (made, one)
        one.start()


def _wanted(loaded: Loaded) -> list[_Made]:
    return [
        _Made(
            channel=channel,
            url=loaded.secrets[channel.url],
            token=loaded.secrets[channel.token],
            link=loaded.watching.link,
        )
        for channel in loaded.watching.channels
    ]


def _sender(made: _Made) -> Sender:
    return sender(made.channel, url=made.url, token=made.token)
