"""The local stack, with real servers in a folder of this module's own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from stacks import private_stack

from pipeline import settings
from pipeline.errors import PipelineError
from pipeline.local.stack import Stack

pytestmark = pytest.mark.long

SCHEMA = '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}]}'


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack that these tests may break; each leaves it mendable by `up`."""
    with private_stack("pipeline-stack-") as stack:
        yield stack


@pytest.fixture
def up(own: Stack) -> Stack:
    own.up()
    return own


def pipeline(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *arguments, "--folder", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def pids(stack: Stack) -> dict[str, int | None]:
    return {one.name: one.pid for one in stack.status()}


def register(stack: Stack, subject: str) -> int:
    request = urllib.request.Request(
        f"{stack.env()['SCHEMA_REGISTRY_URL']}/subjects/{subject}/versions",
        json.dumps({"schema": SCHEMA}).encode(),
        {"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return int(json.load(response)["id"])


def database(stack: Stack) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(stack.env()["DATABASE_URL"].replace("+psycopg", ""), autocommit=True)


def test_up_again_leaves_what_runs_alone_and_is_quick(up: Stack) -> None:
    before = pids(up)
    began = time.monotonic()
    done = pipeline("up", folder=up.layout.folder)
    assert (done.returncode, done.stdout) == (0, "")
    assert "running already" in done.stderr
    assert time.monotonic() - began < 5
    assert pids(up) == before


def test_all_three_listen_on_the_loopback_address_only(up: Stack) -> None:
    for one in up.status():
        process = psutil.Process(one.pid)
        addresses = {c.laddr.ip for c in process.net_connections() if c.status == psutil.CONN_LISTEN}
        assert {address.removeprefix("::ffff:") for address in addresses} == {"127.0.0.1"}, one.name


def test_other_commands_find_the_servers_by_the_env_file(up: Stack) -> None:
    loaded = settings.load({}, up.layout.folder)
    assert loaded.database_url == up.env()["DATABASE_URL"]
    assert loaded.registry.url.endswith("/apis/ccompat/v7")
    assert up.layout.env.stat().st_mode & 0o777 == 0o600
    assert up.layout.password.stat().st_mode & 0o777 == 0o600


def test_down_and_up_keep_records_rows_schema_ids_and_ports(up: Stack) -> None:
    env = up.env()
    kafka = {"bootstrap.servers": env["KAFKA_BOOTSTRAP_SERVERS"]}
    admin = AdminClient(kafka)
    admin.create_topics([NewTopic("kept", 2, 1)])["kept"].result(10)
    producer = Producer(kafka)
    producer.produce("kept", b"value", b"key")
    assert producer.flush(10) == 0
    with database(up) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    number = register(up, "kept-value")

    assert pipeline("down", folder=up.layout.folder).returncode == 0
    stopped = pipeline("status", "--json", folder=up.layout.folder)
    assert stopped.returncode == 1
    assert {row["state"] for row in json.loads(stopped.stdout)} == {"stopped"}
    assert not up.layout.env.exists()
    again = pipeline("down", folder=up.layout.folder)
    assert (again.returncode, again.stderr) == (0, "Nothing is running.\n")

    assert pipeline("up", folder=up.layout.folder).returncode == 0
    running = pipeline("status", "--json", folder=up.layout.folder)
    assert running.returncode == 0
    assert {row["state"] for row in json.loads(running.stdout)} == {"running"}
    assert up.env() == env
    assert register(up, "kept-value") == number
    with database(up) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
    consumer = Consumer(kafka | {"group.id": "kept", "auto.offset.reset": "earliest"})
    consumer.subscribe(["kept"])
    record = consumer.poll(20)
    assert record is not None
    assert record.value() == b"value"
    consumer.close()


@pytest.mark.parametrize("name", ["kafka", "registry", "postgres"])
def test_up_mends_after_a_server_was_killed(up: Stack, name: str) -> None:
    env = up.env()
    before = pids(up)
    os.kill(before[name] or 0, signal.SIGKILL)
    assert pipeline("status", folder=up.layout.folder).returncode == 1
    assert pipeline("up", folder=up.layout.folder).returncode == 0
    after = pids(up)
    assert {server for server in before if before[server] != after[server]} == {name}
    assert up.env() == env
    assert all(one.state == "running" for one in up.status())


def test_a_server_can_be_killed_and_started_alone_on_the_same_port(up: Stack) -> None:
    for name, hard in (("kafka", False), ("postgres", True)):
        server = up.server(name)
        address = server.address
        server.stop(hard=hard)
        assert server.status().state == "stopped"
        server.start()
        server.wait_ready()
        assert (server.address, server.status().state) == (address, "running")


def test_a_kept_port_that_somebody_else_took_is_replaced(up: Stack) -> None:
    up.server("kafka").stop()
    old = up.server("kafka").port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", old))
        other.listen()
        up.up()
    assert up.server("kafka").port != old
    assert f"127.0.0.1:{up.server('kafka').port}" in up.layout.env.read_text()
    metadata = AdminClient({"bootstrap.servers": up.env()["KAFKA_BOOTSTRAP_SERVERS"]}).list_topics(timeout=10)
    assert [broker.port for broker in metadata.brokers.values()] == [up.server("kafka").port]


def test_servers_are_found_again_when_the_state_file_is_lost(up: Stack) -> None:
    up.down()
    up.layout.state.write_text("{")
    Stack(up.layout.folder).up()
    assert all(one.state == "running" for one in up.status())
    before = pids(up)
    state = json.loads(up.layout.state.read_text())
    up.layout.state.write_text(json.dumps(state | {"pids": {"kafka": 1, "registry": os.getpid()}}))
    assert pids(up) == before


def test_a_start_that_fails_names_the_log_and_leaves_nothing_running(up: Stack) -> None:
    up.down()
    meta = up.server("kafka").data / "meta.properties"
    good = meta.read_text()
    meta.write_text(good.replace("node.id=1", "node.id=2"))
    try:
        done = pipeline("up", folder=up.layout.folder)
    finally:
        meta.write_text(good)
    assert done.returncode == 1
    assert str(up.server("kafka").log) in done.stderr
    assert "node id" in done.stderr
    assert {one.state for one in up.status()} == {"stopped"}
    assert not up.layout.env.exists()


def test_data_of_a_newer_kafka_are_refused_with_the_way_out(up: Stack) -> None:
    up.down()
    made_by = up.server("kafka").data / "pipeline.version"
    good = made_by.read_text()
    for newer in ("99.0.0\n", None):  # before versions were noted it was a newer one
        made_by.unlink() if newer is None else made_by.write_text(newer)
        done = pipeline("up", folder=up.layout.folder)
        assert done.returncode == 1
        assert "can't read them" in done.stderr and "pipeline down --delete" in done.stderr
    made_by.write_text(good)


def test_up_that_was_killed_in_the_middle_is_mended_by_two_at_once(up: Stack) -> None:
    up.down()
    command = [sys.executable, "-m", "pipeline", "up", "--folder", str(up.layout.folder)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as first:
        time.sleep(1.5)
        first.kill()
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate(timeout=120)[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert any("Waiting for another" in text for text in said), said
    for name in ("kafka", "registry", "postgres"):
        mark = up.server(name).mark
        found = [p for p in psutil.process_iter(["cmdline", "ppid"]) if mark in (p.info["cmdline"] or [])]
        assert len(found) == 1, name


def test_delete_removes_everything_and_up_begins_anew(up: Stack) -> None:
    number = register(up, "gone-value")
    assert pipeline("down", "--delete", folder=up.layout.folder).returncode == 0
    assert list(up.layout.folder.iterdir()) == []
    assert number > 0


def test_a_folder_that_cannot_be_written_is_refused_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / ".pipeline").write_text("a file")
    with pytest.raises(PipelineError, match="--folder"):
        Stack(tmp_path).up()
