"""How often the gate cries wolf: queries of well-indexed applications, none of which should fail it.

    python bench/false_alarms/run.py [--major 15] [--state FOLDER] [name …]

Loads each application's schema and rows into a real server (pgbench by its own initialisation, the Django admin by its
migrations), pulls its profile, and has `premortem check` judge every query of the application; those of the Django
admin are what its own test suite asks.  Prints every finding that is an error, the number of warnings by rule, and how
many queries could not be told.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from premortem import catalog, pg
from premortem.model import Values

HERE = Path(__file__).parent
APPLICATIONS = ("pgbench", "tpcc", "shop", "social", "admin")
PGBENCH = """\
update pgbench_accounts set abalance = abalance + $1 where aid = $2;
select abalance from pgbench_accounts where aid = $1;
update pgbench_tellers set tbalance = tbalance + $1 where tid = $2;
update pgbench_branches set bbalance = bbalance + $1 where bid = $2;
insert into pgbench_history (tid, bid, aid, delta, mtime) values ($1, $2, $3, $4, current_timestamp);
"""
#: What the server of this bench is told of its disks, as on any SSD, and of its memory.
SETTINGS: dict[str, str | int | bool] = {
    "random_page_cost": "1.1",
    "effective_cache_size": "4GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "autovacuum": "off",
}


def loaded(name: str, major: int, file: Path) -> None:
    """Load an application into a server of its own and keep its profile."""
    with pg.start(pg.installation(major), settings=SETTINGS, tcp=True) as server:
        if name == "pgbench":
            bench = pg.installation(major).bin_directory / "pgbench"
            subprocess.run([str(bench), "-i", "-q", "-s", "30", server.dsn()], check=True, capture_output=True)
        elif name == "admin":
            migrated(server)
            ran(server, HERE / name / "fill.sql")
        else:
            ran(server, HERE / name / "schema.sql")
        with pg.writer(server, purpose="bench") as db:
            db.execute("VACUUM ANALYZE")
        with pg.session(server, purpose="bench") as session:
            catalog.write(catalog.pull(session, values=Values.LOW_CARDINALITY), file)


def ran(server: pg.Server, script: Path) -> None:
    with pg.writer(server, purpose="bench") as db:
        for statement in script.read_text().split(";\n"):
            if statement.strip():
                db.execute(statement)


def migrated(server: pg.Server) -> None:
    """Let the Django site make its tables."""
    with pg.writer(server, purpose="bench") as db:
        db.execute("CREATE ROLE site SUPERUSER LOGIN PASSWORD 'site'")
    environment = {**os.environ, "DATABASE_URL": f"postgresql://site:site@127.0.0.1:{server.port}/postgres"}
    command = [sys.executable, str(HERE / "admin" / "manage.py"), "migrate", "-v0"]
    subprocess.run(command, env=environment, check=True)


def what(name: str, folder: Path) -> list[str]:
    """Return what to type after `premortem check -p PROFILE` for an application's queries."""
    if name == "admin":
        return ["--", sys.executable, str(HERE / "admin" / "manage.py"), "test", "shop", "-v0"]
    if name == "pgbench":
        (folder / "pgbench.sql").write_text(PGBENCH)
        return [str(folder / "pgbench.sql")]
    return [str(HERE / name / "queries.sql")]


def judged(profile: Path, typed: Sequence[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "premortem", "check", "-p", str(profile), "-f", "json", *typed]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise SystemExit(done.stderr)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def told(name: str, report: dict[str, Any]) -> int:
    errors, warnings, unknown = [], Counter[str](), 0
    for query in report["queries"]:
        unknown += query["verdict"] == "unknown"
        if query["verdict"] == "unknown":
            print(f"  unknown  {query['site']}: {query['error']}")
        for finding in query["findings"]:
            if finding["severity"] == "error":
                errors.append((query["site"], finding["rule"], finding["says"]))
            if finding["severity"] == "warning":
                warnings[finding["rule"]] += 1
    print(f"{name:<10} {len(report['queries'])} queries, {len(errors)} errors, {unknown} unknown, {dict(warnings)}")
    for site, rule, says in errors:
        print(f"  ERROR {site.rsplit('/', 1)[-1]} {rule}: {says}")
    return len(errors) + unknown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=APPLICATIONS)
    parser.add_argument("--major", type=int, default=15)
    parser.add_argument("--state", type=Path, default=Path(tempfile.gettempdir()) / "premortem-bench-false-alarms")
    chosen = parser.parse_args()
    chosen.state.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for name in chosen.names:
        profile = chosen.state / f"{name}-{chosen.major}.profile"
        if not profile.exists():
            loaded(name, chosen.major, profile)
        wrong += told(name, judged(profile, what(name, chosen.state)))
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
