"""Parameter values as DETAIL lines and auto_explain print them: `$1 = 'it''s', $2 = NULL`."""

from __future__ import annotations

import re

_VALUE = re.compile(r"\s*\$(?P<number>\d+) = (?:(?P<null>NULL)|'(?P<text>[^']*+(?:''[^']*+)*+)')(?P<end>,|\s*\Z)")
_LEAD = re.compile(r"(?:[Pp]arameters|Query Parameters): ")
#: What stands at the end of a value that log_parameter_max_length cut off.
CUT = "..."


def values(detail: str | None) -> tuple[str | None, ...] | None:
    r"""Return the values of `$1`, `$2` … of a DETAIL; None where it tells none, or not all of them whole.

    >>> values("Parameters: $1 = 'it''s, $2 = ''', $2 = NULL")
    ("it's, $2 = '", None)
    >>> values("parameters: $1 = 'abcdefghij...'") is None
    True
    """
    lead = _LEAD.match(detail) if detail else None
    if detail is None or lead is None:
        return None
    found: list[str | None] = []
    position = lead.end()
    while position < len(detail):
        value = _VALUE.match(detail, position)
        if value is None or int(value["number"]) != len(found) + 1:
            return None
        found.append(None if value["null"] else value["text"].replace("''", "'"))
        position = value.end()
    return None if any(v is not None and v.endswith(CUT) for v in found) else tuple(found)
