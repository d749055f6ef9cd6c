"""How many rows production has on a page, and what that says: room left free, or values that lie elsewhere."""

from __future__ import annotations

from premortem.model import Profile, Table
from premortem.synthesis.kinds import Family, Kind, kind

_PAGE = 8192 - 24
_HEADER, _POINTER = 23, 4
_SHORT = 126
_ALIGNED = {2: 2, 4: 4, 8: 8, 12: 8, 16: 8}
#: A page that is fuller than this is as full as pages are.
_FULL = 92


def fillfactor(table: Table, profile: Profile) -> int | None:
    """Return the fillfactor that makes rows take as many pages as production's, None where these are as full as can be.

    What updates and deletes left behind, and a fillfactor of the table's own, are in production's rows per page.
    """
    if table.tuples <= 0 or table.relation_pages < 10:
        return None
    room = _PAGE // (row_size(table, profile) + _POINTER)
    found = round(100 * table.tuples / table.relation_pages / max(room, 1))
    return max(10, found) if found < _FULL else None


#: PostgreSQL compresses and moves away values of rows that are longer than this (TOAST_TUPLE_THRESHOLD).
_THRESHOLD = 2032
_WIDEST = 64_000
_MOVABLE = (Family.TEXT, Family.BYTES, Family.JSON)


def wide_column(table: Table, profile: Profile) -> tuple[str, int] | None:
    """Return the column whose values lie in the TOAST table, as far as one can tell, and how long they are there.

    ANALYZE looks at no value that is longer than a kilobyte, so that column has neither common values nor bounds, and
    its width is that of the pointers.
    """
    if table.tuples <= 0 or table.toast_bytes < max(64 * 1024, 20 * table.tuples):
        return None
    columns = [c for c in table.columns if kind(c.type, profile).family in _MOVABLE and c.own_statistics]
    unseen = [c for c in columns if (s := c.own_statistics) and not s.histogram_bounds and not s.most_common_values]
    unseen = [c for c in unseen if c.own_statistics and c.own_statistics.null_fraction < 1]
    found = max(
        unseen or columns, key=lambda c: c.own_statistics.average_width if c.own_statistics else 0, default=None
    )
    if found is None or found.own_statistics is None:
        return None
    filled = table.tuples * max(1 - found.own_statistics.null_fraction, 0.001)
    return found.name, min(max(round(table.toast_bytes / filled), _THRESHOLD + 100), _WIDEST)


def row_size(table: Table, profile: Profile) -> int:
    """Return the octets of an average row: header, bitmap of NULLs, and columns, each at its alignment."""
    nullable = any(s.null_fraction > 0.01 for c in table.columns if (s := c.own_statistics))
    size = _aligned(_HEADER + (-(-len(table.columns) // 8) if nullable else 0), 8)
    share = 0.0
    for column in table.columns:
        found = column.own_statistics
        width = found.average_width if found else 8
        filled = 1 - found.null_fraction if found else 1.0
        if column.generated == "virtual":
            continue
        if filled < 0.5:  # mostly NULL: no use to align for it
            share += filled * width
            continue
        size = _aligned(size, _alignment(kind(column.type, profile), width)) + width
    return _aligned(round(size + share), 8)


def _aligned(size: int, to: int) -> int:
    return -(-size // to) * to


def _alignment(found: Kind, width: int) -> int:
    if found.family is Family.UUID or found.family is Family.MAC or found.name in ("name", '"char"'):
        return 1
    if found.octets and found.family is not Family.ADDRESS:
        return _ALIGNED.get(found.octets, 1)
    return 1 if width <= _SHORT else 4
