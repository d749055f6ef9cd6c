"""What watching a fleet costs: one `premortem watch` over many instances, its CPU, memory and lag, and its store's CPU.

    python -m bench.watch.fleet [--instances 200] [--entries 5000] [--moved 100] [--poll 15] [--seconds 120]

The instances are databases of two real servers, each read as an instance of its own: the same counters, so the same
lines, sets, deltas and windows as from as many servers.  A client makes `moved` statements move between two polls.
The lag is how old an instance's newest reading is, asked every five seconds: at best anything up to one interval.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from statistics import median, quantiles

from bench.watch.poll import SETTINGS, backend_ms, fill, move
from premortem import pg

SERVERS = 2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--instances", type=int, default=200)
    parser.add_argument("--entries", type=int, default=5_000)
    parser.add_argument("--moved", type=int, default=100)
    parser.add_argument("--poll", type=float, default=15)
    parser.add_argument("--seconds", type=float, default=120)
    given = parser.parse_args()
    settings = SETTINGS | {"pg_stat_statements.max": given.entries + 2_000, "max_connections": given.instances + 20}
    servers = [pg.start(settings=settings) for _ in range(SERVERS)]
    stop = threading.Event()
    try:
        for server in servers:
            fill(server, given.entries, 500)
        threading.Thread(target=keep_moving, args=(servers, given.moved, given.poll, stop), daemon=True).start()
        with tempfile.TemporaryDirectory(prefix="fleet-") as home:
            Path(home).chmod(0o755)  # the store's server may run as somebody else
            run(servers, Path(home), given)
    finally:
        stop.set()
        for server in servers:
            server.stop("immediate")


def keep_moving(servers: list[pg.Server], moved: int, poll: float, stop: threading.Event) -> None:
    while not stop.wait(poll / 3):
        for server in servers:
            move(server, range(moved))


def run(servers: list[pg.Server], home: Path, given: argparse.Namespace) -> None:
    settings = home / "premortem.toml"
    settings.write_text(toml(servers, home, given))
    log = (home / "log").open("w")
    asked = [sys.executable, "-m", "premortem", "watch", "--settings", str(settings)]
    process = subprocess.Popen(asked, stderr=log, stdout=log)
    try:
        time.sleep(2 * given.poll + 10)  # texts are fetched once, indexes are read
        before, began = backend_ms(process.pid), time.monotonic()
        children = spent_by(children_of(process.pid))
        lags = lags_for(given.seconds, port_of(home / "log"))
        passed = time.monotonic() - began
        ours, theirs = backend_ms(process.pid) - before, spent_by(children_of(process.pid)) - children
        polls = given.instances * passed / given.poll
        print(f"{given.instances} instances of {given.entries:,} entries, {given.moved} move, every {given.poll:g} s")
        each, memory = ours / polls, memory_mb(process.pid)
        print(f"  premortem: {ours / 10 / passed:.0f} % of a core, {each:.1f} ms a poll, {memory} MB")
        print(f"  its store: {theirs / 10 / passed:.0f} % of a core (what still runs)")
        worst = f"{quantiles(lags, n=100)[98]:.1f} s in 99 of 100, at most {max(lags):.1f} s"
        print(f"  lag: {median(lags):.1f} s at the median, {worst}")
        print(f"  {failures(port_of(home / 'log')):.0f} attempts to write the state failed since the start")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        print("  ended with", process.returncode)
        events = re.findall(r"event=(\S+)(?:.*?says=(\"[^\"]*\"))?", (home / "log").read_text())
        for (event, says), count in Counter(events).most_common(12):
            print(f"  log: {count} x {event} {says}")


def port_of(log: Path) -> int:
    return int(re.findall(r"event=http.listens at=127.0.0.1:(\d+)", log.read_text())[-1])


def lags_for(seconds: float, port: int) -> list[float]:
    """How old every instance's newest reading is, every five seconds."""
    found: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(5.0, max(0.0, end - time.monotonic())))
        found += [float(value) for value in figures(port, r"premortem_poll_lag_seconds\{.*?\} (\S+)")]
    return found


def failures(port: int) -> float:
    return sum(map(float, figures(port, r"\npremortem_store_failures_total (\S+)")))


def figures(port: int, pattern: str) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return re.findall(pattern, answer.read().decode())


def toml(servers: list[pg.Server], home: Path, given: argparse.Namespace) -> str:
    parts = [f'[watch]\npoll_seconds = {given.poll}\nstate_directory = "{home}/state"\nlisten = "127.0.0.1:0"\n']
    for number in range(given.instances):
        dsn = servers[number % len(servers)].dsn()
        parts.append(f'[[instances]]\nname = "db-{number}"\ndsn = "{dsn}"\n')
    return "\n".join(parts)


def children_of(pid: int) -> list[int]:
    """The processes that a process started, and those started in turn."""
    by_parent: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        by_parent.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = by_parent.get(pid, [])
    return found + [below for one in found for below in _below(one, by_parent)]


def _below(pid: int, by_parent: dict[int, list[int]]) -> list[int]:
    found = by_parent.get(pid, [])
    return found + [below for one in found for below in _below(one, by_parent)]


def spent_by(pids: list[int]) -> float:
    spent = 0.0
    for pid in pids:
        try:
            spent += backend_ms(pid)
        except OSError:
            continue
    return spent


def memory_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) // 1024


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
