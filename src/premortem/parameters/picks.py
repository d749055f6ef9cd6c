"""One value for one placeholder: a hot or a rare one, a wide or a narrow window, and where it comes from."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import islice

from premortem.model import Profile
from premortem.parameters import typed
from premortem.parameters.spread import Spread
from premortem.parameters.uses import Role, Use


class Frequency(StrEnum):
    """How many rows a value has, in the words of a set's basis."""

    HOT = "most common values of"
    TYPICAL = "typical values of"
    RARE = "rare values of"
    ABSENT = "values absent from"


class Window(StrEnum):
    """How much of a column's range a window takes, in the words of a set's basis."""

    WIDE = "half of"
    MIDDLING = "a tenth of"
    NARROW = "a thousandth of"
    EMPTY = "past the end of"
    OFF = "filter switched off (NULL) on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A value, None for NULL, and its basis: `how` and `name`; no basis where it says nothing or is assumed."""

    value: str | None
    how: str = ""
    name: str = ""
    assumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a value is wanted for: the use, the placeholder's type, and whether its window has another end.

    `seen` are the values that a captured statement had there, the most frequent first.
    """

    use: Use
    type: str
    profile: Profile
    is_paired: bool = False
    seen: tuple[str, ...] = ()


LIMIT_ROWS = "20"
_WORD = re.compile(r"[^\W_]+")
#: How many members a list gets: a page of ids, or a filter with a few boxes ticked.
_LIST = 5
#: So much of a long value is looked at.
_READ = 200
_TAIL: Mapping[Window, float] = {Window.WIDE: 0.5, Window.MIDDLING: 0.9, Window.NARROW: 0.999}
_DAYS: Mapping[Window, int] = {Window.WIDE: 365, Window.MIDDLING: 30, Window.NARROW: 1, Window.EMPTY: 0}


def pick(asked: Asked, frequency: Frequency, window: Window) -> Pick:
    """Return the value for a placeholder, always one that its type takes.

    Where statistics know none, it is one that was captured, if there is one.
    """
    found = _pick(asked, frequency, window)
    unknown = found.assumed or asked.use.role in (Role.LIMIT, Role.OFFSET)
    return (seen_in_tests(asked) or found) if unknown else found


def seen_in_tests(asked: Asked) -> Pick | None:
    """Return the most frequent of the captured values that the placeholder's type takes, None where there is none."""
    fitting = (typed.fitted(value, asked.type, asked.profile) for value in asked.seen)
    value = next((v for v in fitting if v is not None), None)
    return Pick(value=value, how="values seen in", name="tests") if value is not None else None


def _pick(asked: Asked, frequency: Frequency, window: Window) -> Pick:
    use = asked.use
    if use.optional and window is Window.OFF:
        return Pick(value=None, how=window.value, name=use.spread.name if use.spread else f"${use.parameter}")
    if use.role is Role.LIMIT:
        return Pick(value=LIMIT_ROWS)
    if use.role is Role.OFFSET:
        return Pick(value="0")
    if use.role is Role.WINDOW:
        return _window_of_time(asked, window)
    if use.role in (Role.LOW, Role.HIGH):
        return _bound(asked, window)
    if use.role is Role.WORD:
        return Pick(value=use.word, how="a word that its function takes")
    how = Frequency.TYPICAL if use.role in (Role.WRITTEN, Role.FREE) else frequency
    return _value(asked, how)


def _neutral(asked: Asked) -> Pick:
    return Pick(value=typed.neutral(asked.type, asked.profile), assumed=True)


def _fitted(asked: Asked, value: str | None, how: str) -> Pick:
    found = typed.fitted(value, asked.type, asked.profile) if value is not None else None
    if found is None or asked.use.spread is None:
        return _neutral(asked)
    return Pick(value=found, how=how, name=asked.use.spread.name)


# --- values ---


def _value(asked: Asked, frequency: Frequency) -> Pick:
    spread = asked.use.spread
    special = _SPECIAL.get(asked.use.role)
    if spread is None:
        return _without_statistics(asked, frequency)
    if frequency in (Frequency.HOT, Frequency.RARE) and not has_common(asked.use):
        frequency = Frequency.TYPICAL  # no value is more common than another
    value = special(asked, spread, frequency) if special else scalar(spread, frequency, asked.use.ordinal)
    if value is None and frequency is Frequency.ABSENT and spread.is_known:
        value = special(asked, spread, Frequency.RARE) if special else spread.rarest()
        frequency = Frequency.RARE
    return _fitted(asked, value, frequency.value) if value is not None else _without_statistics(asked, frequency)


