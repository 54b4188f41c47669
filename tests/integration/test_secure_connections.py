"""TLS, users and tokens: what is right works through and through, and what is wrong is named with its setting."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import forked
import psutil
import pytest
import trustme
from stacks import private_stack
from tls_servers import registry_in_front, tls_in_front, token_endpoint

from pipeline.errors import PipelineError
from pipeline.local.stack import Stack

pytestmark = pytest.mark.long

KAFKA_COMMANDS = [
    ("init",),
    ("worker", "--until-idle", "1"),
    ("simulate", "--events", "10"),
    ("audit",),
]


@pytest.fixture(scope="module")
def secure() -> Iterator[Stack]:
    """A stack with TLS and SCRAM, prepared."""
    with private_stack("pipeline-secure-", secure=True) as stack:
        assert run(stack.env(), "init", "--partitions", "2").returncode == 0
        yield stack


def run(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command with these settings and no others."""
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("KAFKA_", "SCHEMA_", "DATABASE_", "PG"))}
    settings = {**outside, **env, "PIPELINE_METRICS_ADDRESS": "127.0.0.1:0"}
    return forked.run(arguments, env=settings, cwd="/", timeout=120)  # where no `.pipeline/env` is


def error(env: dict[str, str], *arguments: str, code: int = 2) -> str:
    """The last line of a command that must fail: its error."""
    done = run(env, *arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def expired(ca: trustme.CA, *names: str) -> trustme.LeafCert:
    now = datetime.now(UTC)
    return ca.issue_cert(*names, not_before=now - timedelta(days=2), not_after=now - timedelta(days=1))


def certificates(ca: trustme.CA, kind: str) -> trustme.LeafCert:
    """A certificate for a server at localhost: right, of another CA, expired, or for another name."""
    return {
        "right": lambda: ca.issue_cert("localhost"),
        "other CA": lambda: trustme.CA().issue_cert("localhost"),
        "expired": lambda: expired(ca, "localhost"),
        "other name": lambda: ca.issue_cert("elsewhere.example"),
    }[kind]()


@pytest.fixture
def ca(tmp_path: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return made


def test_all_commands_work_over_tls_and_scram_and_no_secret_is_seen(secure: Stack) -> None:
    env = secure.env()
    secrets = (secure.security.password, secure.postgres.password)
    assert run(env, "simulate", "--events", "3000", "--customers", "100", "--seed", "1").returncode == 0
    worker = run(env, "worker", "--until-idle", "1")
    assert worker.returncode == 0, worker.stderr
    audit = run(env, "audit")
    assert "3,000 records" in audit.stdout and "No differences." in audit.stdout, audit.stdout + audit.stderr
    for output in (worker.stderr, worker.stdout, audit.stdout, audit.stderr):
        assert not any(secret in output for secret in secrets)
    listed = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in listed if any(secret in line for secret in (*secrets, secure.security.admin_password))]


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_a_worker_works_with_other_mechanisms(secure: Stack, mechanism: str) -> None:
    env = {**secure.env(), "KAFKA_SASL_MECHANISM": mechanism}
    if mechanism == "PLAIN":  # the administrator's, in the local stack
        del env["KAFKA_SASL_PASSWORD_FILE"]
        env |= {"KAFKA_SASL_USERNAME": "admin", "KAFKA_SASL_PASSWORD": secure.security.admin_password}
    assert run(env, "simulate", "--events", "300", "--seed", mechanism[-1].replace("N", "7")).returncode == 0
    worker = run(env, "worker", "--until-idle", "1")
    assert worker.returncode == 0, worker.stderr
    assert "No differences." in run(env, "audit").stdout


@pytest.mark.parametrize("arguments", KAFKA_COMMANDS, ids=lambda arguments: arguments[0])
def test_a_wrong_password_of_kafka_is_named(secure: Stack, arguments: tuple[str, ...]) -> None:
    env = secure.env()
    del env["KAFKA_SASL_PASSWORD_FILE"]
    said = error({**env, "KAFKA_SASL_PASSWORD": "wr0ng"}, *arguments)
    assert "refuses the credentials" in said and "KAFKA_SASL_PASSWORD" in said
    assert "wr0ng" not in said


@pytest.mark.parametrize("arguments", KAFKA_COMMANDS, ids=lambda arguments: arguments[0])
def test_a_ca_that_is_not_kafkas_is_named(
    secure: Stack, ca: trustme.CA, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    said = error({**secure.env(), "KAFKA_SSL_CA_FILE": str(tmp_path / "ca.pem")}, *arguments)
    assert "not signed by a CA in KAFKA_SSL_CA_FILE" in said


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("other CA", "not signed by a CA in KAFKA_SSL_CA_FILE"),
        ("expired", "The certificate of Kafka at localhost:.* has expired"),
        ("other name", "is for another name; KAFKA_BOOTSTRAP_SERVERS must use a name that is in it"),
    ],
)
def test_a_bad_certificate_of_kafka_is_told_apart(
    secure: Stack, ca: trustme.CA, tmp_path: Path, kind: str, says: str
) -> None:
    with tls_in_front(certificates(ca, kind), secure.kafka.address) as port:
        env = {**secure.env(), "KAFKA_BOOTSTRAP_SERVERS": f"localhost:{port}"}
        said = error({**env, "KAFKA_SSL_CA_FILE": str(tmp_path / "ca.pem")}, "worker", "--until-idle", "1")
    assert re.search(says, said), said


