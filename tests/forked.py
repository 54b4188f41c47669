"""Commands of the pipeline in processes of their own, forked from one that has imported what they need.

Importing takes a command a second of processor time, and is the same each time. Everything else is as in a command that
a user starts: a process with its own settings, folder, files and signals. `tests/unit/cli/test_commands.py` starts each
command from nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM

from pipeline.cli import COMMANDS

#: What commands import only when they need it.
_LATER = (
    *("alembic.command", "duckdb", "faust", "numpy", "psycopg", "scipy.optimize", "scipy.special", "scipy.stats"),
    *("sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.ext.asyncio", "pipeline.audit.audit", "pipeline.cli.demo"),
)

_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(sorted({module for module, _ in COMMANDS.values()} | set(_LATER)))


class Command:
    """A command under way, with those of Popen's methods that tests need."""

    def __init__(
        self, arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path | str, files: Sequence[Path | str]
    ) -> None:
        """Start it; `files` are its standard input, output and error output, the last two of which are made anew."""
        self.args = list(arguments)
        self._process = _forking.Process(
            target=_run, args=(self.args, dict(env), str(cwd), [str(file) for file in files]), daemon=True
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, a signal's number as a negative one, or None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises TimeoutExpired."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(SIGKILL)


def run(
    arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path | str, input: str = "", timeout: float = 240
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; raises TimeoutExpired when it takes longer."""
    with tempfile.TemporaryDirectory(prefix="pipeline-command-") as folder:
        files = [Path(folder, name) for name in ("input", "output", "error")]
        files[0].write_text(input)
        command = Command(arguments, env=env, cwd=cwd, files=files)
        try:
            code = command.wait(timeout)
        finally:
            command.kill()
        return subprocess.CompletedProcess(command.args, code, files[1].read_text(), files[2].read_text())


def _run(arguments: list[str], env: dict[str, str], cwd: str, files: list[str]) -> None:
    """Become the command: its settings, folder, files and arguments."""
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    tempfile.tempdir = None
    os.chdir(cwd)
    given, *written = files
    os.dup2(os.open(given, os.O_RDONLY), 0)
    for number, name in enumerate(written, 1):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.argv = ["pipeline", *arguments]
    from pipeline.cli import main

    main()
