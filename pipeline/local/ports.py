"""Ports for the servers: chosen once and kept, so that a restarted server has the same address."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Mapping, Sequence

HOST = "127.0.0.1"
#: below what Linux and macOS give to outgoing connections, so that none of those takes a stopped server's port
RANGE = range(20_000, 32_000)


def free(port: int) -> bool:
    """Return whether a server could listen on this port of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def open_(port: int, timeout: float = 1.0) -> bool:
    """Return whether something listens on this port."""
    try:
        socket.create_connection((HOST, port), timeout=timeout).close()
    except OSError:
        return False
    return True


def choose(names: Sequence[str], kept: Mapping[str, int], *, is_free: Callable[[int], bool] = free) -> dict[str, int]:
    """Return a port for each name: the kept one if it is still free, else a new one; all different."""
    chosen: dict[str, int] = {}
    taken = set(kept.values())
    for name in names:
        port = kept.get(name)
        while port is None or port in chosen.values() or not is_free(port):
            port = random.choice(RANGE)
            if port in taken:
                port = None
        chosen[name] = port
        taken.add(port)
    return chosen
