"""What `premortem.toml` may say, read into values; a key that nobody knows is refused by name.

A setting that is silently ignored is worse than none: whoever wrote it believes that it holds.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, TypeVar

from premortem import advisor, rules
from premortem.errors import SettingsError
from premortem.model import Severity

DEFAULT_FILE = "premortem.toml"
OFF = "off"
#: Findings that check itself makes: their severity can be set, they have no limits.
OWN_RULES = ("missing-index", "unused-allow", "allow-without-reason")
_SECTIONS = ("rules", "advisor", "tables")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a run.

    `severities` are those that the user chose, `off` the rules switched off, `limits` the rules' thresholds, `tables`
    the rows that a table without statistics is taken to have.
    """

    severities: Mapping[str, Severity] = field(default_factory=lambda: MappingProxyType({}))
    off: frozenset[str] = frozenset()
    limits: rules.Limits = field(default_factory=rules.Limits)
    advisor: advisor.Limits = field(default_factory=advisor.Limits)
    tables: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def rule_names(self) -> frozenset[str]:
        """The names of everything that can be found."""
        return known_rules()


def known_rules() -> frozenset[str]:
    """Return the names of everything that can be found."""
    return frozenset((*(r.name for r in rules.RULES), *OWN_RULES))


def parse(text: str, source: str) -> Settings:
    """Return the settings that a TOML text holds; `source` names it in errors.

    Raises SettingsError.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source} is no TOML: {error}") from error
    reader = _Reader(source)
    reader.known(document, _SECTIONS, "")
    chosen = reader.table(document, "rules", "")
    reader.known(chosen, known_rules(), "rules")
    severities = {name: reader.severity(reader.table(chosen, name, "rules"), name) for name in chosen}
    return Settings(
        severities=MappingProxyType({name: Severity(s) for name, s in severities.items() if s and s != OFF}),
        off=frozenset(name for name, s in severities.items() if s == OFF),
        limits=_limits(reader, chosen),
        advisor=reader.fill(advisor.Limits(), reader.table(document, "advisor", ""), "advisor"),
        tables=MappingProxyType(_assumptions(reader, reader.table(document, "tables", ""))),
    )


def _limits(reader: _Reader, chosen: Mapping[str, Any]) -> rules.Limits:
    said = {name: {k: v for k, v in table.items() if k != "severity"} for name, table in chosen.items()}
    try:
        return rules.limits({name: table for name, table in said.items() if table and name not in OWN_RULES})
    except SettingsError as error:
        raise reader.error("", error.message, error.hint) from error


def page() -> str:
    """Return the reference page of the settings, made from the defaults, so that the two cannot differ."""
    rows = [line for rule in rules.RULES for line in _rule_rows(rule)]
    fields = dataclasses.fields(advisor.Limits)
    advice = [f"| `{f.name}` | {_shown(getattr(advisor.Limits(), f.name))} |" for f in fields]
    own = ", ".join(f"`{name}`" for name in OWN_RULES)
    about = " ".join((advisor.Limits.__doc__ or "").split())
    return _PAGE.format(rows="\n".join(rows), advice="\n".join(advice), about=about, own=own)


def _rule_rows(rule: rules.Rule) -> list[str]:
    defaults = _defaults(rule)
    fields = dataclasses.fields(defaults)
    limits = "<br>".join(f"`{f.name} = {_shown(getattr(defaults, f.name))}`" for f in fields)
    return [f"| [`{rule.name}`](rules/{rule.name}.md) | {rule.severity.value} | {limits} |"]


def _defaults(rule: rules.Rule) -> Any:
    """Return a rule's thresholds as they are without settings: each rule's module has them as `Limits`."""
    return importlib.import_module(f"{rules.__name__}.{rule.name.replace('-', '_')}").Limits()


def _shown(value: float) -> str:
    return f"{value:_}" if isinstance(value, int) or value == int(value) else f"{value}"


_PAGE = """\
# Settings

<!-- made by scripts/docs from the defaults; do not edit -->

`premortem check` and `premortem explain` read `premortem.toml` in the current folder, or the file that `--settings`
names. Everything has a default. A key that premortem does not know is refused by name: a setting that is silently
ignored would be worse than none.

