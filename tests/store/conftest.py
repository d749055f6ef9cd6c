"""Stores on real servers: a fresh database for a test, and one that a whole module shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from premortem import store


@pytest.fixture
def opened(database: str) -> Iterator[store.Store]:
    """A store in a fresh database, on every version of PostgreSQL."""
    with store.open(database) as found:
        yield found
