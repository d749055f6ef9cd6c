"""Stores on real servers: a fresh database for a test, and one that a whole module shares."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from premortem import store


@pytest.fixture
def opened(database: str) -> Iterator[store.Store]:
    """A store in a fresh database, on every version of PostgreSQL."""
    with store.open(database) as found:
        yield found


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that the user who runs servers can reach, which pytest's own are not where we are root."""
    folder = Path(tempfile.mkdtemp(prefix="premortem-state-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
