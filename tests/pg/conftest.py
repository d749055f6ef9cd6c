"""A cache folder of the test's own, in a place that the servers' user can enter."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # Not pytest's tmp_path, which is closed to everybody but us, and we may be root.
    path = Path(tempfile.mkdtemp(prefix="pmcache-", dir="/tmp"))
    path.chmod(0o755)
    monkeypatch.setenv("PREMORTEM_CACHE_DIR", str(path))
    yield path
    shutil.rmtree(path)
