"""A suite's command under capture: its streams, its signals, its end, and what the shell sees of it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from premortem.capture import suite
from premortem.errors import CommandError
from tests.capture.conftest import Captures
from tests.signals import heed_interrupts

PYTHON = sys.executable
ENVIRONMENT = dict(os.environ)


def test_a_status_is_the_shells() -> None:
    assert suite.run(["true"], ENVIRONMENT).status == 0
    assert suite.run(["sh", "-c", "exit 7"], ENVIRONMENT).status == 7
    assert suite.run(["sh", "-c", "kill -SEGV $$"], ENVIRONMENT).status == 128 + signal.SIGSEGV


@pytest.mark.parametrize(("command", "status"), [("no-such-program-here", 127), ("/", 126)])
def test_what_cannot_be_run_is_said_as_a_shell_says_it(command: str, status: int) -> None:
    with pytest.raises(CommandError, match="cannot be run") as caught:
        suite.run([command], ENVIRONMENT)
    assert caught.value.status == status


def test_a_suite_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ending = suite.run(["sh", "-c", f"trap '' TERM; sleep 600 & echo $! > {pids}; wait; wait"], ENVIRONMENT, timeout=3)
    assert (ending.status, ending.timed_out) == (suite.TIMED_OUT, True)
    child = int(pids.read_text())
    assert _gone(child)


def _gone(pid: int) -> bool:
    for _ in range(1800):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def test_a_daemon_that_stays_keeps_nobody(captures: Captures, tmp_path: Path) -> None:
    """What the suite leaves running holds our streams and a connection; the server goes all the same."""
    script = tmp_path / "daemon.py"
    script.write_text(
        "import os, psycopg, subprocess, sys, time\n"
        "db = psycopg.connect(os.environ['DATABASE_URL'], autocommit=True)\n"
        "db.execute('CREATE TABLE t (a int)')\n"
        "if os.fork() == 0:\n"
        "    os.setsid(); os.dup2(os.open(os.devnull, os.O_RDWR), 1); os.dup2(1, 2); time.sleep(30); os._exit(0)\n"
        "db.execute('SELECT a FROM t WHERE a = 5')\n"
        "print('done', sys.stdin.read())\n"
        "os._exit(3)\n"
    )
    ran = captures(PYTHON, script, stdin="typed")
    assert ran.status == 3
    assert ran.out == "done typed\n"
    assert ran.capture.exit_status == 3
    assert ran.statement("SELECT a FROM t").samples == (("5",),)


def started(tmp_path: Path, command: str, **given: object) -> subprocess.Popen[bytes]:
    arguments = [PYTHON, "-m", "premortem", "capture", "-o", str(tmp_path / "c"), "--", "sh", "-c", command]
    return subprocess.Popen(arguments, cwd=tmp_path, preexec_fn=heed_interrupts, **given)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_suite_and_nothing_is_written(tmp_path: Path, number: int) -> None:
    ready, told = tmp_path / "ready", tmp_path / "told"
    name = signal.Signals(number).name.removeprefix("SIG")
    process = started(
        tmp_path, f"trap 'echo {name} > {told}; exit 9' {name}; touch {ready}; while :; do sleep 0.1; done"
    )
    _wait_for(ready)
    process.send_signal(number)
    assert process.wait(timeout=120) == 128 + number
    assert told.read_text().strip() == name
    assert not (tmp_path / "c").exists()


def _wait_for(path: Path) -> None:
    for _ in range(1800):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path.name} was never made")


def test_at_a_terminal_the_suite_reads_it_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    """The suite is the terminal's foreground group: it reads from the keyboard, and Ctrl-C is for it alone."""
    ready = tmp_path / "ready"
    pid, terminal = pty.fork()
    if pid == 0:
        heed_interrupts()
        os.chdir(tmp_path)
        command = f"read line; echo got $line; touch {ready}; while :; do sleep 0.1; done"
        arguments = ["premortem", "capture", "-o", str(tmp_path / "c"), "--", "sh", "-c", command]
        os.execv(PYTHON, [PYTHON, "-m", *arguments])
    os.write(terminal, b"hello\n")
    _wait_for(ready)
    os.write(terminal, b"\x03")
    said = _read(terminal)
    _, status = os.waitpid(pid, 0)
    assert b"got hello" in said
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGINT
    assert (tmp_path / "c").exists()


def _read(terminal: int) -> bytes:
    said = b""
    try:
        while piece := os.read(terminal, 4096):
            said += piece
    except OSError:  # the other side is closed
        pass
    return said
