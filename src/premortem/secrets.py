"""Secrets: read where the settings say they are, at start and at every reload, and taken out of whatever is said.

A password in a settings file ends in a repository sooner or later; one in a file or a variable is what systemd,
Kubernetes and CI hand out.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from premortem import pg
from premortem.errors import SettingsError
from premortem.settings import Secret, Watching

#: What systemd calls the folder that LoadCredential= fills.
CREDENTIALS = "CREDENTIALS_DIRECTORY"
_MOST_BYTES = 64 * 1024
#: Shorter ones stand in half of all words: hiding `a` would leave nothing to read, and protect nothing.
_SHORTEST_HIDDEN = 6
HIDDEN = "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Where secrets are looked for: variables, and files whose relative names start at these folders."""

    variables: Mapping[str, str] = field(repr=False)
    folders: tuple[Path, ...] = ()

    @classmethod
    def of(cls, here: Path) -> Secrets:
        """Return those of this process: its environment, systemd's credentials, then the settings' own folder."""
        credentials = os.environ.get(CREDENTIALS)
        folders = ((Path(credentials),) if credentials else ()) + (here,)
        return cls(variables=os.environ, folders=folders)

    def read(self, secret: Secret, what: str) -> str:
        """Return the value of a secret; empty where the settings say nothing of it.

        Raises SettingsError, which names `what` wants it and where it was looked for, and never the value.
        """
        if secret.env:
            return self._variable(secret.env, what)
        if secret.file:
            return self._file(secret.file, what)
        return secret.said

    def _variable(self, name: str, what: str) -> str:
        value = self.variables.get(name, "").strip()
        if not value:
            raise SettingsError(
                f"{what} is in the environment variable {name}, which is not set", hint=f"set {name}, and start again"
            )
        return value

    def _file(self, name: str, what: str) -> str:
        path = self._place(name)
        try:
            with path.open("rb") as file:
                said = file.read(_MOST_BYTES + 1)
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise SettingsError(f"{what} is in the file {path}, which cannot be read: {why}") from error
        return _text(said, path, what)

    def _place(self, name: str) -> Path:
        path = Path(name).expanduser()
        if path.is_absolute() or not self.folders:
            return path
        there = (folder / path for folder in self.folders)
        return next((one for one in there if one.exists()), self.folders[-1] / path)


def _text(said: bytes, path: Path, what: str) -> str:
    if len(said) > _MOST_BYTES:
        raise SettingsError(f"{what} is in the file {path}, which is too large for a secret")
    try:
        value = said.decode().strip()
    except UnicodeDecodeError as error:
        raise SettingsError(f"{what} is in the file {path}, which is not text") from error
    if not value or "\0" in value:
        raise SettingsError(f"{what} is in the file {path}, which {'holds a NUL' if value else 'is empty'}")
    return value


def all_of(watching: Watching, secrets: Secrets) -> Mapping[Secret, str]:
    """Return every secret of the settings with its value; raises SettingsError for the first that is not there."""
    return {secret: secrets.read(secret, what) for secret, what in _named(watching)}


def _named(watching: Watching) -> Iterable[tuple[Secret, str]]:
    yield watching.store, "the store's connection string"
    yield watching.deploy_token, "the token of POST /deploys"
    for instance in watching.instances:
        yield instance.dsn, f"the connection string of instance {instance.name}"
        for pooler in instance.poolers:
            yield pooler.dsn, f"the connection string of pooler {pooler.name} of {instance.name}"
    for channel in watching.channels:
        yield channel.url, f"the address of channel {channel.name}"
        yield channel.token, f"the token of channel {channel.name}"


def hidden_parts(values: Iterable[str]) -> tuple[str, ...]:
    """Return what must not be shown of these secrets: themselves, and the passwords in connection strings."""
    parts = {part for value in values for part in (value, *pg.passwords(value))}
    return tuple(sorted((part for part in parts if len(part) >= _SHORTEST_HIDDEN), key=len, reverse=True))


def hide(text: str, parts: Iterable[str]) -> str:
    """Return a text without any of these parts.

    >>> hide("GET https://hooks.example/T0/secret failed", ["https://hooks.example/T0/secret"])
    'GET *** failed'
    """
    for part in parts:
        text = text.replace(part, HIDDEN)
    return text
