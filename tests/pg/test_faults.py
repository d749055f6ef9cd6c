"""However our process dies, its server and everything that the server was made of are gone soon after."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from premortem import pg
from premortem.pg.places import drop
from tests.signals import heed_interrupts

CHILD = """
import json, sys, time
from premortem import pg
print("starting", flush=True)
with pg.start(pg.installation(int(sys.argv[1])), settings={"cluster_name": "child"}) as server:
    with pg.writer(server, purpose="test") as db:
        sockets = db.value("SHOW unix_socket_directories")
        print(json.dumps({"pid": str(server.pid), "sockets": sockets, "data": str(server.data_directory)}), flush=True)
        time.sleep(120)
"""


def child(*command: str, **more: object) -> subprocess.Popen[str]:
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [*(command or (sys.executable,)), "-c", CHILD, "18"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
        **more,
    )


def running(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stdout is not None
    assert process.stdout.readline() == "starting\n"
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    found: dict[str, str] = json.loads(line)
    return found


def soon(condition: Callable[[], bool]) -> bool:
    for _ in range(4500):
        if condition():
            return True
        time.sleep(0.02)
    return False


def processes_with(text: str) -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in command and "pytest" not in command:
            found.append(command)
    return found


def nothing_left(cache: Path, sockets: str | None = None) -> bool:
    left = [path for path in (cache / "clusters").iterdir() if path.name != ".lock"]
    return not left and not processes_with(str(cache)) and not (sockets and Path(sockets).exists())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT])
def test_our_process_is_killed(cache: Path, how: signal.Signals) -> None:
    process = child()
    found = running(process)
    os.killpg(process.pid, how)  # the whole group, as a terminal does
    process.communicate()
    assert soon(lambda: nothing_left(cache, found["sockets"]))


def test_ctrl_c_does_not_reach_the_server_itself(cache: Path) -> None:
    process = child()
    found = running(process)
    assert os.getsid(int(found["pid"])) != os.getsid(process.pid)
    process.kill()
    process.communicate()
    assert soon(lambda: nothing_left(cache, found["sockets"]))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("delay", [0, 0.02, 0.1, 0.5, 1])
def test_our_process_is_killed_while_it_starts_one(cache: Path, delay: float, how: signal.Signals) -> None:
    process = child()
    assert process.stdout is not None
    assert process.stdout.readline() == "starting\n"
    time.sleep(delay)
    os.killpg(process.pid, how)
    process.communicate()
    soon(lambda: not processes_with(str(cache)))
    with pg.start() as server:  # which sweeps what was made before there was a keeper
        assert server.running
    assert soon(lambda: nothing_left(cache))


def test_the_keeper_is_killed_too(cache: Path) -> None:
    process = child()
    found = running(process)
    keepers = [int(line.split()[0]) for line in sh_processes(found["data"])]
    assert keepers
    for pid in keepers:  # before our process: a keeper that sees us go removes everything and goes too
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.kill()
    process.communicate()
    assert processes_with(found["data"])
    with pg.start() as server:
        assert server.running
        assert soon(lambda: not processes_with(found["data"]))
        assert not Path(found["sockets"]).exists()
        assert not Path(found["data"]).exists()


def sh_processes(text: str) -> list[str]:
    listed = subprocess.run(["ps", "-axww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if "/bin/sh -c" in line and text in line]


def test_a_running_server_is_not_swept(cache: Path) -> None:
    with pg.start() as first, pg.start() as second:
        for server in (first, second):
            with pg.session(server, purpose="test") as db:
                assert db.value("SELECT 1") == 1


def python_for_others() -> str | None:
    """A Python that an unprivileged user may run; ours may lie in root's home."""
    nobody = pwd.getpwnam("nobody")
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    for name in (sys.executable, shutil.which(f"python{wanted}", path="/usr/local/bin:/usr/bin")):
        who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": (), "cwd": "/"}
        if name is None:
            continue
        try:
            asked = subprocess.run([name, "-c", "import json"], check=False, capture_output=True, **who)  # type: ignore[call-overload]
        except PermissionError:
            continue
        if asked.returncode == 0:
            return name
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user then")
def test_as_an_ordinary_user_without_a_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    python = python_for_others()
    if python is None:
        pytest.skip("nobody can run no Python here")
    nobody = pwd.getpwnam("nobody")
    environment = {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
    }
    who = drop(None) | {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": (), "cwd": "/"}
    process = child(python, env=environment, **who)
    found = running(process)
    cache = Path(found["data"]).parents[2]
    try:
        assert Path(found["data"]).owner() == "nobody"
        assert cache.stat().st_mode & 0o077 == 0
        process.kill()
        process.communicate()
        assert soon(lambda: nothing_left(cache, found["sockets"]))
    finally:
        shutil.rmtree(cache)


ASKING = """
import os, signal, sys, threading, time
from premortem import pg

class Ended(BaseException):
    pass

def end(number, frame):
    raise Ended

signal.signal(signal.SIGTERM, end)

ASKS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(97)' AND state = 'active'"

def tell():
    with pg.writer(sys.argv[1], purpose="watch") as db:
        while not db.value(ASKS):
            time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=tell, daemon=True).start()
try:
    with pg.writer(sys.argv[1], purpose="test") as db, db.rolled_back(), db.transaction():
        db.execute("SELECT pg_sleep(97)")
except Ended:
    print("ended")
"""


def test_a_signal_ends_a_statement_and_is_not_hidden_by_the_connection_that_it_leaves(server: pg.Server) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", ASKING, server.dsn()], capture_output=True, text=True, timeout=240, check=False
    )
    assert (ran.stdout, ran.stderr) == ("ended\n", "")
    with pg.writer(server, purpose="test") as db:
        asks = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(97)' AND state = 'active'"
        assert soon(lambda: not db.value(asks))