def has_common(use: Use) -> bool:
    """Whether some values of what a placeholder stands against are known to be more common than others."""
    if use.spread is None or use.spread.statistics is None:
        return False
    is_text = use.role in (Role.PATTERN, Role.FRAGMENT, Role.REGEX)
    is_json = use.role is Role.CONTAINED and use.spread.type in ("json", "jsonb")
    if is_text or is_json:
        return use.spread.is_known
    return bool(use.spread.common or use.spread.statistics.most_common_elements)


def _without_statistics(asked: Asked, frequency: Frequency) -> Pick:
    """Return a value of the right type; patterns and lists keep their shape."""
    if asked.use.role is Role.PATTERN:
        return Pick(value=_pattern("example", frequency, asked.seen), assumed=True)
    if asked.use.role in (Role.FRAGMENT, Role.REGEX):
        return Pick(value="exa", assumed=True) if asked.type in typed.TEXTS else _neutral(asked)
    return _neutral(asked)


def scalar(spread: Spread, frequency: Frequency, ordinal: int) -> str | None:
    """Return one value of a column, None where statistics have none; the ordinal asks for another one each time."""
    if frequency is Frequency.ABSENT:
        return spread.absent if spread.is_known else None
    order = _in_order(spread, frequency)
    return order[ordinal % len(order)] if order else None


def _in_order(spread: Spread, frequency: Frequency) -> tuple[str, ...]:
    """Return a column's values, the ones that are most like what is asked for first."""
    middle = len(spread.common) // 2
    halfway = spread.common[middle:] + spread.common[:middle]
    if frequency is Frequency.HOT:
        return spread.common or spread.ordinary
    if frequency is Frequency.RARE:
        return spread.ordinary or spread.common[::-1]
    return halfway if _is_mostly_common(spread) else (spread.ordinary or halfway)


def _is_mostly_common(spread: Spread) -> bool:
    """Whether a row picked at random has one of the most common values."""
    shares = (spread.statistics.most_common_frequencies or ()) if spread.statistics else ()
    return sum(shares) >= 0.5


def _listed(asked: Asked, spread: Spread, frequency: Frequency) -> str | None:
    """Return an array of values, or what a function makes one of."""
    if frequency is Frequency.ABSENT:
        known = [spread.absent] if spread.is_known and spread.absent else []
    else:
        known = list(islice(_in_order(spread, frequency), _length(asked, frequency)))
    if not known:
        return None
    if asked.use.operator.lstrip("!") in ("~~", "~~*"):
        known = [_pattern(v, frequency, asked.seen) for v in known]
    if asked.use.function == "string_to_array":
        return ",".join(known)
    return typed.array(known) if typed.is_array(asked.type) or asked.type in typed.TEXTS else known[0]


#: A list that a test handed over is no measure of the longest that production sees, but of the usual one it is.
_LONGEST_LIST = 100


