"""What real servers write, in every form and with every setting, says the same."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import psycopg
import pytest

from premortem import pg
from premortem.capture import logs
from premortem.capture.executed import Executed
from premortem.errors import PremortemError
from premortem.model import Query

FILES = {"jsonlog": "x.json", "csvlog": "x.csv", "stderr": "x.log"}
AUTO_EXPLAIN = (
    "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;"
)
MODES = {
    "all": "SET log_statement = 'all'",
    "duration": "SET log_min_duration_statement = 0",
    "both": "SET log_statement = 'all'; SET log_duration = on; SET log_min_duration_statement = 0",
    "verbose": "SET log_error_verbosity = verbose; SET log_min_duration_statement = 0",
    "text": f"{AUTO_EXPLAIN} SET auto_explain.log_format = 'text'; SET auto_explain.log_analyze = on",
    "json": f"{AUTO_EXPLAIN} SET auto_explain.log_format = 'json'; SET log_statement = 'all'",
    "xml": f"{AUTO_EXPLAIN} SET auto_explain.log_format = 'xml'; SET log_min_duration_statement = 0",
    "yaml": f"{AUTO_EXPLAIN} SET auto_explain.log_format = 'yaml'; SET log_statement = 'all'",
}
SCHEMA = """
CREATE TABLE t (a int, b text);
INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 50) g;
CREATE FUNCTION f(n int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE r bigint; BEGIN SELECT count(*) INTO r FROM t WHERE t.a < 5; RETURN r; END $$;
"""
AWKWARD = "o'clock,\n$2 = 'x'\t--"


def work(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("select * from t where a = 1 and b = 'it''s'")
        db.execute("select *\n\tfrom t\n where a = 2 -- tail\n /* route='x' */")
        db.execute("select b from t where a = 1; select a from t where b = 'x'")
        for wrong in ("select nope from t", "select 1 / 0 from t"):
            with contextlib.suppress(psycopg.Error):
                db.execute(wrong)
        db.execute("select f(3)")
        db.execute("prepare p (int) as select b from t where a > $1")
        db.execute("execute p(7)")
        db.execute("select * from t where a = %s and b = %s or b = %s", (1, AWKWARD, None))
        for n in range(7):
            db.execute("select a from t where a < %s", (n,), prepare=True)
        with db.transaction(), db.cursor(name="c") as cursor:
            cursor.execute("select * from t where a > %s order by a", (0,))
            cursor.fetchmany(2)
            cursor.fetchmany(2)


@pytest.fixture(scope="module", params=[15, 18])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The logs of one server, in three forms; the role's name says with which settings a session ran."""
    major = request.param
    installation = pg.exact_installation(major)
    if installation is None:
        missing = f"PostgreSQL {major} is not on this machine"
        pytest.fail(missing) if request.config.getoption("--require-pg") else pytest.skip(missing)
    written: dict[str, str | int | float | bool] = {
        "logging_collector": True,
        "log_destination": "stderr,csvlog,jsonlog",
        "log_directory": "log",
        "log_filename": "x.log",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "lc_messages": "C",
    }
    to = tmp_path_factory.mktemp(f"logs{major}")
    with pg.start(installation, settings=written) as server:
        with pg.writer(server, purpose="test") as db:
            db.execute(SCHEMA)
            place = Path(str(db.value("SHOW data_directory"))) / "log"
            for mode, set_ in MODES.items():
                db.execute(f"CREATE ROLE {mode}_ SUPERUSER LOGIN")
                _preset(db, f"{mode}_", set_)
        for mode in MODES:
            work(psycopg.conninfo.make_conninfo(server.dsn(), user=f"{mode}_"))
        _written(server, place)
        for name in FILES.values():
            (to / name).write_bytes((place / name).read_bytes())
    return to


def _written(server: pg.Server, place: Path) -> None:
    """Wait for the log collector: a session's end does not say that its lines are in the files."""
    with psycopg.connect(server.dsn(), autocommit=True) as db:
        db.execute("DO $$ BEGIN RAISE LOG 'the last line of this test'; END $$")
    deadline = time.monotonic() + 60
    while not all(b"the last line of this test" in (place / name).read_bytes() for name in FILES.values()):
        assert time.monotonic() < deadline, "the log collector did not write the last line"
        time.sleep(0.05)


def _preset(db: pg.Session, role: str, settings: str) -> None:
    """Give a role its settings, as a suite's server would have them."""
    if "LOAD" in settings:
        db.execute(f"ALTER ROLE {role} SET session_preload_libraries = 'auto_explain'")
    for statement in settings.replace("LOAD 'auto_explain';", "").split(";"):
        db.execute(f"ALTER ROLE {role} {statement}")


def read(folder: Path, form: str, mode: str) -> list[Executed]:
    with logs.opened(folder / FILES[form]) as lines:
        return [e for e in logs.read(lines) if e.role == f"{mode}_"]


@pytest.mark.parametrize("mode", MODES)
def test_three_forms_say_the_same(folder: Path, mode: str) -> None:
    told = [
        [
            (e.text, e.parameters, e.failed, e.nested, e.function, bool(e.plan), e.database)
            for e in read(folder, f, mode)
        ]
        for f in FILES
    ]
    assert told[0]
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize("mode", MODES)
def test_every_setting_gives_the_same_queries(folder: Path, mode: str) -> None:
    found = logs.gather(read(folder, "jsonlog", mode))
    queries = {q.text: q for q in found.queries if isinstance(q, Query) and "count(*)" not in q.text}
    counts = {text: query.executions for text, query in queries.items()}
    expected = {
        "select * from t where a = $1 and b = $2": 1,
        "select * from t where a = $1": 1,
        "select b from t where a = $1": 1,
        "select a from t where b = $1": 1,
        "select b from t where a > $1": 1,
        "select * from t where a = $1 and b = $2 or b = $3": 1,
        "select a from t where a < $1": 7,
        "select * from t where a > $1 order by a": 1,
    }
    if mode == "text":  # a plan alone repeats the whole text of several statements, once for each
        counts |= dict.fromkeys(["select b from t where a = $1", "select a from t where b = $1"], 1)
    assert counts == expected
    if not (mode == "text" and _is_15(folder)):  # auto_explain tells parameters from 16 on
        assert queries["select * from t where a = $1 and b = $2 or b = $3"].samples == (("1", AWKWARD, None),)
        assert set(queries["select a from t where a < $1"].samples) == {(str(n),) for n in range(7)}
    assert queries["select * from t where a = $1"].tags == (("route", "x"),)
    assert dict(found.left_out)["failed when it was run"] == 2


def _is_15(folder: Path) -> bool:
    return "logs15" in folder.name


@pytest.mark.parametrize("mode", ["text", "json", "xml", "yaml"])
def test_auto_explain_tells_of_functions_and_keeps_plans(folder: Path, mode: str) -> None:
    executed = read(folder, "jsonlog", mode)
    (nested,) = [e for e in executed if e.nested]
    assert nested.function is not None
    assert nested.function.startswith("f(integer), line")
    (query,) = [q for q in logs.gather([nested]).queries if isinstance(q, Query)]
    assert query.text == "SELECT count(*) FROM t WHERE t.a < $1"
    assert all(e.plan for e in executed if e.text.startswith("select a from t where a <"))


def test_values_that_were_cut_off_are_no_values(folder: Path) -> None:
    cut = "2026-01-01 00:00:00.000 UTC [7] LOG:  execute <unnamed>: select * from t where b = $1\n"
    detail = "2026-01-01 00:00:00.000 UTC [7] DETAIL:  Parameters: $1 = 'abcdefghij...'\n"
    (executed,) = logs.read([cut.encode(), detail.encode()])
    assert executed.parameters is None


@pytest.mark.parametrize("form", ["csv", "json", "json lines"])
def test_dumps_of_pg_stat_statements(database: str, form: str) -> None:
    with pg.writer(database, purpose="test") as db:
        db.execute("CREATE TABLE t (a int, b text)")
        for n in range(3):
            db.execute(f"SELECT * FROM t WHERE a = {n} AND b = 'x' AND now() > now() - interval '1 day'")
    with psycopg.connect(database) as connection:
        lines = _dump(connection, form)
    found = [q for q in logs.gather(logs.read(lines)).queries if isinstance(q, Query)]
    (query,) = [q for q in found if q.text.startswith("SELECT * FROM t WHERE a = $1")]
    assert query.executions == 3
    assert query.samples == ()
    assert "$3::interval" in query.text


def _dump(connection: psycopg.Connection[tuple[object, ...]], form: str) -> list[bytes]:
    here = "(SELECT oid FROM pg_database WHERE datname = current_database())"
    own = f"(SELECT * FROM pg_stat_statements WHERE dbid = {here})"
    if form == "csv":
        with connection.cursor().copy(f"COPY {own} TO STDOUT (FORMAT csv, HEADER)") as copy:
            return b"".join(bytes(piece) for piece in copy).splitlines(keepends=True)
    rows = [row for (row,) in connection.execute(f"SELECT to_jsonb(s) FROM {own} s").fetchall()]
    if form == "json":
        return json.dumps(rows, indent=1).encode().splitlines(keepends=True)
    return [json.dumps(row).encode() + b"\n" for row in rows]


def test_a_dump_without_queries_is_refused() -> None:
    with pytest.raises(PremortemError, match="line 2 is no JSON"):
        list(logs.read([b'{"query": "select 1", "calls": 1}\n', b"{broken\n"]))
