"""Every error that premortem raises on purpose, so that the shell can turn one into a sentence and an exit code.

```
PremortemError            exit 3, could not tell
├── UsageError            exit 2, the command or its settings are wrong
│   ├── SettingsError     premortem.toml
│   ├── InputError        a file or text that the user handed in
│   └── TargetRefused     a database that a mirror must not be built in: production, not empty, not ours, too small
├── ServerError           a PostgreSQL server said no, or is not there
│   ├── ConnectionRefused
│   ├── PrivilegeError
│   ├── ServerTimeout     a statement, lock or connect timeout
│   └── UnsupportedServer
├── InstallationError     no usable PostgreSQL programs on this machine, or they would not start
├── ProfileError          a profile that is truncated, edited, foreign or newer than we are
├── ForgeError            GitHub's or GitLab's API said no, or did not answer
│   ├── ForgeRefused      the token may not do what was asked
│   └── Unanswered        nobody knows whether a request was carried out
├── TwinError             a twin that does not reproduce production's numbers, so must not be asked
├── MirrorError           a mirror that could not be finished; what is done already stays done
├── CaptureError          a capture that is truncated, edited, foreign or newer than we are, or could not be made
│   └── CommandError      the suite's command could not be run; carries the shell's exit status for that
├── StoreError            the database that keeps the state of watching cannot be used
├── CheckpointError       what an earlier run of watching put away cannot be read
└── StatementError        a query that cannot be parsed or planned; carries the server's own message
```
"""

from __future__ import annotations

from typing import ClassVar


class PremortemError(Exception):
    """Something went wrong and premortem could not tell."""

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").splitlines()[0])
        self.hint = hint

    @property
    def message(self) -> str:
        """What is wrong and why, in one sentence, without the hint."""
        return str(self.args[0])


class UsageError(PremortemError):
    """The command cannot be run as it was typed."""

    exit_code = 2


class SettingsError(UsageError):
    """The settings file says something that premortem does not understand."""


class InputError(UsageError):
    """The input cannot be read."""


class TargetRefused(UsageError):
    """No mirror may be built in that database."""


class ServerError(PremortemError):
    """The PostgreSQL server refused what was asked of it."""

    def __init__(self, message: str | None = None, *, hint: str | None = None, sqlstate: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.sqlstate = sqlstate


class ConnectionRefused(ServerError):
    """The PostgreSQL server cannot be reached."""


class PrivilegeError(ServerError):
    """The role lacks a privilege."""


class ServerTimeout(ServerError):
    """The PostgreSQL server did not answer in time."""


class UnsupportedServer(ServerError):
    """The PostgreSQL server is of a version or kind that premortem cannot work with."""


class InstallationError(PremortemError):
    """No usable PostgreSQL server programs were found on this machine."""


class ProfileError(PremortemError):
    """The profile cannot be used."""


class ForgeError(PremortemError):
    """The code host's API did not do what was asked of it."""

    def __init__(self, message: str | None = None, *, hint: str | None = None, status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class ForgeRefused(ForgeError):
    """The token may not do that."""


class Unanswered(ForgeError):
    """The code host's API did not answer, so it may or may not have done what was asked of it."""


class TwinError(PremortemError):
    """The twin does not reproduce production's numbers."""


class MirrorError(PremortemError):
    """The mirror could not be finished."""


class CaptureError(PremortemError):
    """The capture cannot be used."""


class CommandError(CaptureError):
    """The command cannot be run."""

    def __init__(self, message: str | None = None, *, status: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class CheckpointError(PremortemError):
    """What an earlier run put away cannot be read."""


class StoreError(PremortemError):
    """The database that keeps the state of watching cannot be used."""


class StatementError(PremortemError):
    """The statement cannot be parsed or planned."""

    def __init__(
        self,
        message: str | None = None,
        *,
        hint: str | None = None,
        sqlstate: str | None = None,
        position: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.sqlstate = sqlstate
        self.position = position