def _length(asked: Asked, frequency: Frequency) -> int:
    """Return how many members a list gets: as many as captured ones had, the longest for common values."""
    lengths = sorted(v.count(",") + 1 for v in asked.seen if v.startswith("{"))
    if not lengths:
        return _LIST
    return min(_LONGEST_LIST, max(1, lengths[-1] if frequency is Frequency.HOT else lengths[len(lengths) // 2]))


# --- text patterns ---


def _text(spread: Spread, frequency: Frequency) -> str | None:
    if frequency is Frequency.ABSENT:
        return "zq~absent" if spread.is_known else None
    return scalar(spread, frequency, 0)


def _patterned(asked: Asked, spread: Spread, frequency: Frequency) -> str | None:
    value = _text(spread, frequency)
    return _pattern(value, frequency, asked.seen, (*spread.common, *spread.bounds)) if value else None


def _pattern(value: str, frequency: Frequency, seen: tuple[str, ...] = (), known: Sequence[str] = ()) -> str:
    """Return a LIKE pattern: a short word inside for the hot set, a long one for the rare set, beginnings for others.

    Nobody knows how a pattern begins that comes as a value, so both ways are tried.  Where patterns were captured it
    has their shape: who only ever asks for a beginning is not judged by a word inside.
    """
    begins = not seen or any(v[:1] in _WILD for v in seen)
    ends = not seen or any(v[-1:] in _WILD for v in seen)
    length = {Frequency.HOT: 3, Frequency.TYPICAL: 3, Frequency.RARE: 8}.get(frequency, len(value))
    if not ends:
        return f"%{_escaped(value[-length:])}" if begins else _escaped(value)
    inside = _part_of(value, frequency, known) if begins else None
    if inside is not None:
        return f"%{_escaped(inside)}%"
    if seen and all(v[:1] in _WILD for v in seen):
        return f"%{_escaped(value[1 : 1 + length])}%"
    return f"{_escaped(value[:length])}%"


_WILD = ("%", "_")


def _inside(value: str) -> str:
    start = 1 if len(value) > 4 else 0
    return value[start : start + 3]


def _part_of(value: str, frequency: Frequency, known: Sequence[str]) -> str | None:
    """Return what the inside of a text is searched for: much that has it for the hot set, little for the rare one."""
    if frequency is Frequency.HOT:
        return _inside(value)
    return _telling(value, known) if frequency is Frequency.RARE else None


def _telling(value: str, known: Sequence[str]) -> str:
    """Return the eight letters of a value that are most its own: those whose parts the fewest known values have.

    >>> _telling("https://example.com/item/4711", ["https://example.com/user/1", "https://example.com/item/22"])
    'tem/4711'
    """
    value = value[:_READ]
    parts = [value[i : i + 3] for i in range(max(1, len(value) - 2))]
    shared = [sum(part in other for other in known) for part in parts]
    starts = range(max(1, len(value) - 7))
    start = min(starts, key=lambda i: sum(shared[i : i + 6]))
    return value[start : start + 8]


def _escaped(value: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", value)


def _fragment(asked: Asked, spread: Spread, frequency: Frequency) -> str | None:
    value = _text(spread, frequency)
    if not value:
        return None
    if any(v[:1] in _WILD or v[-1:] in _WILD for v in asked.seen):
        return _pattern(value, frequency, asked.seen)  # the wildcards come with the value, whatever is done to it
    if frequency is Frequency.HOT:
        return value[:3] if asked.use.is_anchored else _inside(value)
    return value[:5] if frequency is Frequency.TYPICAL else value


def _regex(asked: Asked, spread: Spread, frequency: Frequency) -> str | None:
    """Return a regular expression: a word inside for the hot and the rare set, a beginning for the others."""
    value = _text(spread, frequency)
    if not value:
        return None
    inside = _part_of(value, frequency, (*spread.common, *spread.bounds))
    return f"^{_literally(value)}" if inside is None else _literally(inside)


def _literally(value: str) -> str:
    return re.sub(r"([\\.^$|?*+()\[\]{}])", r"\\\1", value)


# --- arrays, documents, ranges, full text ---


def _elements(spread: Spread, frequency: Frequency) -> tuple[str, ...]:
    """Return the elements of an array column (or lexemes of a tsvector), most fitting first."""
    statistics = spread.statistics
    if statistics is None or not statistics.most_common_elements:
        return ()
    shares = statistics.most_common_element_frequencies or ()
    pairs = list(zip(statistics.most_common_elements, shares, strict=False))
    order = [v for v, _ in sorted(pairs, key=lambda p: (-p[1], p[0]))] or list(statistics.most_common_elements)
    if frequency is Frequency.ABSENT:
        return (_absent_element(spread, order),)
    if frequency is Frequency.RARE:
        return tuple(reversed(order))
    return tuple(order[len(order) // 2 :]) if frequency is Frequency.TYPICAL else tuple(order)


def _absent_element(spread: Spread, known: list[str]) -> str:
    numbers = [typed.position(v, typed.plain(typed.element(spread.type))) for v in known]
    largest = max((n for n in numbers if n is not None), default=None)
    return "zqabsent" if largest is None else str(largest + 1)


def _member(asked: Asked, spread: Spread, frequency: Frequency) -> str | None:
    return next(iter(_elements(spread, frequency)), None)


def _contained(asked: Asked, spread: Spread, frequency: Frequency) -> str | None:
    """Return what an operator such as @>, &&, ? or @@ is asked about."""
    if spread.type in ("jsonb", "json") or asked.type in ("jsonb", "json"):
        return _json_part(asked, spread, frequency)
    if spread.type == "tsvector" or asked.type == "tsquery":
        return next((v.replace("'", "") for v in _elements(spread, frequency)), None)
    if spread.type.endswith("range"):
        return _range_part(asked, spread)
    if typed.is_array(spread.type):
        found = _elements(spread, frequency)[:1]
        return None if not found else typed.array(found) if typed.is_array(asked.type) else found[0]
    value = scalar(spread, frequency, asked.use.ordinal)
    return _one_word(value) if asked.use.operator == "@@" else value


def _one_word(value: str | None) -> str | None:
    """Return the first word of a text: in a query of to_tsquery, two words without an operator are an error."""
    words = _WORD.findall(value or "")
    return words[0] if words else None


def _json_part(asked: Asked, spread: Spread, frequency: Frequency) -> str | None:
    """Return a key, or a document of one key, from how often they stand in the documents that statistics hold."""
    pairs = _json_pairs(spread)
    order = sorted(pairs, key=lambda p: (-pairs[p], p)) or [("key", "1")]
    index = {Frequency.HOT: 0, Frequency.TYPICAL: len(order) // 2}.get(frequency, -1)
    key, value = order[index]
    absent = frequency is Frequency.ABSENT
    if asked.use.operator == "?":
        return "zqabsent" if absent else key
    if asked.use.operator in ("?|", "?&"):
        return typed.array(("zqabsent" if absent else key,))
    return json.dumps({key: "zqabsent" if absent else json.loads(value)})


def _json_pairs(spread: Spread) -> Counter[tuple[str, str]]:
    documents = (d for v in (*spread.common, *spread.bounds) if isinstance(d := _document(v), dict))
    items = (item for d in documents for item in d.items())
    return Counter((str(k), json.dumps(v)) for k, v in items if not isinstance(v, dict | list))


def _document(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return None


_LOWER_BOUND = re.compile(r"[\[(]\"?([^\",]+)\"?,")


def _range_part(asked: Asked, spread: Spread) -> str | None:
    statistics = spread.statistics
    bounds = (statistics.range_bounds_histogram or statistics.most_common_values or ()) if statistics else ()
    middle = bounds[len(bounds) // 2] if bounds else None
    if middle is None or asked.type.endswith("range"):
        return middle
    lower = _LOWER_BOUND.match(middle)
    return lower.group(1) if lower else None


_SPECIAL: Mapping[Role, Callable[[Asked, Spread, Frequency], str | None]] = {
    Role.LIST: _listed,
    Role.PATTERN: _patterned,
    Role.FRAGMENT: _fragment,
    Role.REGEX: _regex,
    Role.MEMBER: _member,
    Role.CONTAINED: _contained,
}


# --- windows ---


def _bound(asked: Asked, window: Window) -> Pick:
    """Return one end of a window; two ends on one column always leave room between them."""
    spread = asked.use.spread
    window = Window.WIDE if window is Window.OFF else window
    if spread is None or not spread.is_known:
        return _assumed_bound(asked, window)
    value = _low(spread, window) if asked.use.role is Role.LOW else _high(spread, window, paired=asked.is_paired)
    found = _fitted(asked, value, window.value)
    return _assumed_bound(asked, window) if found.assumed else found


def _low(spread: Spread, window: Window) -> str | None:
    return spread.at(_TAIL[window]) if window in _TAIL else spread.beyond()


def _high(spread: Spread, window: Window, *, paired: bool) -> str | None:
    if paired:
        return spread.beyond(steps=2)
    return spread.at(1 - _TAIL[window]) if window in _TAIL else spread.beyond(below=True)


def _assumed_bound(asked: Asked, window: Window) -> Pick:
    """Return a bound without statistics: moments are counted back from the profile's time, numbers are round."""
    is_high = asked.use.role is Role.HIGH and asked.is_paired
    if asked.type in typed.MOMENTS:
        now = typed.position(asked.profile.taken_at.isoformat(), asked.type)
        days = -1 if is_high else _DAYS.get(window, 365)
        value = typed.at_position((now or Decimal(0)) - days * 86_400, asked.type)
        return Pick(value=value, assumed=True)
    if asked.type in typed.INTEGERS or asked.type in typed.NUMBERS:
        return Pick(value="1000" if is_high else "1", assumed=True)
    if asked.type in typed.TEXTS:
        return Pick(value="z" if is_high else "m", assumed=True)
    return _neutral(asked)


def _window_of_time(asked: Asked, window: Window) -> Pick:
    """Return how far back from now a window reaches: `now() - $1`."""
    spread = asked.use.spread
    window = Window.WIDE if window is Window.OFF else window
    assumed = _DAYS.get(window, 365)
    now = typed.position(asked.profile.taken_at.isoformat(), "timestamp with time zone")
    start = spread.at(_TAIL[window]) if spread and spread.is_known and window in _TAIL else None
    there = typed.position(start, spread.type) if start is not None and spread else None
    known = now is not None and there is not None and there < now
    if window is Window.EMPTY and spread and spread.is_known:
        return Pick(value="1 second" if asked.type == "interval" else "0", how=window.value, name=spread.name)
    seconds = int(now - there) if known and now is not None and there is not None else assumed * 86_400
    name = spread.name if spread and known else ""
    if asked.type == "interval":
        value: str | None = f"{max(seconds, 1)} seconds"
    elif asked.type in typed.INTEGERS or asked.type in typed.NUMBERS:
        value = str(max(seconds // 86_400, 1))
    else:
        return _assumed_bound(asked, window)
    return Pick(value=value, how=window.value if known else "", name=name, assumed=not known)
