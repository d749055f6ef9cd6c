"""How long a twin takes, and a check with it.

    python bench/twin/run.py [--major 18] [--tables 1000]

Makes a production of so many tables, five indexes each, pulls its profile, and times: the pull, building the twin
(cold), opening it again (cached), `premortem check` of one query from the shell (cached), and how many queries are
judged per second.  Times are wall-clock medians; CPU seconds of this process and its children stand beside them.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from premortem import catalog, pg, twin
from premortem.model import Profile, Values

TABLE = """
create table t{n} (id bigint generated always as identity primary key, tenant_id int not null, status text not null,
  created_at timestamptz not null default now(), email text, amount numeric(12,2), ref_id bigint, note varchar(200),
  flag boolean, doc jsonb);
create index on t{n} (tenant_id, created_at desc);
create index on t{n} (status) where flag;
create index on t{n} (lower(email));
create index on t{n} (ref_id);
insert into t{n} (tenant_id, status, created_at, email, amount, ref_id, note, flag, doc)
select (random() * 100)::int, (array['new','paid','sent'])[1 + floor(random() * 3)::int], now() - random() * interval
  '90 days', 'u' || i || '@example.org', random() * 1000, i / 3, md5(i::text), random() < 0.1, '{{"a": 1}}'
from generate_series(1, 300) i
"""
QUERY = "select * from t7 where email = $1 and created_at > $2 order by created_at desc limit 20;\n"


def timed(what: str, run: Callable[[], object], times: int = 1) -> None:
    walls, cpus = [], []
    for _ in range(times):
        wall, cpu = time.perf_counter(), _cpu()
        run()
        walls.append(time.perf_counter() - wall)
        cpus.append(_cpu() - cpu)
    print(f"{what:<50} {statistics.median(walls):7.2f} s wall {statistics.median(cpus):7.2f} s CPU", flush=True)


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def production(major: int, tables: int, file: Path) -> None:
    settings = {"max_locks_per_transaction": 1000, "autovacuum": "off"}
    with pg.start(pg.installation(major), settings=settings) as server:
        with pg.writer(server, purpose="bench") as db:
            for n in range(tables):
                db.execute(TABLE.format(n=n))
            db.execute("ANALYZE")
        with pg.session(server, purpose="bench") as session:

            def pull() -> None:
                catalog.write(catalog.pull(session, values=Values.ALL), file)

            timed(f"profile pull, {tables} tables", pull)
    print(f"{'profile':<50} {file.stat().st_size / 1e6:7.2f} MB")


def opened(profile: Profile, major: int, identity: str) -> Callable[[], None]:
    def run() -> None:
        with twin.open(profile, installation=pg.installation(major), identity=identity):
            pass

    return run


def check(profile: Path, queries: Path) -> Callable[[], None]:
    command = [sys.executable, "-m", "premortem", "check", "-p", str(profile), str(queries), "-f", "json"]
    return lambda: subprocess.run(command, capture_output=True, check=False) and None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--major", type=int, default=18)
    parser.add_argument("--tables", type=int, default=1000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prod.profile"
        production(chosen.major, chosen.tables, file)
        profile = catalog.read(file)
        timed("profile read", lambda: catalog.read(file), 3)
        names = [secrets.token_hex(8) for _ in range(3)]
        for name in names[:2]:
            timed("twin, cold (schema, statistics, sizes)", opened(profile, chosen.major, name))
        timed("twin, cached", opened(profile, chosen.major, names[0]), 5)
        one, many = Path(folder) / "one.sql", Path(folder) / "many.sql"
        one.write_text(QUERY)
        many.write_text("".join(QUERY.replace("t7", f"t{n}") for n in range(min(200, chosen.tables))))
        timed("check, one query, cold", check(file, one))
        timed("check, one query, cached twin", check(file, one), 5)
        timed(f"check, {min(200, chosen.tables)} queries, cached twin", check(file, many))


if __name__ == "__main__":
    main()
