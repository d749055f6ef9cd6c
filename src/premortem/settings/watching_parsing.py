"""From the tables of a settings file to `Watching`: instances, channels, limits and silences, each mistake by place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, TypeVar

from premortem.model import AlertKind, Urgency
from premortem.settings.reader import Reader, Where
from premortem.settings.values import Ownership
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

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
KINDS = ("slack", "pagerduty", "alertmanager", "webhook", "apprise")
_OF_WATCH = (
    "poll_seconds",
    "diagnosis_seconds",
    "profile_hours",
    "statement_timeout_seconds",
    "store",
    "state_directory",
    "retention_days",
    "listen",
    "deploy_token",
    "link",
)
#: What is a part of something, so from above 0 to 1.
_PARTS = (
    "min_coverage",
    "close_below",
    "page_share",
    "page_connections_share",
    "new_heavy_share",
    "connections_share",
)
#: What makes no sense below 1: factors that compare with what was, and counts that have to be reached.
_FROM_ONE = ("worse_factor", "page_factor", "rising_factor", "plan_factor", "min_calls", "unreached_polls")
_SELECTING = ("fingerprints", "tables", "services", "instances")
_LASTS = re.compile(r"(?:(\d+)\s*d)?\s*(?:(\d+)\s*h)?\s*(?:(\d+)\s*m(?:in)?)?\Z")
_LISTEN = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[^\s:\[\]]*):(\d{1,5})\Z")
_NAME = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,98}[^\s\x00-\x1f\x7f])?\Z")
T = TypeVar("T", Instance, Channel)


def watching(reader: Reader, document: Mapping[str, Any], owners: Sequence[Ownership]) -> Watching:
    """Return what the document says about watching; raises SettingsError."""
    said = reader.table(document, "watch", ())
    reader.known(said, (*_OF_WATCH, "limits", "overrides"), ("watch",))
    instances = _named(reader, (_instance(reader, e, w) for w, e in reader.entries(document, "instances")), "instances")
    known = tuple(i.name for i in instances)
    made = Watching(
        **_plain(reader, said),
        limits=_limits(reader, reader.table(said, "limits", ("watch",)), ("watch", "limits")),
        overrides=tuple(_override(reader, entry, where, known) for where, entry in _overrides(reader, said)),
        instances=instances,
        channels=_named(
            reader, (_channel(reader, e, w, known) for w, e in reader.entries(document, "channels")), "channels"
        ),
        mutes=tuple(_mute(reader, e, w, known) for w, e in reader.entries(document, "mutes")),
        maintenance=tuple(_maintenance(reader, e, w, known) for w, e in reader.entries(document, "maintenance")),
        table_owners=tuple((o.tables, o.owners) for o in owners if o.tables),
    )
    _often_enough(reader, made)
    return made


def _plain(reader: Reader, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `[watch]` itself, read as what their defaults are."""
    defaults = Watching()
    found = {}
    for key in _OF_WATCH:
        if key in said:
            found[key] = _like(reader, getattr(defaults, key), said, key, ("watch",))
    if found.get("listen") and not _listens(str(found["listen"])):
        raise reader.error(("watch", "listen"), f"{found['listen']!r} is no address", 'for example "127.0.0.1:9187"')
    return found


def _like(reader: Reader, default: object, said: Mapping[str, Any], key: str, where: Where) -> object:
    if isinstance(default, Secret):
        return secret(reader, said[key], (*where, key))
    if isinstance(default, str):
        return "" if key == "listen" and said[key] == "" else _text(reader, said, key, where)
    number = _positive(reader, said[key], (*where, key))
    if isinstance(default, int) and number != int(number):
        raise reader.error((*where, key), f"{said[key]!r} is no whole number")
    return int(number) if isinstance(default, int) else float(number)


def _listens(address: str) -> bool:
    found = _LISTEN.match(address)
    return found is not None and int(found[1]) < 65536


def _overrides(reader: Reader, said: Mapping[str, Any]) -> Iterator[tuple[Where, Mapping[str, Any]]]:
    yield from _inner_entries(reader, said, "overrides", ("watch",))


def _inner_entries(
    reader: Reader, said: Mapping[str, Any], key: str, where: Where
) -> Iterator[tuple[Where, Mapping[str, Any]]]:
    value = said.get(key, [])
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        header = ".".join(str(step) for step in (*where, key) if isinstance(step, str))
        raise reader.error((*where, key), "a list of tables is wanted", f"write [[{header}]]")
    yield from (((*where, key, place), entry) for place, entry in enumerate(value))


