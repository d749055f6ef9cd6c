"""What `premortem.toml` may say, read into values; a key that nobody knows is refused by name.

A setting that is silently ignored is worse than none: whoever wrote it believes that it holds.

    parse(text, source)   -> Settings       raises SettingsError that names key, line and what was meant
    settings.at(source)   -> Settings       those that hold for a query of that file
    settings.owners_of(…) -> owners
    page()                -> the reference page, made from the defaults

Pure: reading the file, and knowing which folder this is, are the shell's.
"""

from premortem.settings.names import OFF, OWN_RULES, SEVERITY_WORDS, known_rules
from premortem.settings.parsing import parse
from premortem.settings.reference import page
from premortem.settings.values import Budget, Ownership, PathSettings, Settings, Speed
from premortem.settings.watching import (
    Channel,
    Instance,
    Maintenance,
    Mute,
    Override,
    Pooler,
    Secret,
    Watching,
    WatchLimits,
)

DEFAULT_FILE = "premortem.toml"

__all__ = [
    "DEFAULT_FILE",
    "OFF",
    "OWN_RULES",
    "SEVERITY_WORDS",
    "Budget",
    "Channel",
    "Instance",
    "Maintenance",
    "Mute",
    "Override",
    "Ownership",
    "PathSettings",
    "Pooler",
    "Secret",
    "Settings",
    "Speed",
    "WatchLimits",
    "Watching",
    "known_rules",
    "page",
    "parse",
]
