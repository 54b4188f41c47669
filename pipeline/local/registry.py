"""Apicurio Registry, with its Confluent-compatible API.

Its schemas are in a database of their own on the stack's Postgres: Kafka keeps records that name schemas by number,
so these numbers must survive a restart.
"""

from __future__ import annotations

import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import ClassVar

from pipeline.local import java
from pipeline.local.artifacts import Installed
from pipeline.local.layout import Layout
from pipeline.local.ports import HOST
from pipeline.local.postgres import Postgres
from pipeline.local.processes import Launch
from pipeline.local.security import Security
from pipeline.local.server import Server
from pipeline.local.state import State

API = "/apis/ccompat/v7"
DATABASE = "registry"
#: it starts in half the time with the quick compiler alone, and has little to do afterwards
JVM = ("-Xms64m", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


class Registry(Server):
    """The schema registry; needs Postgres."""

    name: ClassVar[str] = "registry"
    title: ClassVar[str] = "the schema registry"
    port_names: ClassVar[tuple[str, ...]] = ("registry",)

    def __init__(
        self, layout: Layout, state: State, installed: Installed, postgres: Postgres, security: Security
    ) -> None:
        super().__init__(layout, state)
        self._jar = installed.registry_jar
        self._postgres = postgres
        self._security = security

    @property
    def mark(self) -> str:
        return f"-Dpipeline.data={self.data}"

    @property
    def url(self) -> str:
        """Return the Confluent-compatible API."""
        return f"{'https' if self._security.is_on else 'http'}://{self.address}{API}"

    def prepare(self) -> Launch:
        scratch = self.layout.scratch(self.name)
        settings = {
            "QUARKUS_HTTP_HOST": HOST,
            "QUARKUS_HTTP_PORT": str(self.port),
            "QUARKUS_HTTP_ACCESS_LOG_ENABLED": "false",
            "QUARKUS_OIDC_TENANT_ENABLED": "false",
            # A client that brings the text of a schema in another layout gets the same id.
            "APICURIO_CCOMPAT_USE_CANONICAL_HASH": "true",
            "APICURIO_STORAGE_KIND": "sql",
            "APICURIO_STORAGE_SQL_KIND": "postgresql",
            "APICURIO_DATASOURCE_URL": f"jdbc:postgresql://{self._postgres.address}/{DATABASE}",
            "APICURIO_DATASOURCE_USERNAME": self._postgres.user,
            "APICURIO_DATASOURCE_PASSWORD": self._postgres.password,
            "APICURIO_DATASOURCE_JDBC_INITIAL_SIZE": "1",
            "APICURIO_DATASOURCE_JDBC_MIN_SIZE": "1",
            "APICURIO_DATASOURCE_JDBC_MAX_SIZE": "8",
            "APICURIO_IMPORT_WORK_DIR": str(scratch),
            "APICURIO_STORAGE_SNAPSHOT_LOCATION": str(scratch),
        }
        if self._security.is_on:
            settings |= {
                "QUARKUS_HTTP_PORT": "0",
                "QUARKUS_HTTP_SSL_PORT": str(self.port),
                "QUARKUS_HTTP_INSECURE_REQUESTS": "disabled",
                "QUARKUS_HTTP_SSL_CERTIFICATE_FILES": str(self._security.certificate(self.name)),
                "QUARKUS_HTTP_SSL_CERTIFICATE_KEY_FILES": str(self._security.key(self.name)),
            }
        argv = java.command(self.mark, scratch, JVM, ["-jar", str(self._jar)])
        return Launch(argv=argv, env=java.environment() | settings, cwd=scratch)

    def answers(self) -> bool:
        """Return whether it lists its subjects, which it reads from the database."""
        connection = (
            HTTPSConnection(HOST, self.port, timeout=5, context=ssl.create_default_context(cafile=self._security.ca))
            if self._security.is_on
            else HTTPConnection(HOST, self.port, timeout=5)
        )
        try:
            connection.request("GET", f"{API}/subjects")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