def _limits(reader: Reader, said: Mapping[str, Any], where: Where) -> WatchLimits:
    found = reader.fill(WatchLimits(), said, where)
    for key in said:
        _in_range(reader, key, getattr(found, key), (*where, key))
    return found


def _in_range(reader: Reader, key: str, value: float, where: Where) -> None:
    if key in _PARTS and not 0 < value <= 1:
        raise reader.error(where, f"{value:g} is no part of 1", "for example 0.2 for 20 %")
    if key in _FROM_ONE and value < 1:
        raise reader.error(where, f"{value:g} must be 1 or more")
    if key in ("mean_ms", "window_seconds") and value == 0:
        raise reader.error(where, "0 would be over the limit always")


def _override(reader: Reader, said: Mapping[str, Any], where: Where, instances: Sequence[str]) -> Override:
    names = [f.name for f in fields(WatchLimits)]
    reader.known(said, (*_SELECTING, *names), where)
    changed = {key: value for key, value in said.items() if key in names}
    if not changed:
        raise reader.error(where, "an override needs a limit", "for example mean_ms = 5_000")
    limits = _limits(reader, changed, where)
    return Override(
        place=int(where[-1]) + 1,
        changed=MappingProxyType({key: getattr(limits, key) for key in changed}),
        instances=_instances(reader, said, where, instances),
        **{key: reader.texts(said, key, where) for key in ("fingerprints", "tables", "services")},
    )


def _instances(reader: Reader, said: Mapping[str, Any], where: Where, known: Sequence[str]) -> tuple[str, ...]:
    """Return patterns of instances; a name that no instance has is a mistake, for it would never say a word."""
    found = reader.texts(said, "instances", where)
    for name in found:
        if known and name not in known and not set("*?[") & set(name):
            hint = _close(name, known)
            raise reader.error((*where, "instances"), f"{name} is none of the [[instances]]", hint)
    return found


def _close(word: str, known: Sequence[str]) -> str:
    close = get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(known))}"


def _named(reader: Reader, entries: Iterator[T], key: str) -> tuple[T, ...]:
    found: dict[str, T] = {}
    for place, entry in enumerate(entries):
        if entry.name in found:
            raise reader.error((key, place, "name"), f"there is another {entry.name}", "names tell them apart")
        found[entry.name] = entry
    return tuple(found.values())


def _instance(reader: Reader, said: Mapping[str, Any], where: Where) -> Instance:
    known = ("name", "dsn", "databases", "services", "owners", "poolers", "poll_seconds", "production", "log")
    reader.known(said, known, where)
    _needed(reader, said, where, {"name": 'name = "orders-db"', "dsn": 'dsn = { env = "ORDERS_DSN" }'})
    poll = _positive(reader, said["poll_seconds"], (*where, "poll_seconds")) if "poll_seconds" in said else None
    return Instance(
        name=_name(reader, said, where),
        dsn=secret(reader, said["dsn"], (*where, "dsn")),
        poolers=tuple(_pooler(reader, e, w) for w, e in _inner_entries(reader, said, "poolers", where)),
        poll_seconds=None if poll is None else float(poll),
        production=_truth(reader, said, "production", where, True),
        log=_text(reader, said, "log", where),
        **{key: reader.texts(said, key, where) for key in ("databases", "services", "owners")},
    )


def _pooler(reader: Reader, said: Mapping[str, Any], where: Where) -> Pooler:
    reader.known(said, ("name", "dsn"), where)
    _needed(reader, said, where, {"name": 'name = "pgbouncer-1"', "dsn": 'dsn = { env = "PGBOUNCER_DSN" }'})
    return Pooler(name=_name(reader, said, where), dsn=secret(reader, said["dsn"], (*where, "dsn")))


