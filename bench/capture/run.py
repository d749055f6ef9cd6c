"""How much longer a suite of 500 Django tests takes under capture: pairs of runs on servers of the same kind.

python bench/capture/run.py --pairs 5
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from premortem import pg

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1] / "tests" / "capture" / "apps" / "django"
SUITE = [sys.executable, str(PROJECT / "manage.py"), "test", "many"]


@dataclass(frozen=True)
class Run:
    """Seconds: of the whole command, and of the tests as Django counts them."""

    wall: float
    tests: float


def plain(major: int | None) -> Run:
    """The suite on a server that logs nothing, its start not counted."""
    settings = {"max_connections": 300, "shared_buffers": "256MB"}
    with (
        pg.start(pg.installation(major), settings=settings, tcp=True) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        user, password = "app", "app"
        with pg.writer(server, purpose="bench") as db:
            db.execute(f"CREATE ROLE {user} LOGIN SUPERUSER PASSWORD '{password}'")
            db.execute(f"CREATE DATABASE {user} OWNER {user}")
        url = f"postgresql://{user}:{password}@127.0.0.1:{server.port}/app"
        return timed(SUITE, {"DATABASE_URL": url}, folder)


def captured(major: int | None) -> Run:
    """The same under capture, everything counted: the server's start, the suite, reading, writing the file."""
    with tempfile.TemporaryDirectory() as folder:
        version = ["--pg", str(major)] if major else []
        program = [sys.executable, "-m", "premortem", "capture", *version, "-o", f"{folder}/c", "--", *SUITE]
        return timed(program, {}, folder)


def timed(command: list[str], given: dict[str, str], folder: str) -> Run:
    environment = os.environ | given | {"PYTHONPATH": f"{HERE}:{PROJECT}"}
    began = time.monotonic()
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0 or "Ran 500 tests" not in done.stderr:
        raise SystemExit(f"the suite failed:\n{done.stderr[-2000:]}")
    wall = time.monotonic() - began
    return Run(wall=wall, tests=float(done.stderr.partition("Ran 500 tests in ")[2].partition("s")[0]))


def cpu(run: Callable[[], Run]) -> tuple[Run, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    made = run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return made, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--pg", type=int)
    given = parser.parse_args()
    shares, own = [], []
    for _ in range(given.pairs):
        without, without_cpu = cpu(lambda: plain(given.pg))
        under, under_cpu = cpu(lambda: captured(given.pg))
        shares.append(under.wall / without.wall - 1)
        own.append(under.tests / without.tests - 1)
        print(
            f"{without.wall:6.1f} s without, {under.wall:6.1f} s under capture: {shares[-1]:+.1%};"
            f" the tests {without.tests:.1f} s, {under.tests:.1f} s: {own[-1]:+.1%};"
            f" CPU {without_cpu:.1f} s, {under_cpu:.1f} s; load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
    print(f"median {statistics.median(shares):+.1%}, of the tests {statistics.median(own):+.1%}")


if __name__ == "__main__":
    main()
