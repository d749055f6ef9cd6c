"""Takes values out of a TOML document and says where a wrong one stands."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias, TypeVar

from premortem.errors import SettingsError
from premortem.model import Severity
from premortem.settings.lines import line_of
from premortem.settings.names import SEVERITY_WORDS
from premortem.settings.places import mistake

T = TypeVar("T")
#: Where a value stands: keys from the top, numbers for the entries of a `[[list]]`.
Where: TypeAlias = tuple[str | int, ...]
_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


def shown(where: Where) -> str:
    """Return a place as TOML writes it; entries of a list count from 1.

    >>> shown(("budgets", 0, "rows_read")), shown(("tables", "public.x", "rows"))
    ('budgets[1].rows_read', 'tables."public.x".rows')
    """
    steps = [f"[{s + 1}]" if isinstance(s, int) else f".{_key(s)}" for s in where]
    return "".join(steps).removeprefix(".")


def _key(name: str) -> str:
    return name if _BARE.match(name) else json.dumps(name, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Reader:
    """Takes values out of a TOML document and says where a wrong one stands."""

    source: str
    text: str

    def error(self, where: Where, says: str, hint: str | None = None) -> SettingsError:
        """Return the error to raise about a place in the document."""
        line = line_of(self.text, where)
        source = self.source if line is None else f"{self.source}:{line}"
        return SettingsError(f"{source}: {shown(where)}: {says}" if where else f"{source}: {says}", hint=hint)

    def known(self, said: Mapping[str, Any], names: Collection[str], where: Where) -> None:
        """Refuse a key that is none of the names."""
        for key in said:
            if key not in names:
                close = get_close_matches(key, names, n=1)
                hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(names))}"
                line = line_of(self.text, (*where, key))
                error = self.error(where, f"{key} is no setting", hint)
                raise error if line is None else SettingsError(self._at(line, where, key), hint=hint)

    def _at(self, line: int, where: Where, key: str) -> str:
        place = f"{shown(where)}: " if where else ""
        return f"{self.source}:{line}: {place}{key} is no setting"

    def table(self, said: Mapping[str, Any], key: str, where: Where) -> Mapping[str, Any]:
        """Return a table of the document, an empty one where it is absent."""
        value = said.get(key, {})
        if not isinstance(value, dict):
            raise self.error((*where, key), "a table is wanted", f"write [{shown((*where, key))}]")
        return value

    def entries(self, said: Mapping[str, Any], key: str) -> Iterator[tuple[Where, Mapping[str, Any]]]:
        """Yield the entries of a `[[list]]` of tables, with their places."""
        value = said.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self.error((key,), "a list of tables is wanted", f"write [[{key}]]")
        yield from (((key, place), entry) for place, entry in enumerate(value))

    def texts(self, said: Mapping[str, Any], key: str, where: Where) -> tuple[str, ...]:
        """Return a text, or a list of texts, as texts; none where the key is absent."""
        if key not in said:
            return ()
        value = said[key]
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(t, str) and t.strip() for t in texts) or not texts:
            raise self.error((*where, key), "a text or a list of texts is wanted", f'for example {key} = "…"')
        return tuple(texts)

    def patterns(self, said: Mapping[str, Any], key: str, where: Where) -> tuple[str, ...]:
        """Return a pattern of paths, or a list of them."""
        found = self.texts(said, key, where)
        for pattern in found:
            if (wrong := mistake(pattern)) is not None:
                raise self.error((*where, key), f"{pattern!r} is no pattern: {wrong}")
        return found

    def severity(self, value: Any, where: Where) -> Severity | None:
        """Return the severity that a word means, None for `off`."""
        if not isinstance(value, str) or value not in SEVERITY_WORDS:
            close = get_close_matches(str(value), SEVERITY_WORDS, n=1)
            hint = f"did you mean {close[0]}?" if close else None
            raise self.error(where, f"{value!r} is none of {', '.join(SEVERITY_WORDS)}", hint)
        return SEVERITY_WORDS[value]

    def number(self, value: Any, where: Where) -> float:
        """Return a number that is finite and not below zero."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(where, f"{value!r} is no number")
        if not math.isfinite(value) or value < 0:
            raise self.error(where, f"{value} must be 0 or more")
        return value

    def fill(self, defaults: T, said: Mapping[str, Any], where: Where) -> T:
        """Return a dataclass of limits with the values that the document gives."""
        fields = {f.name: getattr(defaults, f.name) for f in dataclasses.fields(defaults)}  # type: ignore[arg-type]
        self.known(said, fields, where)
        changed = {k: self._like(fields[k], v, (*where, k)) for k, v in said.items()}
        return dataclasses.replace(defaults, **changed) if changed else defaults  # type: ignore[type-var]

    def _like(self, default: Any, value: Any, where: Where) -> Any:
        if isinstance(default, bool):
            if not isinstance(value, bool):
                raise self.error(where, f"{value!r} is neither true nor false")
            return value
        number = self.number(value, where)
        if isinstance(default, int) and number != int(number):
            raise self.error(where, f"{value!r} is no whole number")
        return type(default)(number)
