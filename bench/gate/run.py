"""How long the gate takes on a large code base: 5,000 distinct queries on a profile of 1,000 tables.

    python bench/gate/run.py [--state FOLDER] [--major 15] [--tables 1000] [--queries 5000] [--processes N]

Makes a production of so many tables (filled with 300 rows each, then taken to be of 40 thousand to 20 million, so that
plans are those of a grown one), writes so many different queries (by key, by index and sort, joins, aggregates,
changes; one in forty misses an index), and runs `premortem check` from the shell: all of them, then with a lock that
has all but ten.  Wall-clock and CPU seconds of the process and its children.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from premortem import catalog, pg
from premortem.model import Index, Profile, Table, Values

TABLE = """
create table t{n} (id bigint generated always as identity primary key, tenant_id int not null, status text not null,
  created_at timestamptz not null default now(), email text, amount numeric(12,2), ref_id bigint{references},
  note varchar(200), flag boolean, doc jsonb);
create index on t{n} (tenant_id, created_at desc);
create index on t{n} (status) where flag;
create index on t{n} (lower(email));
create index on t{n} (ref_id);
insert into t{n} (tenant_id, status, created_at, email, amount, ref_id, note, flag, doc)
select (random() * 100)::int, (array['new','paid','sent'])[1 + floor(random() * 3)::int], now() - random() * interval
  '90 days', 'u' || i || '@example.org', random() * 1000, i, md5(i::text), random() < 0.1, '{{"a": 1}}'
from generate_series(1, 300) i
"""

#: What an application asks of a table; `{n}` is the table, `{m}` the one that it refers to, `{k}` makes texts differ.
TEMPLATES = (
    "select * from t{n} where id = $1",
    "select id, status, amount from t{n} where tenant_id = $1 order by created_at desc limit {k}",
    "select a.id, b.status, b.note from t{n} a join t{m} b on b.id = a.ref_id where a.tenant_id = $1 "
    "order by a.created_at desc limit {k}",
    "select id, email from t{n} where lower(email) = lower($1)",
    "update t{n} set status = $1, amount = amount + {k} where id = $2",
    "insert into t{n} (tenant_id, status, email, amount) values ($1, $2, $3, {k}) returning id",
    "select count(*) from t{n} where tenant_id = $1 and created_at > $2 and created_at < $3",
    "select id from t{n} where flag and status = 'new' order by id limit {k}",
    "delete from t{n} where id = any($1)",
    "select a.* from t{n} a where exists (select from t{m} b where b.ref_id = a.id and b.tenant_id = $1) and a.id > $2 "
    "order by a.id limit {k}",
)
#: The ones that need an index that is not there.
MISSING = "select * from t{n} where note = $1 and amount > {k}"


def production(major: int, tables: int, file: Path) -> None:
    settings = {"max_locks_per_transaction": 1000, "autovacuum": "off"}
    with pg.start(pg.installation(major), settings=settings) as server:
        with pg.writer(server, purpose="bench") as db:
            for n in range(tables):
                db.execute(TABLE.format(n=n, references=f" references t{n - 1}" if n else ""))
            db.execute("ANALYZE")
        with pg.session(server, purpose="bench") as session:
            catalog.write(grown(catalog.pull(session, values=Values.ALL)), file)


def grown(profile: Profile) -> Profile:
    """Take every table to be as large as a grown production's, the first ones the largest."""
    factors = {t.name: 70_000 / (1 + n) ** 0.9 + 130 for n, t in enumerate(profile.tables)}
    return replace(profile, tables=tuple(_grown(t, factors[t.name]) for t in profile.tables))


def _grown(table: Table, factor: float) -> Table:
    return replace(
        table,
        pages=round(table.pages * factor),
        relation_pages=round(table.relation_pages * factor),
        all_visible=round(table.all_visible * factor),
        tuples=table.tuples * factor,
        indexes=tuple(_grown_index(i, factor) for i in table.indexes),
    )


def _grown_index(index: Index, factor: float) -> Index:
    return replace(
        index,
        pages=round(index.pages * factor),
        relation_pages=round(index.relation_pages * factor),
        tuples=index.tuples * factor,
        level=2,
    )


def queries(count: int, tables: int) -> list[str]:
    found = []
    for i in range(count):
        n = i % tables
        template = MISSING if i % 40 == 39 else TEMPLATES[(i // tables + i) % len(TEMPLATES)]
        found.append(template.format(n=n, m=max(n - 1, 0), k=10 + i // tables))
    return found


def timed(what: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    wall, cpu = time.perf_counter(), _cpu()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(
        f"{what:<50} {time.perf_counter() - wall:7.1f} s wall {_cpu() - cpu:7.1f} s CPU, exit {done.returncode}",
        flush=True,
    )
    if done.stderr:
        print(done.stderr[-2000:])
    return done


def _cpu() -> float:
    times = os.times()
    return times.children_user + times.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state", type=Path, default=Path(tempfile.gettempdir()) / "premortem-bench-gate")
    parser.add_argument("--major", type=int, default=15)
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--queries", type=int, default=5000)
    chosen = parser.parse_args()
    chosen.state.mkdir(parents=True, exist_ok=True)
    profile = chosen.state / f"{chosen.major}-{chosen.tables}.profile"
    if not profile.exists():
        production(chosen.major, chosen.tables, profile)
    every = queries(chosen.queries, chosen.tables)
    print(f"{len(set(every))} different queries, {chosen.tables} tables, PostgreSQL {chosen.major}")
    file, one = chosen.state / "queries.sql", chosen.state / "one.sql"
    file.write_text("".join(f"{q};\n" for q in every))
    one.write_text(f"{every[0]};\n")
    check = [sys.executable, "-m", "premortem", "check", "-p", str(profile), "-f", "json", "-o"]
    timed("one query (the twin is built where it is not cached)", [*check, str(chosen.state / "one.json"), str(one)])
    timed("one query, cached twin", [*check, str(chosen.state / "one.json"), str(one)])
    timed(f"{len(every)} queries", [*check, str(chosen.state / "all.json"), str(file)])
    lock = chosen.state / "premortem.lock"
    lock.unlink(missing_ok=True)
    adopt = [sys.executable, "-m", "premortem", "adopt", "-p", str(profile), "--lock", str(lock)]
    timed(f"adopting {len(every)} queries", [*adopt, str(file)])
    print(f"{'the lock':<50} {lock.stat().st_size / 1e6:7.1f} MB, {len(lock.read_text().splitlines())} lines")
    fresh = queries(len(every) + 10, chosen.tables)[-10:]
    file.write_text("".join(f"{q};\n" for q in (*every[:-10], *fresh)))
    timed(
        f"{len(every)} queries, all but ten in the lock",
        [*check, str(chosen.state / "ten.json"), "--lock", str(lock), str(file)],
    )


if __name__ == "__main__":
    main()
