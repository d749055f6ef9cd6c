"""What the commands of watching have in common: the settings with their secrets, and the store."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from premortem import store
from premortem.cli.configured import settings_of
from premortem.errors import UsageError
from premortem.secrets import Secrets
from premortem.settings import DEFAULT_FILE, Channel, Watching


def watching_of(path: Path | None) -> tuple[Watching, Secrets]:
    """Return what the settings say of watching, and where their secrets are looked for.

    Raises SettingsError.
    """
    here = (path or Path(DEFAULT_FILE)).absolute().parent
    return settings_of(path).watching, Secrets.of(here)


def chosen_channels(watching: Watching, names: list[str]) -> tuple[Channel, ...]:
    """Return the channels of these names, all where none is given; raises UsageError for one that is not there."""
    known = {channel.name: channel for channel in watching.channels}
    if not known:
        raise UsageError(
            "the settings have no channel", hint="add [[channels]] to premortem.toml, or name it: --settings"
        )
    missing = [name for name in names if name not in known]
    if missing:
        raise UsageError(f"the settings have no channel {missing[0]}", hint=f"they have {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(names)) if names else watching.channels


def opened_store(
    watching: Watching, secrets: Secrets, *, dsn: str | None = None, create: bool = False
) -> AbstractContextManager[store.Store]:
    """Return the store of that DSN, else the one that the settings name, which has to be there already.

    With `create`, a state directory that the settings name is made; the usual one never is: a pipeline that forgot to
    say where state lives would fill a directory that nobody reads.
    """
    said = dsn if dsn is not None else secrets.read(watching.store, "the store's connection string") or None
    said_directory = Path(watching.state_directory).expanduser()
    directory = secrets.folders[-1] / said_directory if watching.state_directory else None  # from the settings' folder
    return store.open(said, directory=directory, create=create and directory is not None)