def test_a_plain_client_at_a_port_with_tls_is_told_of_the_protocol(secure: Stack) -> None:
    env = {name: value for name, value in secure.env().items() if not name.startswith("KAFKA_S")}
    said = error(env, "simulate", "--events", "10")
    assert "KAFKA_SECURITY_PROTOCOL is PLAINTEXT" in said


def test_a_client_certificate_that_the_server_does_not_take_is_named(
    secure: Stack, ca: trustme.CA, tmp_path: Path
) -> None:
    leaf = trustme.CA().issue_cert("client")
    leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    files = {
        "KAFKA_SSL_CERTIFICATE_FILE": str(tmp_path / "cert.pem"),
        "KAFKA_SSL_KEY_FILE": str(tmp_path / "key.pem"),
    }
    with tls_in_front(ca.issue_cert("localhost"), secure.kafka.address, clients_of=ca) as port:
        env = {**secure.env(), "KAFKA_BOOTSTRAP_SERVERS": f"localhost:{port}"}
        for given in ({}, files):
            said = error({**env, **given, "KAFKA_SSL_CA_FILE": str(tmp_path / "ca.pem")}, "simulate", "--events", "10")
            assert "and the client certificate" in said


def test_a_worker_gets_its_tokens_from_the_endpoint(secure: Stack) -> None:
    env = secure.env()
    del env["KAFKA_SASL_PASSWORD_FILE"]
    with token_endpoint("worker", "t0ps3cret") as url:
        env |= {
            "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
            "KAFKA_SASL_USERNAME": "worker",
            "KAFKA_SASL_PASSWORD": "t0ps3cret",
            "KAFKA_SASL_TOKEN_ENDPOINT": url,
        }
        assert run(env, "simulate", "--events", "500", "--seed", "2").returncode == 0
        worker = run(env, "worker", "--until-idle", "1")
        assert worker.returncode == 0, worker.stderr
        assert "No differences." in run(env, "audit").stdout
        said = error({**env, "KAFKA_SASL_PASSWORD": "wr0ng"}, "simulate", "--events", "10")
        assert "refuses the credentials" in said


