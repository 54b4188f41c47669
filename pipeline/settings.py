"""Settings: environment variables, else what `pipeline up` wrote to `.pipeline/env`."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.connections.kafka import KafkaConnection
from pipeline.connections.registry import RegistryConnection
from pipeline.connections.secret import secret
from pipeline.errors import InvalidInput

KAFKA, REGISTRY, DATABASE = "KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL", "DATABASE_URL"
SERVERS = (KAFKA, REGISTRY, DATABASE)
#: What producers need, and what commands that read the tables need.
PRODUCER, READER = (KAFKA, REGISTRY), (DATABASE,)
LOCAL_ENV = Path(".pipeline") / "env"


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """How to reach the servers; None for those that the command does not need and that are not set.

    `database_url` is in SQLAlchemy's form with the driver psycopg. It may hold a password, so it is left out of `repr`
    and never logged.
    """

    kafka: KafkaConnection | None
    registry: RegistryConnection | None
    database_url: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a command."""

    servers: Servers
    policy_file: Path | None
    metrics_host: str
    metrics_port: int
    group: str
    instance: str | None
    failpoint: str | None

    @property
    def kafka(self) -> KafkaConnection:
        """Return how to reach Kafka."""
        assert self.servers.kafka is not None, "load() was not told that Kafka is needed"
        return self.servers.kafka

    @property
    def registry(self) -> RegistryConnection:
        """Return how to reach the schema registry."""
        assert self.servers.registry is not None, "load() was not told that the registry is needed"
        return self.servers.registry

    @property
    def database_url(self) -> str:
        """Return the URL of the database."""
        assert self.servers.database_url is not None, "load() was not told that the database is needed"
        return self.servers.database_url


def load(
    environ: Mapping[str, str] | None = None, folder: Path | None = None, *, needs: Sequence[str] = SERVERS
) -> Settings:
    """Return the settings; `.pipeline/env` is read from `folder` (default: the current one).

    `needs` are those of `SERVERS` that must be set. Raises InvalidInput, which names the variable, when one is missing
    or malformed.
    """
    env = dict(os.environ if environ is None else environ)
    if not any(env.get(name) or env.get(f"{name}_FILE") for name in SERVERS):
        env = _local(folder or Path.cwd()) | env
    database = secret(env, DATABASE)
    missing = [name for name in needs if not (database if name == DATABASE else env.get(name))]
    if missing:
        raise InvalidInput(
            f"{', '.join(missing)} not set. Run `pipeline up` for a private local stack, or set "
            f"{', '.join(needs)} to your own."
        )
    host, port = _address(env.get("PIPELINE_METRICS_ADDRESS") or "127.0.0.1:9464")
    policy = env.get("PIPELINE_POLICY")
    return Settings(
        servers=Servers(
            kafka=KafkaConnection.from_environment(env) if env.get(KAFKA) else None,
            registry=RegistryConnection.from_environment(env) if env.get(REGISTRY) else None,
            database_url=_database(database) if database else None,
        ),
        policy_file=Path(policy) if policy else None,
        metrics_host=host,
        metrics_port=port,
        group=env.get("PIPELINE_GROUP") or "touchpoint-pipeline",
        instance=env.get("PIPELINE_INSTANCE") or None,
        failpoint=env.get("PIPELINE_FAILPOINT") or None,
    )


def host_name() -> str:
    """Return this machine's name, for the default of PIPELINE_INSTANCE."""
    return socket.gethostname()


def _local(folder: Path) -> dict[str, str]:
    file = folder / LOCAL_ENV
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise InvalidInput(f"PIPELINE_METRICS_ADDRESS is {text!r}; it takes HOST:PORT, for example 127.0.0.1:9464")
    return host.strip("[]") or "127.0.0.1", int(port)


def _database(url: str) -> str:
    match = re.match(r"postgres(?:ql)?(?:\+\w+)?://(.*)", url)
    if not match:
        raise InvalidInput("DATABASE_URL takes SQLAlchemy's form: postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME")
    return "postgresql+psycopg://" + match[1]
