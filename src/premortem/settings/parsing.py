"""From the text of a settings file to `Settings`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from premortem import advisor, baseline, rules
from premortem.errors import SettingsError
from premortem.model import Severity
from premortem.settings.names import OWN_RULES, known_rules
from premortem.settings.reader import Reader, Where
from premortem.settings.values import Budget, Ownership, PathSettings, Settings
from premortem.settings.watching import Watching

WATCHED = ("watch", "instances", "channels", "mutes", "maintenance")
SECTIONS = ("rules", "paths", "budgets", "owners", "advisor", "baseline", "tables", *WATCHED)
_MEASURES = ("rows_read", "cost", "ms")


def parse(text: str, source: str, *, here: str = "", today: date = date.max) -> Settings:
    """Return the settings that a TOML text holds; `source` names it in errors; `here` and `today` are the run's.

    Raises SettingsError.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source} is no TOML: {error}") from error
    reader = Reader(source, text)
    reader.known(document, SECTIONS, ())
    chosen = _rules(reader, reader.table(document, "rules", ()), ("rules",))
    owners = tuple(_ownership(reader, said, where) for where, said in reader.entries(document, "owners"))
    return Settings(
        severities=chosen.severities,
        off=chosen.off,
        limits=chosen.limits,
        advisor=reader.fill(advisor.Limits(), reader.table(document, "advisor", ()), ("advisor",)),
        baseline=reader.fill(baseline.Limits(), reader.table(document, "baseline", ()), ("baseline",)),
        tables=MappingProxyType(_assumptions(reader, reader.table(document, "tables", ()))),
        budgets=tuple(_budget(reader, said, where) for where, said in reader.entries(document, "budgets")),
        owners=owners,
        paths=tuple(_path(reader, said, where) for where, said in reader.entries(document, "paths")),
        watching=_watching(reader, document, owners),
        here=here,
        today=today,
    )


def _watching(reader: Reader, document: Mapping[str, Any], owners: tuple[Ownership, ...]) -> Watching:
    """Return what is said about watching; its parser is loaded only where there is something to read."""
    if not any(section in document for section in WATCHED):
        return Watching(table_owners=tuple((o.tables, o.owners) for o in owners if o.tables))
    from premortem.settings.watching_parsing import watching

    return watching(reader, document, owners)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    severities: Mapping[str, Severity]
    off: frozenset[str]
    limits: rules.Limits


def _rules(reader: Reader, said: Mapping[str, Any], where: Where) -> _Chosen:
    """Return what a table of rules says: `name = "warn"`, or a table with the severity and thresholds."""
    reader.known(said, known_rules(), where)
    severities: dict[str, Severity | None] = {}
    limits: dict[str, Mapping[str, float]] = {}
    for name, value in said.items():
        table = {"severity": value} if isinstance(value, str) else reader.table(said, name, where)
        if "severity" in table:
            place = (*where, name) if isinstance(value, str) else (*where, name, "severity")
            severities[name] = reader.severity(table["severity"], place)
        thresholds = {k: v for k, v in table.items() if k != "severity"}
        if thresholds:
            limits[name] = _thresholds(reader, name, thresholds, (*where, name))
    return _Chosen(
        severities=MappingProxyType({name: s for name, s in severities.items() if s is not None}),
        off=frozenset(name for name, s in severities.items() if s is None),
        limits=rules.Limits(changed=MappingProxyType(limits)),
    )


def _thresholds(reader: Reader, rule: str, said: Mapping[str, Any], where: Where) -> Mapping[str, float]:
    if rule in OWN_RULES:
        raise reader.error(where, f"has no {next(iter(said))}", "it has severity")
    found: dict[str, float] = {}
    for key, value in said.items():
        try:
            found |= rules.limits({rule: {key: value}}).changed[rule]
        except SettingsError as error:
            raise reader.error((*where, key), error.message, error.hint) from error
    return MappingProxyType(found)


def _path(reader: Reader, said: Mapping[str, Any], where: Where) -> PathSettings:
    reader.known(said, ("match", "at_most", "rules"), where)
    chosen = _rules(reader, reader.table(said, "rules", where), (*where, "rules"))
    most = reader.severity(said["at_most"], (*where, "at_most")) if "at_most" in said else None
    match = reader.patterns(said, "match", where)
    if not match:
        raise reader.error(where, "match is missing", 'for example match = "queries/reports/**"')
    return PathSettings(
        match=match,
        severities=chosen.severities,
        off=chosen.off,
        limits=chosen.limits,
        at_most=most,
        silent="at_most" in said and most is None,
    )


def _budget(reader: Reader, said: Mapping[str, Any], where: Where) -> Budget:
    reader.known(said, ("query", "path", "table", *_MEASURES), where)
    measures = {m: reader.number(said[m], (*where, m)) for m in _MEASURES if m in said}
    if not measures:
        raise reader.error(where, "a budget needs rows_read, cost or ms", "for example rows_read = 100_000")
    return Budget(
        place=int(where[-1]) + 1,
        queries=reader.texts(said, "query", where),
        paths=reader.patterns(said, "path", where),
        tables=reader.texts(said, "table", where),
        **measures,
    )


def _ownership(reader: Reader, said: Mapping[str, Any], where: Where) -> Ownership:
    reader.known(said, ("owners", "path", "table"), where)
    owners, tables = (reader.texts(said, key, where) for key in ("owners", "table"))
    paths = reader.patterns(said, "path", where)
    if not owners:
        raise reader.error(where, "owners is missing", 'for example owners = ["@acme/payments"]')
    if not paths and not tables:
        raise reader.error(where, "a path or a table is missing", 'for example path = "queries/payments/**"')
    return Ownership(owners=owners, paths=paths, tables=tables)


def _assumptions(reader: Reader, tables: Mapping[str, Any]) -> dict[str, float]:
    assumed = {}
    for name in tables:
        where: Where = ("tables", name)
        said = reader.table(tables, name, ("tables",))
        reader.known(said, ("rows",), where)
        if "rows" not in said:
            raise reader.error(where, "rows is missing")
        assumed[name] = reader.number(said["rows"], (*where, "rows"))
    return assumed
