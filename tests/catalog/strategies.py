"""Random values of the model's classes, made from the types that their fields declare."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, get_args

from hypothesis import strategies as st

from premortem.catalog import codec

TEXT = st.text(max_size=8)
_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(-(2**63), 2**63),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    datetime: st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)),
    date: st.dates(min_value=date(1970, 1, 1)),
    timedelta: st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10_000)),
}


def of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type."""
    if kind in _SCALARS:
        return _SCALARS[kind]
    if (inner := codec.optional(kind)) is not None:
        return st.none() | of(inner)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return st.sampled_from(list(kind))
    if is_dataclass(kind):
        return st.deferred(lambda: _object(kind))
    args = get_args(kind)
    if len(args) == 2 and args[1] is Ellipsis:
        return st.lists(of(args[0]), max_size=2).map(tuple)
    return st.tuples(*(of(arg) for arg in args))


def _object(cls: Any) -> st.SearchStrategy[Any]:
    kinds = codec.hints(cls)
    needed = {f.name: of(kinds[f.name]) for f in fields(cls) if codec.default(f) is MISSING}
    optional = {f.name: of(kinds[f.name]) for f in fields(cls) if codec.default(f) is not MISSING}
    return st.fixed_dictionaries(needed, optional=optional).map(lambda values: cls(**values))