def _channel(reader: Reader, said: Mapping[str, Any], where: Where, instances: Sequence[str]) -> Channel:
    reader.known(said, [f.name for f in fields(Channel)], where)
    _needed(reader, said, where, {"name": 'name = "on-call"', "kind": 'kind = "slack"'})
    kind = _one_of(reader, said["kind"], KINDS, (*where, "kind"))
    needs = "token" if kind == "pagerduty" else "url"
    if needs not in said:
        raise reader.error(where, f"{needs} is missing: {kind} needs it", f'for example {needs} = {{ env = "…" }}')
    most = _positive(reader, said["most_per_hour"], (*where, "most_per_hour")) if "most_per_hour" in said else None
    return Channel(
        name=_name(reader, said, where),
        kind=kind,
        **{key: secret(reader, said[key], (*where, key)) for key in ("url", "token") if key in said},
        urgencies=_words(reader, said, "urgencies", [u.value for u in Urgency], where),
        instances=_instances(reader, said, where, instances),
        owners=reader.texts(said, "owners", where),
        deploys=_truth(reader, said, "deploys", where, False),
        most_per_hour=None if most is None else _whole(reader, most, (*where, "most_per_hour")),
        timeout_seconds=float(_positive(reader, said.get("timeout_seconds", 10.0), (*where, "timeout_seconds"))),
    )


def _mute(reader: Reader, said: Mapping[str, Any], where: Where, instances: Sequence[str]) -> Mute:
    reader.known(said, [f.name for f in fields(Mute)], where)
    return Mute(
        reason=_reason(reader, said, where),
        until=_end(reader, said["until"], (*where, "until")) if "until" in said else None,
        instances=_instances(reader, said, where, instances),
        kinds=_words(reader, said, "kinds", [k.value for k in AlertKind], where),
        **{key: reader.texts(said, key, where) for key in ("fingerprints", "tables")},
    )


def _maintenance(reader: Reader, said: Mapping[str, Any], where: Where, instances: Sequence[str]) -> Maintenance:
    reader.known(said, [f.name for f in fields(Maintenance)], where)
    once, weekly = (any(key in said for key in keys) for keys in (("starts", "ends"), ("days", "at", "lasts")))
    if once == weekly:
        hint = 'once: starts and ends; every week: days, at and lasts, as in days = "sun", at = "22:00", lasts = "2h"'
        raise reader.error(where, "it has to say when, once or every week", hint)
    made = _once(reader, said, where) if once else _weekly(reader, said, where)
    found: dict[str, Any] = {"reason": _reason(reader, said, where), **made}
    return Maintenance(instances=_instances(reader, said, where, instances), **found)


def _once(reader: Reader, said: Mapping[str, Any], where: Where) -> dict[str, Any]:
    _needed(reader, said, where, {"starts": "starts = 2026-12-01T22:00:00Z", "ends": "ends = 2026-12-02T01:00:00Z"})
    starts, ends = (_moment(reader, said[key], (*where, key)) for key in ("starts", "ends"))
    if ends <= starts:
        raise reader.error((*where, "ends"), "it ends before it starts")
    return {"starts": starts, "ends": ends}


def _weekly(reader: Reader, said: Mapping[str, Any], where: Where) -> dict[str, Any]:
    _needed(reader, said, where, {"at": 'at = "22:00"', "lasts": 'lasts = "2h"'})
    return {
        "days": _words(reader, said, "days", DAYS, where),
        "at": _clock(reader, said["at"], (*where, "at")),
        "lasts": _lasting(reader, said["lasts"], (*where, "lasts")),
    }


def _clock(reader: Reader, value: Any, where: Where) -> time:
    try:
        found = value if isinstance(value, time) else time.fromisoformat(value)
    except (TypeError, ValueError):
        raise reader.error(where, f"{value!r} is no time of day", 'in UTC, for example "22:00"') from None
    if found.tzinfo not in (None, UTC):
        raise reader.error(where, f"{value!r} has a time zone", "it is in UTC always")
    return found.replace(tzinfo=None)


def _lasting(reader: Reader, value: Any, where: Where) -> timedelta:
    found = _LASTS.match(value.strip()) if isinstance(value, str) else None
    days, hours, minutes = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    lasts = timedelta(days=min(days, 8), hours=min(hours, 200), minutes=min(minutes, 20_000))
    if not timedelta() < lasts <= timedelta(days=7):
        raise reader.error(where, f"{value!r} is no duration up to 7 days", 'for example "90m" or "1h 30m"')
    return lasts


