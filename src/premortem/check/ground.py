"""What a verdict rests on besides the query and the database: the rules and their settings, as one text."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from premortem.settings import Settings

#: What differs from run to run or from checkout to checkout, or decides only whom to ask.
_NOT_RULES = frozenset({"today", "speed", "here", "owners", "baseline", "tables"})


def ground(settings: Settings) -> str:
    """Return a text that is the same while the rules, their thresholds and severities are."""
    kept = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings) if f.name not in _NOT_RULES}
    return repr((_plain(kept), sorted(settings.rule_names)))


def _plain(value: object) -> object:
    """Return a value whose text does not depend on the order in which sets and mappings were filled."""
    if isinstance(value, Mapping):
        return sorted((str(k), _plain(v)) for k, v in value.items())
    if isinstance(value, frozenset | set):
        return sorted(map(str, value))
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if dataclasses.is_dataclass(value):
        return [(f.name, _plain(getattr(value, f.name))) for f in dataclasses.fields(value)]
    return str(value)
