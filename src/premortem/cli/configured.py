"""Reads the settings, for commands that need nothing else of what judging loads."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from premortem.errors import SettingsError
from premortem.settings import DEFAULT_FILE, Settings
from premortem.settings import parse as parse_settings


def settings_of(path: Path | None) -> Settings:
    """Return the settings of a file, of `premortem.toml` here where none is named, else the defaults.

    Raises SettingsError.
    """
    chosen, today = path or Path(DEFAULT_FILE), date.today()
    if path is None and not chosen.exists():
        return Settings(today=today)
    try:
        text = chosen.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{chosen} is not UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise SettingsError(f"{chosen} cannot be read: {error.strerror}") from error
    return parse_settings(text, str(chosen), here=os.getcwd(), today=today)