def _moment(reader: Reader, value: Any, where: Where) -> datetime:
    if not isinstance(value, datetime):
        raise reader.error(where, f"{value!r} is no moment", "for example 2026-12-01T22:00:00Z, without quotes")
    if value.tzinfo is None:
        raise reader.error(where, f"{value.isoformat()} has no time zone", "for UTC write a Z behind it")
    return value.astimezone(UTC)


def _end(reader: Reader, value: Any, where: Where) -> datetime:
    """Return when a mute ends: a moment, or a day, which it holds to the end of, in UTC."""
    if isinstance(value, date) and not isinstance(value, datetime):
        try:
            return datetime.combine(value, time(), UTC) + timedelta(days=1)
        except OverflowError:
            raise reader.error(where, f"{value} is beyond every calendar") from None
    return _moment(reader, value, where)


def _reason(reader: Reader, said: Mapping[str, Any], where: Where) -> str:
    _needed(reader, said, where, {"reason": 'reason = "index is being rebuilt (K. L.)"'})
    return _text(reader, said, "reason", where)


def secret(reader: Reader, value: Any, where: Where) -> Secret:
    """Return a secret: a text, `{ env = "NAME" }` or `{ file = "PATH" }`; what it says is in no message."""
    if isinstance(value, str) and value.strip():
        return Secret(said=value)
    hint = 'a text, { env = "NAME" } or { file = "PATH" }'
    if not isinstance(value, dict):
        raise reader.error(where, "a text or a place to find it is wanted", hint)
    reader.known(value, ("env", "file"), where)
    if len(value) != 1 or not all(isinstance(v, str) and v.strip() for v in value.values()):
        raise reader.error(where, "one of env and file is wanted, with a text", hint)
    return Secret(**value)


def _needed(reader: Reader, said: Mapping[str, Any], where: Where, examples: Mapping[str, str]) -> None:
    for key, example in examples.items():
        if key not in said:
            raise reader.error(where, f"{key} is missing", f"for example {example}")


def _name(reader: Reader, said: Mapping[str, Any], where: Where) -> str:
    name = _text(reader, said, "name", where)
    if not _NAME.match(name):
        raise reader.error((*where, "name"), f"{name!r} is no name", "up to 100 characters on one line")
    return name


def _text(reader: Reader, said: Mapping[str, Any], key: str, where: Where) -> str:
    value = said.get(key, "")
    if not isinstance(value, str) or (key in said and not value.strip()):
        raise reader.error((*where, key), "a text is wanted", f'for example {key} = "…"')
    return value


def _truth(reader: Reader, said: Mapping[str, Any], key: str, where: Where, default: bool) -> bool:
    value = said.get(key, default)
    if not isinstance(value, bool):
        raise reader.error((*where, key), f"{value!r} is neither true nor false")
    return value


def _positive(reader: Reader, value: Any, where: Where) -> float:
    number = reader.number(value, where)
    if number == 0:
        raise reader.error(where, "0 must be more than 0")
    return number


def _whole(reader: Reader, number: float, where: Where) -> int:
    if number != int(number):
        raise reader.error(where, f"{number!r} is no whole number")
    return int(number)


def _words(reader: Reader, said: Mapping[str, Any], key: str, known: Sequence[str], where: Where) -> tuple[str, ...]:
    return tuple(_one_of(reader, word, known, (*where, key)) for word in reader.texts(said, key, where))


def _one_of(reader: Reader, value: Any, known: Sequence[str], where: Where) -> str:
    if value not in known:
        close = get_close_matches(str(value), known, n=1)
        hint = f"did you mean {close[0]}?" if close else None
        raise reader.error(where, f"{value!r} is none of {', '.join(known)}", hint)
    return str(value)


def _often_enough(reader: Reader, made: Watching) -> None:
    """Refuse polls so rare that no window is ever covered: no alert would ever come."""
    shortest = min((made.limits.window_seconds, *(o.changed.get("window_seconds", 1e9) for o in made.overrides)))
    polls: list[tuple[float, Where]] = [(made.poll_seconds, ("watch", "poll_seconds"))]
    polls += [
        (i.poll_seconds, ("instances", place, "poll_seconds"))
        for place, i in enumerate(made.instances)
        if i.poll_seconds is not None
    ]
    for seconds, where in polls:
        if 2 * seconds > shortest:
            says = f"{seconds:g} s is too rare for a window of {shortest:g} s"
            raise reader.error(where, says, f"poll at least every {shortest / 2:g} s, or make the window longer")