@pytest.mark.parametrize(
    ("header", "settings", "wrong"),
    [
        (
            "Basic " + base64.b64encode(b"reader:pa ss").decode(),
            {"SCHEMA_REGISTRY_USERNAME": "reader", "SCHEMA_REGISTRY_PASSWORD": "pa ss"},
            {"SCHEMA_REGISTRY_PASSWORD": "wr0ng"},
        ),
        ("Bearer t0ken", {"SCHEMA_REGISTRY_TOKEN": "t0ken"}, {"SCHEMA_REGISTRY_TOKEN": "wr0ng"}),
    ],
)
def test_the_registry_takes_a_password_or_a_token(
    stack_env: dict[str, str],
    ca: trustme.CA,
    tmp_path: Path,
    header: str,
    settings: dict[str, str],
    wrong: dict[str, str],
) -> None:
    origin, path = stack_env["SCHEMA_REGISTRY_URL"].split("/apis", 1)
    with registry_in_front(ca.issue_cert("localhost"), origin, header) as port:
        env = {
            **stack_env,
            "SCHEMA_REGISTRY_URL": f"https://localhost:{port}/apis{path}",
            "SCHEMA_REGISTRY_CA_FILE": str(tmp_path / "ca.pem"),
            **settings,
        }
        assert run(env, "init").returncode == 0
        said = error({**env, **wrong}, "init")
    assert "refuses the credentials (HTTP 401)" in said and "SCHEMA_REGISTRY_TOKEN" in said
    assert "wr0ng" not in said


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("other CA", "not signed by a CA in SCHEMA_REGISTRY_CA_FILE"),
        ("expired", "has expired"),
        ("other name", "is for another name; SCHEMA_REGISTRY_URL must use a name that is in it"),
    ],
)
def test_a_bad_certificate_of_the_registry_is_told_apart(
    stack_env: dict[str, str], ca: trustme.CA, tmp_path: Path, kind: str, says: str
) -> None:
    origin, path = stack_env["SCHEMA_REGISTRY_URL"].split("/apis", 1)
    with registry_in_front(certificates(ca, kind), origin, "") as port:
        env = {**stack_env, "SCHEMA_REGISTRY_URL": f"https://localhost:{port}/apis{path}"}
        said = error({**env, "SCHEMA_REGISTRY_CA_FILE": str(tmp_path / "ca.pem")}, "init")
    assert says in said


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("right", ""),
        ("other CA", "sslrootcert"),
        ("expired", "expired"),
        ("other name", "is for another name; DATABASE_URL must use a name that is in it"),
    ],
)
def test_certificates_of_the_database_are_verified(
    stack_env: dict[str, str], ca: trustme.CA, tmp_path: Path, kind: str, says: str
) -> None:
    with database_in_front(certificates(ca, kind), stack_env) as port:
        url = database_url(stack_env, port, f"?sslmode=verify-full&sslrootcert={tmp_path / 'ca.pem'}")
        if kind == "right":
            assert run({"DATABASE_URL": url, **kafka_and_registry(stack_env)}, "init").returncode == 0
            assert run({"DATABASE_URL": url}, "at-risk").returncode == 0
        else:
            assert says in error({"DATABASE_URL": url}, "at-risk")


def test_the_databases_password_can_come_from_libpqs_file_and_a_wrong_one_is_named(
    stack_env: dict[str, str], ca: trustme.CA, tmp_path: Path
) -> None:
    assert run(stack_env, "init").returncode == 0
    password = stack_env["DATABASE_URL"].split(":")[2].split("@")[0]
    file = tmp_path / "pgpass"
    with database_in_front(ca.issue_cert("localhost"), stack_env) as port:
        query = f"?sslmode=verify-full&sslrootcert={tmp_path / 'ca.pem'}"
        url = f"postgresql+psycopg://postgres@localhost:{port}/pipeline{query}"
        file.write_text(f"localhost:{port}:*:postgres:{password}\n")
        file.chmod(0o600)
        assert run({"DATABASE_URL": url, "PGPASSFILE": str(file)}, "at-risk").returncode == 0
        said = error({"DATABASE_URL": url.replace("postgres@", "postgres:wr0ng@")}, "at-risk")
    assert "password authentication failed" in said and "PGPASSFILE" in said
    assert "wr0ng" not in said and password not in said


def test_a_database_without_tls_is_not_talked_to_when_tls_is_asked_for(stack_env: dict[str, str]) -> None:
    said = error({"DATABASE_URL": stack_env["DATABASE_URL"] + "?sslmode=verify-full&sslrootcert=system"}, "at-risk")
    assert "does not support SSL" in said


def database_in_front(leaf: trustme.LeafCert, env: dict[str, str]) -> AbstractContextManager[int]:
    return tls_in_front(leaf, env["DATABASE_URL"].rpartition("@")[2].partition("/")[0], postgres=True)


def database_url(env: dict[str, str], port: int, query: str) -> str:
    before, _, _ = env["DATABASE_URL"].rpartition("@")
    return f"{before}@localhost:{port}/pipeline{query}"


def kafka_and_registry(env: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name != "DATABASE_URL"}


def test_a_secure_stack_keeps_its_certificates_and_a_plain_one_that_runs_does_not_become_secure(
    secure: Stack, stack: Stack
) -> None:
    before = secure.security.ca.read_bytes()
    secure.up(secure=True)
    secure.up()
    assert secure.security.ca.read_bytes() == before
    with pytest.raises(PipelineError, match="pipeline down"):
        stack.up(secure=True)
