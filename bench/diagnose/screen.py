"""How long `premortem diagnose` takes on a server with 5,000 statements and many tables, under load.

    python -m bench.diagnose.screen [--major 15] [--statements 5000] [--tables 500] [--rows 1500000] [--runs 5]

Builds a server, fills pg_stat_statements with that many entries with texts of about 1 kB, lets two sessions run the
query that lacks its index, and times the command from the shell, start of Python included.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import threading
import time

from premortem import pg
from premortem.demo import shop

_LOAD = "SELECT id, order_id FROM order_items WHERE product_sku = %(sku)s AND status = %(status)s"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--major", type=int, default=15)
    parser.add_argument("--statements", type=int, default=5_000)
    parser.add_argument("--tables", type=int, default=500)
    parser.add_argument("--rows", type=int, default=1_500_000)
    parser.add_argument("--runs", type=int, default=5)
    told = parser.parse_args()
    settings: dict[str, str | int | float | bool] = {
        "shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.max": told.statements + 2_000,
        "max_locks_per_transaction": 1_000, "max_parallel_workers_per_gather": 0,
    }  # fmt: skip
    with pg.start(pg.exact_installation(told.major), settings=settings) as server:
        fill(server, told.statements, told.tables, told.rows)
        measure(server.dsn(), told.runs)


def fill(server: pg.Server, statements: int, tables: int, rows: int) -> None:
    with pg.writer(server, purpose="bench") as db:
        db.execute("CREATE EXTENSION pg_stat_statements")
        shop.load(db, rows)
        for number in range(tables):
            db.execute(
                f"CREATE TABLE other_{number} (id int PRIMARY KEY, a int, b text, c text);"
                f" CREATE INDEX ON other_{number} (a)"
            )
        filler = "x" * 900
        for number in range(statements):
            columns = ", ".join(["a"] * (1 + number // tables))
            db.execute(f"SELECT {columns} /* {filler} */ FROM other_{number % tables} WHERE id = {number}")
        print(f"entries: {db.value('SELECT count(*) FROM pg_stat_statements'):,}")


def measure(dsn: str, runs: int) -> None:
    done = threading.Event()

    def load() -> None:
        with pg.writer(dsn, purpose="bench") as db:
            db.execute("SET application_name = 'shop'")
            while not done.is_set():
                db.tuples(_LOAD, sku="SKU-000001", status="pending")
                done.wait(0.2)  # the server shares our cores: what is measured is not how it starves us

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        every = [once(dsn) for _ in range(runs)]
    finally:
        done.set()
    for thread in threads:
        thread.join()
    walls = [wall for wall, _ in every]
    print(f"seconds from the shell: median {statistics.median(walls):.2f}, worst {max(walls):.2f}, of {runs} runs")


def once(dsn: str) -> tuple[float, str]:
    began, spent = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "premortem", "diagnose", dsn, "--format", "json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - spent.ru_utime - spent.ru_stime
    told = json.loads(ran.stdout)
    worst = told["hurts"][0] if told["hurts"] else None
    cause = worst["why"]["cause"] if worst and worst["why"] else "none"
    print(f"  {wall:.2f} s ({cpu:.2f} s of CPU), exit {ran.returncode}, {len(told['hurts'])} hurt, the worst: {cause};"
          f" the command's own clock: {told['took_seconds']} s")  # fmt: skip
    return wall, cause


if __name__ == "__main__":
    main()
