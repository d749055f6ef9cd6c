"""Moments as the server's microseconds since 1970: exact, whatever the session's time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int) -> datetime:
    """Return the aware datetime of so many microseconds since 1970.

    >>> moment(1_700_000_000_000_001).isoformat()
    '2023-11-14T22:13:20.000001+00:00'
    """
    return _EPOCH + timedelta(microseconds=microseconds)
