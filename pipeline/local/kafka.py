"""Apache Kafka: one node, broker and controller in one process (KRaft)."""

from __future__ import annotations

import base64
import logging
import shutil
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pipeline.connections.kafka import KafkaConnection
from pipeline.errors import PipelineError
from pipeline.local import files, java, logs
from pipeline.local.artifacts import Installed
from pipeline.local.errors import StartFailed
from pipeline.local.layout import Layout
from pipeline.local.ports import HOST
from pipeline.local.processes import Launch
from pipeline.local.security import ADMIN, MECHANISM, USER, Security
from pipeline.local.server import Server
from pipeline.local.state import State

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

JVM = ("-Xms256m", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20")
#: of one that lives for minutes: it has started before the thorough compiler would have paid for itself
BRIEF_JVM = ("-Xms64m", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

#: one node: internal topics have one replica, and few partitions, so that it starts and stops fast
PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "BROKER",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # after a crash the controller refuses the broker until the dead one's session is over
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    "log.cleaner.dedupe.buffer.size": str(32 * 1024 * 1024),
}

LOGGING = """\
log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %-5p %m (%c{1})%n
# hundreds of lines at every start
log4j.logger.org.apache.kafka.common.config.AbstractConfig=WARN
log4j.logger.org.apache.kafka.common.config=WARN
log4j.logger.kafka.server.KafkaConfig=WARN
log4j.logger.state.change.logger=WARN
log4j.logger.org.apache.kafka.image.publisher=WARN
"""


#: the file in Kafka's data that names the version which made them, and the version that did not write it yet
_VERSION, _UNMARKED = "pipeline.version", "4.4.0"
_BROKER_JAR = "kafka_2.13-"


class Kafka(Server):
    """The broker."""

    name: ClassVar[str] = "kafka"
    title: ClassVar[str] = "Kafka"
    port_names: ClassVar[tuple[str, ...]] = ("kafka", "kafka-controller")
    stop_seconds: ClassVar[float] = 30.0

    def __init__(
        self, layout: Layout, state: State, installed: Installed, security: Security, *, brief: bool = False
    ) -> None:
        """With `brief`, a broker that this object starts is for some minutes."""
        super().__init__(layout, state)
        self._jars = installed.kafka_jars
        self._security = security
        self._jvm = BRIEF_JVM if brief else JVM

    @property
    def mark(self) -> str:
        return f"-Dpipeline.data={self.data}"

    def prepare(self) -> Launch:
        config = self.layout.config(self.name)
        files.write(config / "log4j.properties", LOGGING)
        files.write(config / "server.properties", self._properties(self.data), mode=0o600)
        self._format()
        argv = self._java(self.mark, *self._jvm, main="kafka.Kafka")
        return Launch(argv=[*argv, str(config / "server.properties")], env=java.environment(), cwd=self.layout.root)

    def answers(self) -> bool:
        """Return whether its metadata names itself as a broker; then it accepts produce and fetch."""
        from confluent_kafka import KafkaException

        try:
            return bool(self._admin(self.connection()).list_topics(timeout=3).brokers)
        except KafkaException:
            return False

    def settle(self) -> bool:
        """Return whether it is ready for clients; create the user of a secure stack."""
        return self._has_user() and self.answers()

    def connection(self) -> KafkaConnection:
        """Return how clients reach it."""
        if not self._security.is_on:
            return KafkaConnection(bootstrap_servers=self.address)
        return KafkaConnection(
            bootstrap_servers=self.address,
            protocol="SASL_SSL",
            mechanism=MECHANISM,
            username=USER,
            password=self._security.password,
            ca_file=self._security.ca,
        )

    def _admin(self, connection: KafkaConnection) -> AdminClient:
        from confluent_kafka.admin import AdminClient

        return AdminClient(connection.client_settings() | {"socket.timeout.ms": 3000}, logger=_MUTE)

    def _has_user(self) -> bool:
        """Create the user of a secure stack, as the administrator; return whether it is there."""
        if not self._security.is_on:
            return True
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

        as_admin = replace(self.connection(), mechanism="PLAIN", username=ADMIN, password=self._security.admin_password)
        password = self._security.password.encode()
        admin = self._admin(as_admin)  # kept until it has answered
        try:
            for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):  # one user a request
                user = UserScramCredentialUpsertion(USER, ScramCredentialInfo(mechanism, 8192), password)
                admin.alter_user_scram_credentials([user], request_timeout=3)[USER].result(5)
        except (KafkaException, TimeoutError):
            return False
        return True

    def _java(self, mark: str, *options: str, main: str) -> list[str]:
        # the folder with log4j.properties comes first on the class path; the system property of that name would
        # reach Log4j 2 as well, which is there too and can't read it
        path = ":".join([str(self.layout.config(self.name)), *map(str, self._jars)])
        return java.command(mark, self.layout.scratch(self.name), [*options, "-cp", path], [main])

    def _properties(self, data: Path) -> str:
        port, controller = (self.state.ports[name] for name in self.port_names)
        own = {
            "listeners": f"BROKER://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"BROKER://{HOST}:{port}",
            "controller.quorum.voters": f"1@{HOST}:{controller}",
            "log.dirs": str(data),
        }
        if self._security.is_on:
            own |= self._secure_properties()
        lines = (f"{name}={_escaped(value)}\n" for name, value in (PROPERTIES | own).items())
        return "".join(lines)

    def _secure_properties(self) -> dict[str, str]:
        """Return the properties of TLS and SASL; the controller stays on the loopback address without them."""
        password = self._security.admin_password
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required"
        listener = "listener.name.broker"
        return {
            "listener.security.protocol.map": "BROKER:SASL_SSL,CONTROLLER:PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            f"{listener}.plain.sasl.jaas.config": (
                f'{plain} username="{ADMIN}" password="{password}" user_{ADMIN}="{password}";'
            ),
            f"{listener}.scram-sha-256.sasl.jaas.config": f"{scram};",
            f"{listener}.scram-sha-512.sasl.jaas.config": f"{scram};",
            # For tries with unsigned tokens; a real cluster checks signatures.
            f"{listener}.oauthbearer.sasl.jaas.config": (
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
                'unsecuredLoginStringClaim_sub="admin";'
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._security.key_and_certificate(self.name)),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self._security.ca),
        }

    def _format(self) -> None:
        """Format the storage beside its place and move it there, so that it is never incomplete."""
        files.clear_beside(self.data)
        if (self.data / "meta.properties").exists():
            self._refuse_newer()
            return
        if any(self.data.glob("*/*.log")):
            raise PipelineError(
                f"Kafka's data in {self.data} has lost its meta.properties. Put it back, or remove all local data "
                "with `pipeline down --delete`."
            )
        half = files.beside(self.data)
        config = self.layout.scratch(self.name) / f"{half.name}.properties"
        files.write(config, self._properties(half), mode=0o600)
        cluster = _cluster_id()
        argv = self._java("-XX:TieredStopAtLevel=1", main="kafka.tools.StorageTool")
        with logs.opened(self.log, "Kafka's storage tool") as log:
            done = subprocess.run(
                [*argv, "format", "--cluster-id", cluster, "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=java.environment(),
                check=False,
            )
        if done.returncode != 0 or not (half / "meta.properties").exists():
            raise StartFailed(self.title, "could not format its storage", self.log)
        (half / _VERSION).write_text(f"{self._version}\n")
        shutil.rmtree(self.data, ignore_errors=True)
        half.replace(self.data)

    def _refuse_newer(self) -> None:
        """Raise a PipelineError if a newer Kafka has made the data, which this one can't read."""
        made_by = self.data / _VERSION
        version = made_by.read_text().strip() if made_by.exists() else _UNMARKED
        if _numbers(version) > _numbers(self._version):
            raise PipelineError(
                f"Kafka's data in {self.data} are of Kafka {version}, and Kafka {self._version} can't read them. "
                "Remove all local data with `pipeline down --delete`."
            )

    @property
    def _version(self) -> str:
        [broker] = [jar for jar in self._jars if jar.name.startswith(_BROKER_JAR)]
        return broker.stem.removeprefix(_BROKER_JAR)


_MUTE = logging.getLogger("pipeline.local.probe")
_MUTE.addHandler(logging.NullHandler())
_MUTE.propagate = False


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _escaped(value: str) -> str:
    """Return a value in Java's properties format; only a backslash needs care."""
    return value.replace("\\", "\\\\")


def _cluster_id() -> str:
    """Return a new id, which does not begin with a dash: Kafka's tools would take it for an option."""
    while (cluster := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return cluster
