"""A network that can be cut: a TCP proxy on loopback in front of a server's socket."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path


class Proxy:
    """Carries bytes both ways until it is cut; `cut` breaks what is open and refuses what comes, `mend` ends that.

    A `silent` one takes connections and bytes and never answers, as a firewall that drops does.  `hears` is told of
    what clients say before it is passed on, and of what servers answer before that is: it may cut and kill.
    """

    def __init__(self, target: str | Path | tuple[str, int]) -> None:
        self.hears: Callable[[str, bytes], None] = lambda who, said: None
        self._target = target
        self._pairs: list[tuple[socket.socket, socket.socket | None]] = []
        self._lock = threading.Lock()
        self._cut = False
        self.silent = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        with self._lock:
            self._cut = True
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _close(end)

    def mend(self) -> None:
        with self._lock:
            self._cut = False
        self.silent = False

    def close(self) -> None:
        _close(self._listening)
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                cut = self._cut
            if cut:
                _close(here)
                continue
            if self.silent:
                self._keep(here, None)
                continue
            try:
                there = self._connected()
            except OSError:
                _close(here)
                continue
            self._keep(here, there)
            for source, goal, who in ((here, there, "client"), (there, here, "server")):
                threading.Thread(target=self._carry, args=(source, goal, who), daemon=True).start()

    def _keep(self, here: socket.socket, there: socket.socket | None) -> None:
        with self._lock:
            self._pairs.append((here, there))

    def _connected(self) -> socket.socket:
        if isinstance(self._target, tuple):
            return socket.create_connection(self._target)
        there = socket.socket(socket.AF_UNIX)
        there.connect(str(self._target))
        return there

    def _carry(self, source: socket.socket, goal: socket.socket, who: str) -> None:
        with contextlib.suppress(OSError):
            while said := source.recv(1 << 16):
                self.hears(who, said)
                if self.silent:
                    continue
                goal.sendall(said)
        _close(source)
        _close(goal)


def _close(end: socket.socket | None) -> None:
    if end is None:
        return
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextlib.contextmanager
def proxy(target: str | Path | tuple[str, int]) -> Iterator[Proxy]:
    """A proxy to a socket file or an address."""
    carrying = Proxy(target)
    try:
        yield carrying
    finally:
        carrying.close()
