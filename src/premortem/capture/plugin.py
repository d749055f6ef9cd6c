"""Tells which test runs when, from inside of pytest: loaded into the suite's own interpreter, so standard library only.

This file is copied, alone, to a folder on the suite's PYTHONPATH, beside an entry point by which pytest finds it; the
interpreter may be older than ours.  Each process of a run appends to a file of its own: one line when a phase of a test
begins, and one when the test has ended.  It also gives libpq a name for the process's connections, which ends up in
the server's log.
"""

import json
import os
import re
import socket
import time
from typing import Any, Dict, Optional, Set  # noqa: UP035  # the interpreter may be an old one

import pytest

_FOLDER = os.environ.get("PREMORTEM_TESTS", "")
_files: Dict[int, int] = {}  # noqa: UP006  # by process id: a suite may fork
_known: Set[str] = set()  # noqa: UP006  # sockets that were looked at


def _tell(*words: Any) -> None:
    if not _FOLDER:
        return
    try:
        pid = os.getpid()
        if pid not in _files:
            path = os.path.join(_FOLDER, f"tests-{pid}")
            _files[pid] = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        os.write(_files[pid], (json.dumps([time.time(), *words]) + "\n").encode())
    except OSError:
        pass  # the suite comes first


def _phase(item: Any, phase: str) -> None:
    path, line, _ = item.location
    _tell(phase, item.nodeid, str(path), None if line is None else line + 1)


def pytest_configure(config: Any) -> None:
    """Name the process's connections, unless the suite has named them; a worker inherits the name of who started it."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        _tell("worker", os.environ["PYTEST_XDIST_WORKER"])
    given = os.environ.get("PGAPPNAME", "")
    if _FOLDER and (not given or re.match(r"pytest \d+$", given)):
        os.environ["PGAPPNAME"] = f"pytest {os.getpid()}"


def _tell_ports() -> None:
    """Tell the local ports of new connections to the server: not every driver takes a name from the environment."""
    try:
        server = int(os.environ.get("PGPORT", "0"))
        for name in os.listdir("/proc/self/fd"):
            link = os.readlink("/proc/self/fd/" + name)
            if link.startswith("socket:") and link not in _known:
                _known.add(link)
                _tell_port(int(name), server)
    except OSError:
        pass  # no such folder on this system, or a connection that just went


def _tell_port(descriptor: int, server: int) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.getpeername()[1] == server:
            _tell("port", copy.getsockname()[1])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: Any) -> None:
    """Note that a test's fixtures begin."""
    _phase(item, "setup")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: Any) -> None:
    """Note that a test itself begins."""
    _phase(item, "call")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: Any, nextitem: Optional[Any]) -> None:  # noqa: UP045
    """Note that a test's fixtures are taken down."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        _tell_ports()
    _phase(item, "teardown")


@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish(nodeid: str, location: Any) -> None:
    """Note that a test has ended."""
    _tell("end", nodeid)
