"""Settings: environment variables, else what `pipeline up` wrote to `.pipeline/env`."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import InvalidInput

SERVERS = ("KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL", "DATABASE_URL")
LOCAL_ENV = Path(".pipeline") / "env"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a command.

    `database_url` is in SQLAlchemy's form with the driver psycopg. It may hold a password, so it is left out of `repr`
    and never logged.
    """

    bootstrap_servers: str
    registry_url: str
    database_url: str
    policy_file: Path | None
    metrics_host: str
    metrics_port: int
    group: str
    instance: str | None
    failpoint: str | None

    def __repr__(self) -> str:
        return f"Settings(bootstrap_servers={self.bootstrap_servers!r}, group={self.group!r}, …)"


def load(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """Return the settings; `.pipeline/env` is read from `folder` (default: the current one).

    Raises InvalidInput, which names the variable, when one is missing or malformed.
    """
    env = dict(os.environ if environ is None else environ)
    if not any(env.get(name) for name in SERVERS):
        env = _local(folder or Path.cwd()) | env
    missing = [name for name in SERVERS if not env.get(name)]
    if missing:
        raise InvalidInput(
            f"{', '.join(missing)} not set. Run `pipeline up` for a private local stack, or set "
            f"{', '.join(SERVERS)} to your own."
        )
    host, port = _address(env.get("PIPELINE_METRICS_ADDRESS") or "127.0.0.1:9464")
    policy = env.get("PIPELINE_POLICY")
    return Settings(
        bootstrap_servers=env["KAFKA_BOOTSTRAP_SERVERS"],
        registry_url=_registry(env["SCHEMA_REGISTRY_URL"]),
        database_url=_database(env["DATABASE_URL"]),
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


def _registry(url: str) -> str:
    if not re.match(r"https?://", url):
        raise InvalidInput("SCHEMA_REGISTRY_URL takes a URL that begins with http:// or https://")
    return url.rstrip("/")


def _database(url: str) -> str:
    match = re.match(r"postgres(?:ql)?(?:\+\w+)?://(.*)", url)
    if not match:
        raise InvalidInput("DATABASE_URL takes SQLAlchemy's form: postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME")
    return "postgresql+psycopg://" + match[1]