```toml
[rules.deep-offset]
severity = "off"              # "error", "warning", "info" or "off"

[rules.seq-scan-discards-rows]
min_rows = 50_000             # a threshold of that rule

[advisor]
min_gain = 10                 # how many times cheaper an index has to make the worst parameter set

[tables."public.new_table"]
rows = 5_000_000              # what a table without statistics will grow to
```

## `[rules.NAME]`

`severity` decides what a finding does: `error` fails the gate, `warning` and `info` do not, `off` takes it out of the
report (it stays in the JSON report, under `suppressed`). A severity that you set is kept even where premortem would
raise it because an index cures the finding, or lower it because none does.

| rule | severity | thresholds and their defaults |
|---|---|---|
{rows}

check's own findings have a severity and no thresholds: {own}.

## `[advisor]`

{about}

| key | default |
|---|--:|
{advice}

## `[tables."NAME"]`

`rows`: how many rows a table is taken to have that has no statistics in production, such as one that the change's
migrations create. Without it premortem assumes a number and says so in a gap. `NAME` is the table as SQL writes it,
with its schema unless that is on the search path.
"""


def _assumptions(reader: _Reader, tables: Mapping[str, Any]) -> dict[str, float]:
    assumed = {}
    for name in tables:
        said = reader.table(tables, name, "tables")
        where = f'tables."{name}"'
        reader.known(said, ("rows",), where)
        if "rows" not in said:
            raise reader.error(where, "rows is missing")
        assumed[name] = reader.number(said["rows"], f"{where}.rows")
    return assumed


@dataclass(frozen=True, slots=True)
class _Reader:
    """Takes values out of a TOML document and says where a wrong one stands."""

    source: str

    def error(self, where: str, says: str, hint: str | None = None) -> SettingsError:
        """Return the error to raise about a place in the document."""
        return SettingsError(f"{self.source}: {where}: {says}" if where else f"{self.source}: {says}", hint=hint)

    def known(self, said: Mapping[str, Any], names: Collection[str], where: str) -> None:
        """Refuse a key that is none of the names."""
        for key in said:
            if key not in names:
                close = get_close_matches(key, names, n=1)
                hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(names))}"
                raise self.error(where, f"{key} is no setting", hint)

    def table(self, said: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
        """Return a table of the document, an empty one where it is absent."""
        value = said.get(key, {})
        if not isinstance(value, dict):
            raise self.error(
                f"{where}.{key}".lstrip("."), "a table is wanted", f"write [{where}.{key}]".replace("[.", "[")
            )
        return value

    def severity(self, said: Mapping[str, Any], rule: str) -> str | None:
        """Return the severity that a rule's table names, or `off`."""
        value = said.get("severity")
        choices = [*Severity, OFF]
        if value is not None and value not in choices:
            raise self.error(f"rules.{rule}.severity", f"{value!r} is none of {', '.join(choices)}")
        return value

    def number(self, value: Any, where: str) -> float:
        """Return a number that is finite and not below zero."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(where, f"{value!r} is no number")
        if not math.isfinite(value) or value < 0:
            raise self.error(where, f"{value} must be 0 or more")
        return value

    def fill(self, defaults: T, said: Mapping[str, Any], where: str, also: Collection[str] = ()) -> T:
        """Return a dataclass of limits with the values that the document gives; `also` are keys that are not of it."""
        fields = {f.name: getattr(defaults, f.name) for f in dataclasses.fields(defaults)}  # type: ignore[arg-type]
        self.known(said, (*fields, *also), where)
        changed = {k: self._like(fields[k], v, f"{where}.{k}") for k, v in said.items() if k in fields}
        return dataclasses.replace(defaults, **changed) if changed else defaults  # type: ignore[type-var]

    def _like(self, default: Any, value: Any, where: str) -> Any:
        if isinstance(default, bool):
            if not isinstance(value, bool):
                raise self.error(where, f"{value!r} is neither true nor false")
            return value
        number = self.number(value, where)
        if isinstance(default, int) and number != int(number):
            raise self.error(where, f"{value!r} is no whole number")
        return type(default)(number)
