"""Ports of loopback for programs that tests start."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_FIRST, _RANGE = 12_000, Path("/proc/sys/net/ipv4/ip_local_port_range")
#: Not the generator that pytest-randomly seeds, which gives every worker the same numbers.
_CHANCE = random.SystemRandom()


def free_port() -> int:
    """Return a port that nobody has, below those that the system hands out to whoever asks for any one.

    Between our finding it and the program's taking it another process may ask for any port, and be given this one.
    """
    end = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    while True:
        port = _CHANCE.randrange(min(_FIRST, end - 1), end)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
