"""What a poll of pg_stat_statements costs: our CPU, the server's, bytes and temporary files, for several ways to ask.

    python -m bench.watch.poll [--entries 10000] [--text 4000] [--moved 300] [--polls 40]

`reader` is what premortem does: one text value, whose lines are compared with those of before, and only the lines that
differ are parsed.  `decide` is what follows: deltas, rings and windows of what moved.  Our CPU is that of the asking
thread, the best poll and the median one: on a machine with other work, caches and a core's clock are not ours alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median

import psycopg

from premortem import pg, sampling, watch
from premortem.watch import Rings

COLUMNS = (
    "dbid, userid, toplevel, queryid, calls, total_exec_time, min_exec_time, max_exec_time, stddev_exec_time, rows, "
    "shared_blks_hit, shared_blks_read, temp_blks_written, wal_bytes"
)
SETTINGS: dict[str, str | int | float | bool] = {
    "shared_preload_libraries": "pg_stat_statements",
    "autovacuum": False,
    "pg_stat_statements.track": "top",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--text", type=int, default=4_000)
    parser.add_argument("--moved", type=int, default=300)
    parser.add_argument("--polls", type=int, default=40)
    given = parser.parse_args()
    print(f"{given.entries:,} entries of {given.text:,} characters, {given.moved} move between polls; per poll:")
    print("| PostgreSQL | way | our CPU, ms: best | median | the server's CPU, ms | kB | temporary files |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for major in (15, 18):
        installation = pg.exact_installation(major)
        if installation is None:
            continue
        settings = SETTINGS | {"pg_stat_statements.max": given.entries + 2_000}
        with pg.start(installation, settings=settings) as server:
            fill(server, given.entries, given.text)
            for name, way in WAYS.items():
                measure(server, name, way, given.moved, given.polls)
            measure_reader(server, given.moved, given.polls)


def fill(server: pg.Server, entries: int, text: int) -> None:
    with pg.writer(server, purpose="bench") as db:
        db.execute("CREATE EXTENSION pg_stat_statements")
        db.execute(f"CREATE TABLE wide ({', '.join(f'c{n} int' for n in range(100))})")
    for start in range(0, entries, 100):
        move(server, range(start, start + 100), "x" * text)


def move(server: pg.Server, numbers: range, pad: str = "") -> None:
    """Run that many different statements, each once."""
    one = (f"SELECT c{n % 100} /* {pad} */, c{n // 100} FROM wide WHERE c{n % 100} = 1" for n in numbers)
    with pg.writer(server, purpose="bench") as db:
        db.execute("; ".join(one))


def rows(connection: psycopg.Connection, binary: bool = False) -> int:
    return len(connection.execute(f"SELECT {COLUMNS} FROM pg_stat_statements(false)", binary=binary).fetchall())


def copied(connection: psycopg.Connection) -> int:
    asked = f"COPY (SELECT {COLUMNS} FROM pg_stat_statements(false)) TO STDOUT"
    with connection.cursor() as cursor, cursor.copy(asked) as copy:
        return len({bytes(line) for line in copy})


def one_text(connection: psycopg.Connection) -> int:
    asked = f"SELECT string_agg(concat_ws(' ', {COLUMNS}), E'\\n') FROM pg_stat_statements(false)"
    return len(set(connection.execute(asked).fetchone()[0].split("\n")))


def with_texts(connection: psycopg.Connection) -> int:
    return len(connection.execute(f"SELECT {COLUMNS}, left(query, 40) FROM pg_stat_statements").fetchall())


WAYS: dict[str, Callable[[psycopg.Connection], int]] = {
    "the view, with texts": with_texts,
    "rows as text": rows,
    "rows as binary": lambda connection: rows(connection, binary=True),
    "COPY": copied,
    "one text": one_text,
}


def measure(server: pg.Server, name: str, way: Callable[[psycopg.Connection], int], moved: int, polls: int) -> None:
    with psycopg.connect(server.dsn(), autocommit=True, prepare_threshold=None) as connection:
        if "texts" not in name:
            connection.execute("SET work_mem = '16MB'")
        way(connection)
        pid, spent, theirs = connection.info.backend_pid, list[float](), backend_ms(connection.info.backend_pid)
        files = temp_files(server)
        for _ in range(polls):
            move(server, range(moved))
            began = ours_ms()
            way(connection)
            spent.append(ours_ms() - began)
        theirs = backend_ms(pid) - theirs
    time.sleep(0.2)  # what a backend did reaches the statistics when it ends
    show(server, name, spent, theirs / polls, 0, (temp_files(server) - files) / polls)


def measure_reader(server: pg.Server, moved: int, polls: int) -> None:
    spent, decided = list[float](), list[float]()
    files, size = temp_files(server), 0
    with sampling.open(server.dsn(), "bench") as reader:
        rings, last, statements = Rings(), None, {}
        sample = reader.sample()
        pid = reader._link.ask(lambda line: line.ask("SELECT pg_catalog.pg_backend_pid()"))[1][0][0]
        theirs = backend_ms(int(pid))
        for _ in range(polls):
            move(server, range(moved))
            began = ours_ms()
            sample = reader.sample()
            spent.append(ours_ms() - began)
            unseen = [one.key for one in sample.moved if one.key not in statements]
            for key, text in reader.texts(unseen, most=1_000).items():
                statements[key] = watch.identify(text, "postgres")
            began = ours_ms()
            found = watch.deltas(sample, last)
            rings, last = watch.advance(rings, sample, found, statements), watch.LastFacts.of(sample)
            watch.windows(rings, sample.at, timedelta(seconds=300))
            decided.append(ours_ms() - began)
        assert len(sample.moved) >= moved
        size = sum(map(len, reader._before.lines)) // 1000
        theirs = backend_ms(int(pid)) - theirs
    time.sleep(0.2)
    show(server, "**reader**", spent, theirs / polls, size, (temp_files(server) - files) / polls)
    show(server, "decide", decided, 0, 0, 0)


def show(server: pg.Server, name: str, ours: list[float], theirs: float, kilobytes: int, files: float) -> None:
    major = server.version_num // 10_000
    cpu = f"{min(ours):.1f} | {median(ours):.1f} | {theirs:.1f}"
    print(f"| {major} | {name} | {cpu} | {kilobytes or ''} | {files:g} |", flush=True)


def ours_ms() -> float:
    return time.thread_time() * 1000


def backend_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 10.0


def temp_files(server: pg.Server) -> int:
    with pg.writer(server, purpose="bench") as db:
        return int(db.value("SELECT sum(temp_files) FROM pg_stat_database"))


if __name__ == "__main__":
    main()
