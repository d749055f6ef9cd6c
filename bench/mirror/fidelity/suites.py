"""The workloads that a mirror is judged on, none of them made by our own generator.

TPC-H and TPC-DS by their own generators and the schema with every index kind are those of bench/fidelity; here are
pgbench after updates with a Zipf distribution, and a multi-tenant schema whose largest tenant is a third of it.
"""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

from premortem import pg

HERE = Path(__file__).parent


def _fidelity() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fidelity_suites", HERE.parent.parent / "fidelity" / "suites.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["fidelity_suites"] = module
    spec.loader.exec_module(module)
    return module


fidelity = _fidelity()
Suite = fidelity.Suite

ZIPFIAN = """
\\set aid random_zipfian(1, 100000 * :scale, 1.3)
\\set bid random(1, :scale)
\\set tid random(1, 10 * :scale)
\\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
END;
"""
PGBENCH = {
    "account": "select * from pgbench_accounts where aid = 4711",
    "history of a hot account": "select * from pgbench_history where aid = 1",
    "history of a warm account": "select * from pgbench_history where aid = 40",
    "history of a cold account": "select * from pgbench_history where aid = 77777",
    "accounts of a branch": "select count(*), sum(abalance) from pgbench_accounts where bid = 2",
    "hot accounts": "select aid, count(*) from pgbench_history group by aid order by 2 desc limit 10",
    "accounts with history": "select count(*) from pgbench_accounts a join pgbench_history h using (aid) where a.bid=1",
    "never touched": "select count(*) from pgbench_accounts a where abalance = 0 and bid = 3",
    "tellers": "select t.tid, sum(h.delta) from pgbench_tellers t join pgbench_history h using (tid) group by 1",
    "recent": "select * from pgbench_history order by mtime desc limit 20",
    "overdrawn": "select * from pgbench_accounts where abalance < -9000",
    "of one teller": "select a.* from pgbench_history h join pgbench_accounts a using (aid) where h.tid = 7",
}


def pgbench(scale: float) -> object:
    size = max(1, round(10 * scale))

    def load(db: pg.Session) -> None:
        dsn = str(db.value("SELECT 'host=' || split_part(setting, ',', 1) FROM pg_settings "
                           "WHERE name = 'unix_socket_directories'"))  # fmt: skip
        database, user, port = (str(db.value(f"SELECT {x}")) for x in (
            "current_database()", "current_user", "current_setting('port')"))  # fmt: skip
        place = f"{dsn} port={port} user={user} dbname={database}"
        program = pg.installation(15).program("pgbench")
        for arguments in (["-i", "-q", "-s", str(size), "--foreign-keys"], ["-n", "-f", "-", "-t", "20000", "-c", "4"]):
            script = ZIPFIAN.replace(":scale", str(size)) if "-f" in arguments else ""
            subprocess.run([program, *arguments, place], input=script, text=True, check=True, capture_output=True)
        for sql in ("create index on pgbench_history (aid)", "create index on pgbench_history (tid)",
                    "create index on pgbench_history (mtime)", "create index on pgbench_accounts (bid)"):  # fmt: skip
            db.execute(sql)
        db.execute("VACUUM ANALYZE")

    return Suite(name="pgbench", load=load, queries=PGBENCH)


def tenants(scale: float) -> object:
    rows = round(1_000_000 * scale)

    def load(db: pg.Session) -> None:
        for statement in (HERE / "tenants.sql").read_text().replace(":rows", str(rows)).split(";\n"):
            if statement.strip():
                db.execute(statement)

    texts = (HERE / "tenants_queries.sql").read_text().split(";\n")
    queries = {f"Q{n}": text.strip() for n, text in enumerate((t for t in texts if t.strip()), start=1)}
    return Suite(name="tenants", load=load, queries=queries)


SUITES = {**fidelity.SUITES, "pgbench": pgbench, "tenants": tenants}
