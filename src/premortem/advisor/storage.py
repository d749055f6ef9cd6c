"""How types look on disk: how wide a value is, where it may start, and whether equal values are the same bytes.

From `pg_type.dat` (typlen, typalign), `numeric.c` (groups of four digits behind a short header) and the B-tree support
function 4 (`equalimage`) in `pg_amproc.dat`, seen on 15 and 18.
"""

from __future__ import annotations

import re
from collections.abc import Callable

#: Length and alignment of the types of fixed length.
FIXED = {
    "boolean": (1, 1),
    '"char"': (1, 1),
    "smallint": (2, 2),
    "integer": (4, 4),
    "bigint": (8, 8),
    "real": (4, 4),
    "double precision": (8, 8),
    "date": (4, 4),
    "time without time zone": (8, 8),
    "time with time zone": (12, 8),
    "timestamp without time zone": (8, 8),
    "timestamp with time zone": (8, 8),
    "interval": (16, 8),
    "uuid": (16, 1),
    "oid": (4, 4),
    "macaddr": (6, 4),
    "macaddr8": (8, 4),
    "money": (8, 8),
    "pg_lsn": (8, 8),
    "xid8": (8, 8),
    "point": (16, 8),
    "lseg": (32, 8),
    "line": (24, 8),
    "box": (32, 8),
    "circle": (24, 8),
    "name": (64, 1),
}
_VARYING = frozenset(
    ("text", "character varying", "character", "numeric", "jsonb", "json", "bytea", "inet", "cidr", "citext", "xml",
     "bit", "bit varying", "tsvector", "tsquery", "hstore", "ltree", "path", "polygon")
)  # fmt: skip
#: Types whose equal values may differ in bytes, so that nbtree keeps every row's own tuple.
_MANY_IMAGES = frozenset(
    ("numeric", "real", "double precision", "jsonb", "interval", "citext", "tsvector", "tsquery", "record", "hstore",
     "ltree")
)  # fmt: skip
_SHORT = 127  # VARATT_SHORT_MAX: up to here a value of varying length has a header of one byte, and starts anywhere
_PADDED_DEDUPLICATES = 18  # character(n): every row its own tuple on 15.20, posting lists on 18.6


def base_type(type_name: str) -> str:
    """Return a type's name without its modifier.

    >>> base_type("character varying(20)"), base_type("timestamp(3) with time zone"), base_type("numeric(10,2)[]")
    ('character varying', 'timestamp with time zone', 'numeric[]')
    """
    return re.sub(r"\([^)]*\)", "", type_name).strip() if "(" in type_name else type_name


def deduplicates(type_name: str, major: int) -> bool:
    """Whether equal keys of the type share a posting list in a B-tree.

    >>> deduplicates("text", 15), deduplicates("numeric", 15), deduplicates("character", 15)
    (True, False, False)
    """
    plain = type_name.rsplit(".", 1)[-1]
    if plain == "character":
        return major >= _PADDED_DEDUPLICATES
    return not (plain.endswith(("[]", "range")) or plain in _MANY_IMAGES)


def length_by_looks(type_name: str, width: float) -> tuple[int, int] | None:
    """Return length and alignment of a type of the database's own that may be an enum or a domain, None for others.

    >>> length_by_looks("public.mood", 4), length_by_looks("text", 4), length_by_looks("public.money_range", 16)
    ((4, 4), None, None)
    """
    plain = type_name.rsplit(".", 1)[-1]
    if plain in _VARYING or plain.endswith(("[]", "range")):
        return None
    return {4: (4, 4), 8: (8, 8), 16: (16, 1)}.get(int(width))


def long_alignment(type_name: str) -> int:
    """Return where a value that is too long for the short header may start."""
    wide = ("bigint[]", "double precision[]", "timestamp", "path", "polygon")
    return 8 if type_name.startswith(wide) and type_name != "timestamp" else 4


def alignment(size: float, type_name: str) -> int:
    """Return where a value of varying length and so many bytes may start."""
    return 1 if size <= _SHORT else long_alignment(type_name)


def measure(type_name: str) -> Callable[[str], int] | None:
    """Return the function that says how many bytes a value takes, from its text; None where that cannot be told."""
    if type_name == "numeric":
        return numeric_bytes
    if type_name in ("text", "character varying", "character", "citext"):
        return text_bytes
    if type_name in ("inet", "cidr"):
        return lambda value: 19 if ":" in value else 7
    if type_name == "bytea":
        return lambda value: _with_header(max(0, len(value) - 2) // 2) if value.startswith("\\x") else text_bytes(value)
    return None


def text_bytes(value: str) -> int:
    """Return the bytes of a text with its header.

    >>> text_bytes("abc"), text_bytes("x" * 200)
    (4, 204)
    """
    return _with_header(len(value.encode("utf-8", "surrogatepass")))


def _with_header(length: int) -> int:
    return length + 1 if length + 1 <= _SHORT else length + 4


def numeric_bytes(value: str) -> int:
    """Return the bytes of a numeric: two for every group of four decimal digits, and three of headers.

    >>> numeric_bytes("0"), numeric_bytes("12345.67"), numeric_bytes("-0.05"), numeric_bytes("1000000")
    (3, 9, 5, 5)
    """
    whole, _, fraction = value.strip().lstrip("-+").partition(".")
    if not (whole + fraction).isdigit():
        return 3
    whole = whole.lstrip("0")
    groups = [whole[max(0, end - 4) : end] for end in range(len(whole), 0, -4)][::-1]
    groups += [fraction[start : start + 4] for start in range(0, len(fraction), 4)]
    while groups and not groups[-1].strip("0"):
        groups.pop()
    while groups and not groups[0].strip("0"):
        groups.pop(0)
    return _with_header(2 + 2 * len(groups))
