"""The workloads whose plans a twin must reproduce: TPC-H, TPC-DS, and a schema with one of every index kind."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from premortem import pg

HERE = Path(__file__).parent
OBJECTS = HERE.parent.parent / "tests" / "twin"  # one of every index kind; the tests load a smaller one
CACHE = HERE.parent / ".cache"

#: DuckDB's query texts use a few words that PostgreSQL does not have.
_DIALECT = (("stddev_samp", "stddev_samp"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A workload: how to load it into an empty database, and its queries by name."""

    name: str
    load: Callable[[pg.Session], None]
    queries: dict[str, str]


def tpch(scale: float, *, only: str = "") -> Suite:
    import duckdb

    folder = CACHE / f"tpch-{scale}"
    if not folder.exists():
        folder.mkdir(parents=True)
        tool = Path(sys.executable).with_name("tpchgen-cli")
        subprocess.run([tool, "csv", "-s", str(scale), f"--output-dir={folder}"], check=True, capture_output=True)
    connection = duckdb.connect()
    connection.execute("load tpch")
    texts = connection.execute("select query_nr, query from tpch_queries()").fetchall()

    def load(db: pg.Session) -> None:
        db.execute((HERE / "tpch.sql").read_text())
        for file in sorted(folder.glob("*.csv")):
            _copy(db, file.stem, file)
        _finish(db, "tpch_after.sql", only)

    return Suite(name="tpch", load=load, queries={f"Q{n}": q.rstrip().rstrip(";") for n, q in texts})


def tpcds(scale: float, *, only: str = "") -> Suite:
    import duckdb

    folder = CACHE / f"tpcds-{scale}"
    connection = duckdb.connect()
    connection.execute("load tpcds")
    if not folder.exists():
        folder.mkdir(parents=True)
        connection.execute(f"call dsdgen(sf={scale})")
        for (table,) in connection.execute("select table_name from duckdb_tables()").fetchall():
            connection.execute(f"copy {table} to '{folder / table}.csv' (header, delimiter ',')")
    else:
        connection.execute("call dsdgen(sf=0)")
    columns = connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() where not internal order by 1, column_index"
    ).fetchall()
    texts = connection.execute("select query_nr, query from tpcds_queries()").fetchall()

    def load(db: pg.Session) -> None:
        tables: dict[str, list[str]] = {}
        for table, column, kind in columns:
            tables.setdefault(table, []).append(f"{column} {kind}")
        for table, definitions in tables.items():
            db.execute(f"create table {table} ({', '.join(definitions)})")
            _copy(db, table, folder / f"{table}.csv")
        _finish(db, "tpcds_after.sql", only)

    return Suite(name="tpcds", load=load, queries={f"Q{n}": q.rstrip().rstrip(";") for n, q in texts})


def objects(scale: float) -> Suite:
    texts = (OBJECTS / "objects_queries.sql").read_text().split(";\n")
    queries = {f"Q{n}": text.strip() for n, text in enumerate((t for t in texts if t.strip()), start=1)}

    def load(db: pg.Session) -> None:
        for statement in (OBJECTS / "objects.sql").read_text().replace(":rows", str(int(200_000 * scale))).split(";\n"):
            if statement.strip():
                db.execute(statement)
        db.execute("VACUUM ANALYZE")

    return Suite(name="objects", load=load, queries=queries)


SUITES = {"tpch": tpch, "tpcds": tpcds, "objects": objects}


def _copy(db: pg.Session, table: str, file: Path) -> None:
    with open(file, newline="") as rows:
        header = next(csv.reader(rows))
    with open(file, "rb") as data:
        chunks = iter(lambda: data.read(1 << 20), b"")
        db.copy_in(f"COPY {table} ({', '.join(header)}) FROM STDIN (FORMAT csv, HEADER)", chunks)


def _finish(db: pg.Session, script: str, only: str) -> None:
    """Run what makes keys, indexes and statistics; with `only`, no statement but those that say it."""
    for statement in (HERE / script).read_text().split(";\n"):
        if statement.strip() and only in statement:
            db.execute(statement)
    db.execute("VACUUM ANALYZE")
