"""How premortem says numbers, durations and sizes, so that all formats speak alike.

Text that comes from a query, a file name or a server goes through `plain` before anybody sees it: an escape sequence
in a query must not reach a terminal, nor a right-to-left override a reviewer.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import timedelta

_ORDER = re.compile(r"^(\s*(?:\x1b\[[\d;]*m|\s)*)::(?=.*::)")
_PLAIN = re.compile(r"[\n\t -~]*\Z")
_SIZES = ("bytes", "kB", "MB", "GB", "TB", "PB")
_MINUTE = 60.0
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def number(value: float) -> str:
    """Return a figure as people read it: three digits of what is small, whole numbers with commas above.

    >>> number(2000000.4), number(8.4531), number(0.0), number(12.5), number(0.0123)
    ('2,000,000', '8.45', '0', '12.5', '0.0123')
    """
    if not math.isfinite(value):
        return "unknown"
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    text = f"{value:.3g}"
    return "0" if text in ("0", "-0") else text


def plural(count: float, singular: str, plural_form: str | None = None) -> str:
    """Return the count with its noun.

    >>> plural(1, "row"), plural(2_000_000, "row"), plural(0, "query", "queries")
    ('1 row', '2,000,000 rows', '0 queries')
    """
    shown = number(count)
    return f"{shown} {singular if shown == '1' else plural_form or singular + 's'}"


def size(size_bytes: float) -> str:
    """Return a size in PostgreSQL's units (1 kB is 1,024 bytes).

    >>> size(0), size(8192), size(59_768_832), size(3 * 1024**4)
    ('0 bytes', '8 kB', '57 MB', '3 TB')
    """
    value = max(size_bytes, 0.0)
    for unit in _SIZES[:-1]:
        if value < 999.5:
            return plural(round(value), "byte") if unit == "bytes" else f"{_short(value)} {unit}"
        value /= 1024
    return f"{_short(value)} {_SIZES[-1]}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.2g}"


def duration(value: timedelta | float) -> str:
    """Return a duration given as timedelta or in seconds.

    >>> duration(0.0032), duration(2.84), duration(47), duration(272), duration(3 * 3600), duration(timedelta(days=9))
    ('3.2 ms', '2.8 s', '47 s', '4 min 32 s', '3 h', '9 days')
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds < 0 or not math.isfinite(seconds):
        return "unknown"
    if seconds < 59.5:
        return _under_a_minute(seconds)
    whole = round(seconds)
    if whole < _HOUR:
        return _two_units(whole, _MINUTE, "min", 1, "s")
    if whole < 2 * _DAY:
        return _two_units(whole, _HOUR, "h", _MINUTE, "min")
    return plural(round(whole / _DAY), "day")


def _under_a_minute(seconds: float) -> str:
    if seconds == 0:
        return "0 ms"
    milliseconds = seconds * 1000
    if milliseconds < 999.5:
        return f"{_short(milliseconds)} ms"
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"


def _two_units(whole: float, large: float, large_name: str, small: float, small_name: str) -> str:
    first, rest = divmod(whole, large)
    second = int(rest // small)
    return f"{int(first)} {large_name}" + (f" {second} {small_name}" if second else "")


def percent(share: float) -> str:
    """Return a share of one as a percentage.

    >>> percent(0.5), percent(0.00034), percent(1.0), percent(0)
    ('50 %', '0.034 %', '100 %', '0 %')
    """
    return f"{number(share * 100)} %" if abs(share) < 1e9 else "unknown"


def change(before: float, after: float) -> str:
    """Return how two costs compare, in words.

    >>> change(43210, 8.5), change(100, 100), change(100, 80), change(8, 16), change(5, 0)
    ('5,084 times less', 'the same', '20 % less', '2 times more', 'nothing left')
    """
    if before == after:
        return "the same"
    if after <= 0:
        return "nothing left"
    if before <= 0:
        return "more"
    low, high = sorted((before, after))
    word = "less" if after < before else "more"
    if high / low >= 2:
        return f"{number(high / low)} times {word}"
    share = abs(after - before) / before
    return "about the same" if share < 0.005 else f"{percent(float(f'{share:.2g}'))} {word}"


def listing(items: Sequence[str], *, most: int | None = None) -> str:
    """Return the items as a sentence lists them, the tail counted when there are more than `most`.

    >>> listing(["a"]), listing(["a", "b", "c"]), listing(["a", "b", "c", "d"], most=2)
    ('a', 'a, b and c', 'a, b and 2 more')
    """
    shown = list(items)
    if most is not None and len(shown) > most:
        shown = [*shown[:most], f"{len(items) - most} more"]
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def plain(text: str) -> str:
    """Return the text with everything that steers a terminal or hides from a reader made visible.

    >>> plain("a\\x1b[31mb\\tc\\n"), plain("x\\u202ey"), plain("naïve 表")
    ('a\\\\x1b[31mb\\tc\\n', 'x\\\\u202ey', 'naïve 表')
    """
    if _PLAIN.match(text) or text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(_visible(character) for character in text.replace("\r\n", "\n"))


def _visible(character: str) -> str:
    if character in "\n\t" or character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def one_line(text: str) -> str:
    """Return the text on one line, white space collapsed, safe to print.

    >>> one_line("select *\\n  from t")
    'select * from t'
    """
    return " ".join(plain(text).split())


def no_command(line: str) -> str:
    """Return a line that a runner of GitHub Actions takes for text and not for a command: no query gives orders.

    The runner obeys a line that begins with `::name …::`, and `##[name]` wherever it stands.

    >>> print(no_command("  ::stop-commands::x"), no_command("a ##[add-mask]b"), no_command("x::int"))
      \\::stop-commands::x a #\\#[add-mask]b x::int
    """
    return _ORDER.sub(r"\1\\::", line).replace("##[", "#\\#[")


def shortened(text: str, width: int) -> str:
    """Return the text cut to a width, with an ellipsis where something is missing.

    >>> shortened("select * from t", 10), shortened("short", 10)
    ('select * …', 'short')
    """
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def first_lines(text: str, *, lines: int, characters: int) -> str:
    """Return the beginning of a long text, with a note of how much was left out.

    >>> print(first_lines("a\\nb\\nc", lines=2, characters=100))
    a
    b
    … (1 more line)
    """
    every = plain(text).strip("\n").splitlines()
    kept: list[str] = []
    room = characters
    for line in every[:lines]:
        if room <= 0:
            break
        kept.append(shortened(line, room))
        room -= len(line) + 1
    left = len(every) - len(kept)
    return "\n".join([*kept, f"… ({plural(left, 'more line')})"] if left else kept)
