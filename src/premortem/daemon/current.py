"""The settings that hold now: read at start, read again when somebody asks, and kept as they are where that fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from premortem.model import AlertChange
from premortem.notify import admits
from premortem.secrets import Secrets, all_of
from premortem.settings import Secret, Watching


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Settings with the values of their secrets."""

    watching: Watching
    secrets: Mapping[Secret, str]

    def __repr__(self) -> str:
        return f"<Loaded {len(self.watching.instances)} instances>"


def load(read: Callable[[], Watching], secrets: Secrets) -> Loaded:
    """Return the settings as they are written now.

    Raises SettingsError where they say nonsense, or a secret is not where they say.
    """
    watching = read()
    return Loaded(watching=watching, secrets=all_of(watching, secrets))


class Current:
    """What holds now; threads read it at each poll."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._lock = threading.Lock()

    @property
    def loaded(self) -> Loaded:
        """Settings and secrets, which belong together."""
        with self._lock:
            return self._loaded

    @property
    def watching(self) -> Watching:
        """The settings."""
        return self.loaded.watching

    def channels(self, change: AlertChange) -> tuple[str, ...]:
        """Return the names of the channels that are told of a change."""
        return tuple(channel.name for channel in self.watching.channels if admits(channel, change))

    def secret(self, secret: Secret) -> str:
        """Return the value of a secret; empty where the settings say nothing."""
        return self.loaded.secrets.get(secret, secret.said)

    def replace(self, loaded: Loaded) -> None:
        """Let other settings hold from now on."""
        with self._lock:
            self._loaded = loaded
