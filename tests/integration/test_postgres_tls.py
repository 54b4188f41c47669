"""A real Postgres with TLS, where one is installed: the whole pipeline on it, and each mistake with its setting."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import trustme
from harness import PARTITIONS, Pipe
from test_secure_connections import certificates, error, run

from pipeline.local import account, ports, processes
from pipeline.simulate.population import touchpoints

PASSWORD = secrets.token_hex(12)


class Server:
    """Debian's Postgres in a folder of its own; it takes connections with TLS only."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.who = account.for_postgres()
        self._programs, self._folder = programs, folder
        self._as = processes.as_user(self.who.user, self.who.group)
        self.ca = trustme.CA()
        self.ca.cert_pem.write_to_path(str(folder / "ca.pem"))
        self.port = ports.choose(["postgres"], {})["postgres"]
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "password").write_text(PASSWORD)
        data = folder / "data"
        data.mkdir()
        account.give(self.who, data, folder / "password")
        initdb = [programs / "initdb", "-D", data, "-U", "postgres", "--pwfile", folder / "password", "--encoding=UTF8"]
        subprocess.run(
            [*initdb, "--auth=scram-sha-256", "--locale=C"], check=True, capture_output=True, cwd="/", **self._as
        )
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")

    def start(self, leaf: trustme.LeafCert) -> None:
        """Start with this certificate; wait until it takes connections."""
        self.stop()
        data = self._folder / "data"
        for name, content in (
            ("server.crt", leaf.cert_chain_pems[0].bytes()),
            ("server.key", leaf.private_key_pem.bytes()),
        ):
            (data / name).write_bytes(content)
            (data / name).chmod(0o600)
            account.give(self.who, data / name)
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "ssl": "on", "port": str(self.port)}
        command = [self._programs / "postgres", "-D", data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(command, cwd="/", stdout=log, stderr=log, **self._as)
        end = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self._plain(), connect_timeout=3).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < end, (self._folder / "log").read_text()[-2000:]
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def _plain(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres password={PASSWORD} dbname=postgres sslmode=require"

    def url(self, *, password: str = PASSWORD, query: str = "") -> str:
        """The database in SQLAlchemy's form; verified by the CA's file unless `query` says otherwise."""
        query = query or f"sslmode=verify-full&sslrootcert={self._folder / 'ca.pem'}"
        return f"postgresql+psycopg://postgres:{password}@localhost:{self.port}/postgres?{query}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        pytest.skip("no Postgres with TLS in /usr/lib/postgresql (the wheel's is built without)")
    folder = Path(tempfile.mkdtemp(prefix="pipeline-pg-tls-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    made = Server(found[-1], folder)
    try:
        made.start(certificates(made.ca, "right"))
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_the_whole_pipeline_works_on_it(server: Server, pipe: Pipe) -> None:
    pipe.env["DATABASE_URL"] = server.url()
    pipe.run("init", "--partitions", str(PARTITIONS))
    pipe.publish(touchpoints(events=1_000, customers=40, seed=9, days=10.0, end_ms=1_790_000_000_000))
    pipe.work()
    assert "No differences." in pipe.run("audit").stdout
    assert PASSWORD not in pipe.log()


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("other CA", "sslrootcert"),
        ("expired", "expired"),
        ("other name", "DATABASE_URL must use a name that is in it"),
    ],
)
def test_a_bad_certificate_is_told_apart(server: Server, kind: str, says: str) -> None:
    server.start(certificates(server.ca, kind))
    try:
        assert says in error({"DATABASE_URL": server.url()}, "at-risk")
    finally:
        server.start(certificates(server.ca, "right"))


def test_a_wrong_password_and_a_client_without_tls_are_named(server: Server) -> None:
    said = error({"DATABASE_URL": server.url(password="wr0ng")}, "at-risk")
    assert "password authentication failed" in said and "wr0ng" not in said
    said = error({"DATABASE_URL": server.url(query="sslmode=disable")}, "at-risk")
    assert "The server wants TLS" in said
    assert run({"DATABASE_URL": server.url()}, "init").returncode == 2  # Kafka and the registry are not set
