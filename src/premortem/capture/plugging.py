"""Puts our pytest plugin where the suite's pytest finds it, without touching the suite's command or environment much.

An entry point beside the module makes pytest load it, whatever interpreter or virtual environment the suite runs in,
and under xdist in every worker.  An option in PYTEST_ADDOPTS would do so too, but where PYTHONPATH is ignored
(`python -I`) it would make pytest fail, and this way the plugin is merely not there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

_NAME = "premortem_tests"
_METADATA = f"Metadata-Version: 2.1\nName: {_NAME.replace('_', '-')}\nVersion: 1\n"
_ENTRY_POINT = f"[pytest11]\n{_NAME} = {_NAME}\n"


@contextmanager
def plugged() -> Iterator[Path]:
    """Make the folder that holds the plugin and what it tells, for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="premortem-tests-"))
    try:
        source = files("premortem.capture").joinpath("plugin.py").read_text("utf-8")
        (folder / f"{_NAME}.py").write_text(source, "utf-8")
        about = folder / f"{_NAME}-1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(_METADATA, "utf-8")
        (about / "entry_points.txt").write_text(_ENTRY_POINT, "utf-8")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def environment(folder: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which the suite's pytest finds the folder."""
    path = inherited.get("PYTHONPATH", "")
    return {"PYTHONPATH": f"{path}:{folder}" if path else str(folder), "PREMORTEM_TESTS": str(folder)}
