"""The search path of each session, as far as its own statements set it."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field

_SET = re.compile(r"\s*set\s+(?P<scope>local\s+|session\s+)?search_path\s*(?:to|=)\s*(?P<names>[^;]*)", re.IGNORECASE)
_CONFIG = re.compile(
    r"\s*select\s+(?:pg_catalog\s*\.\s*)?set_config\s*\(\s*'search_path'\s*,\s*'(?P<names>(?:[^']|'')*)'\s*,\s*(?P<local>\w+)",
    re.IGNORECASE,
)
_RESET = re.compile(r"\s*(?:reset\s+(?:search_path|all)|discard\s+all)\b", re.IGNORECASE)
_END = re.compile(r"\s*(?:commit|end|rollback(?!\s+to)|abort)\b", re.IGNORECASE)
_NAME = re.compile(
    r"\s*(?:\"(?P<quoted>(?:[^\"]|\"\")*)\"|'(?P<string>(?:[^']|'')*)'|(?P<plain>[^\s,\"']+))\s*(?:,|\Z)"
)
_MOST = 20_000


@dataclass(slots=True)
class SearchPaths:
    """What each session set, and what it set until the end of its transaction."""

    known: OrderedDict[str, tuple[str, ...]] = field(default_factory=OrderedDict)
    local: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, session: str) -> tuple[str, ...] | None:
        """Return a session's search path, None where it set none."""
        return self.local.get(session) or self.known.get(session)

    def take(self, session: str, text: str) -> None:
        """Note what a statement does to its session's search path."""
        if _END.match(text):
            self.local.pop(session, None)
        elif _RESET.match(text):
            self.known.pop(session, None)
            self.local.pop(session, None)
        else:
            self._set(session, text)

    def _set(self, session: str, text: str) -> None:
        plain, config = _SET.match(text), _CONFIG.match(text)
        found = plain or config
        if found is None:
            return
        path = names(found["names"].replace("''", "'") if config else found["names"])
        is_local = (plain and (plain["scope"] or "").strip().lower() == "local") or (
            config and config["local"].lower() in ("true", "t")
        )
        if not path or path == ("DEFAULT",):
            self.known.pop(session, None)
        elif is_local:
            self.local[session] = path
        else:
            self.known[session] = path
            if len(self.known) > _MOST:
                self.known.popitem(last=False)


def names(text: str) -> tuple[str, ...]:
    """Return the schemas that a search path names.

    >>> names("tenant_1, \\"Public\\", 'x'"), names("''")
    (('tenant_1', 'Public', 'x'), ())
    """
    found, position = [], 0
    while position < len(text.rstrip()):
        match = _NAME.match(text, position)
        if match is None:
            return ()
        position = match.end()
        plain = match["plain"]
        name = match["quoted"] or match["string"] or (plain if plain == "DEFAULT" else (plain or "").lower())
        if name:
            found.append(name.replace('""', '"'))
    return tuple(found)
