"""How to reach Kafka, for both of its clients: librdkafka, and aiokafka under Faust."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pipeline.connections import tls
from pipeline.connections.secret import readable_file, secret
from pipeline.errors import InvalidInput, Unavailable

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_SERVERS, _PROTOCOL, _CA = "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_SECURITY_PROTOCOL", "KAFKA_SSL_CA_FILE"
_MECHANISM, _USER, _PASSWORD = "KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"
_ENDPOINT = "KAFKA_SASL_TOKEN_ENDPOINT"
_CERTIFICATE, _KEY = "KAFKA_SSL_CERTIFICATE_FILE", "KAFKA_SSL_KEY_FILE"
_SASL_SETTINGS = (_MECHANISM, _USER, _PASSWORD, f"{_PASSWORD}_FILE", _ENDPOINT)
_SSL_SETTINGS = (_CA, _CERTIFICATE, _KEY)


class Polled(Protocol):
    """A client of librdkafka: `poll` calls its error callback."""

    def poll(self, timeout: float) -> Any:
        """Serve callbacks."""


class ClientErrors:
    """The error callback of a client of librdkafka: remembers the last one of authentication, and of all.

    Without a callback, a fatal error would be raised from wherever the client is polled next.
    """

    def __init__(self) -> None:
        self.authentication: str | None = None
        self.last: str | None = None

    def __call__(self, error: Any) -> None:
        self.last = error.str()
        if error.name() in ("_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED"):
            self.authentication = error.str()


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaConnection:
    """Where Kafka is, and how to connect. The password is left out of `repr`.

    With `OAUTHBEARER`, user name and password are a client's id and secret at `token_endpoint` (OIDC, client
    credentials).
    """

    bootstrap_servers: str
    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token_endpoint: str | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def __str__(self) -> str:
        return self.bootstrap_servers

    @classmethod
    def of(cls, given: KafkaConnection | str) -> KafkaConnection:
        """Return a connection as it is, or a plain one to HOST:PORT."""
        return cls(bootstrap_servers=given) if isinstance(given, str) else given

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> KafkaConnection:
        """Return the connection that the settings describe. Raises InvalidInput, which names the wrong setting."""
        protocol = _protocol(environ)
        connection = cls(
            bootstrap_servers=environ[_SERVERS],
            protocol=protocol,
            mechanism=(environ.get(_MECHANISM) or "").upper() or None,
            username=environ.get(_USER) or None,
            password=secret(environ, _PASSWORD),
            token_endpoint=environ.get(_ENDPOINT) or None,
            ca_file=readable_file(environ, _CA),
            certificate_file=readable_file(environ, _CERTIFICATE),
            key_file=readable_file(environ, _KEY),
        )
        connection.check()
        return connection

    @property
    def has_tls(self) -> bool:
        """Return whether connections are encrypted."""
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def has_sasl(self) -> bool:
        """Return whether clients authenticate by SASL."""
        return self.protocol.startswith("SASL_")

    def check(self) -> None:
        """Raise InvalidInput, which names the setting, for what does not fit together."""
        if self.has_sasl:
            self._check_sasl()
        if self.key_file is not None and self.certificate_file is None:
            raise InvalidInput(f"{_KEY} is set, and {_CERTIFICATE} is not; a client certificate takes both.")
        if self.certificate_file is not None and self.key_file is None:
            raise InvalidInput(f"{_CERTIFICATE} is set, and {_KEY} is not; a client certificate takes both.")
        if self.has_tls:
            self.ssl_context()

    def _check_sasl(self) -> None:
        if self.mechanism is None:
            raise InvalidInput(f"{_PROTOCOL} is {self.protocol}, which takes {_MECHANISM}: {', '.join(MECHANISMS)}.")
        if self.mechanism not in MECHANISMS:
            raise InvalidInput(f"{_MECHANISM} is {self.mechanism!r}; it takes {', '.join(MECHANISMS)}.")
        if self.username is None:
            raise InvalidInput(f"{_MECHANISM} is set, and {_USER} is not.")
        if self.password is None:
            raise InvalidInput(f"{_MECHANISM} is set, and neither {_PASSWORD} nor {_PASSWORD}_FILE is.")
        if (self.mechanism == "OAUTHBEARER") != (self.token_endpoint is not None):
            raise InvalidInput(f"{_ENDPOINT} goes with {_MECHANISM}=OAUTHBEARER, and only with it.")

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return the context for TLS, which verifies certificates and names; None for plain connections."""
        if not self.has_tls:
            return None
        return tls.context(ca=self.ca_file, ca_setting=_CA, certificate=self.certificate_file, key=self.key_file)

    def client_settings(self, errors: ClientErrors | None = None) -> dict[str, Any]:
        """Return the settings of a librdkafka client; holds the password.

        Its own log is off: librdkafka writes to standard error what its errors say as well. `errors` gets the errors
        that come between calls.
        """
        settings: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.protocol,
            "log_level": 0,
            "logger": logging.getLogger("librdkafka"),
            "error_cb": errors or ClientErrors(),
        }
        if self.has_tls:
            # Both are librdkafka's defaults; they stand here so that nothing else can turn them off.
            settings |= {"enable.ssl.certificate.verification": True, "ssl.endpoint.identification.algorithm": "https"}
            files = {
                "ssl.ca.location": self.ca_file,
                "ssl.certificate.location": self.certificate_file,
                "ssl.key.location": self.key_file,
            }
            settings |= {name: str(path) for name, path in files.items() if path is not None}
        if self.has_sasl:
            settings |= self._sasl_settings()
        return settings

    def _sasl_settings(self) -> dict[str, Any]:
        if self.mechanism != "OAUTHBEARER":
            return {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.username,
                "sasl.password": self.password,
            }
        settings: dict[str, Any] = {
            "sasl.mechanism": self.mechanism,
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.client.id": self.username,
            "sasl.oauthbearer.client.secret": self.password,
            "sasl.oauthbearer.token.endpoint.url": self.token_endpoint,
        }
        if self.ca_file is not None:
            settings["https.ca.location"] = str(self.ca_file)
        return settings

    def unreachable(self, error: BaseException | str, client: Polled | None, errors: ClientErrors) -> Exception:
        """Return the error to raise when Kafka does not answer: what is wrong, and which setting to check.

        InvalidInput for credentials and certificates that do not fit, Unavailable for anything else. `client` and
        `errors` are the client's that failed. May take some seconds, since it asks the server for its certificate.
        """
        if client is not None:
            client.poll(0)
        if errors.authentication is not None:
            return InvalidInput(
                f"Kafka at {self} refuses the credentials ({errors.authentication}). Check {_USER}, {_PASSWORD} and "
                f"{_MECHANISM}."
            )
        if self.has_tls and (wrong := self._tls_failure()) is not None:
            return InvalidInput(wrong)
        said = error if isinstance(error, str) else _text(error)
        if not self.has_tls and any(tls.speaks_tls(host, port) for host, port in self._addresses()):
            return InvalidInput(
                f"Kafka at {self} does not answer, and there is TLS at this port: {_PROTOCOL} is {self.protocol}. "
                "Set SSL or SASL_SSL."
            )
        return Unavailable(
            f"Kafka at {self} does not answer: {said}. Check {_SERVERS}, or `pipeline status` for the local one."
        )

    def _tls_failure(self) -> str | None:
        using = self.ssl_context()
        assert using is not None
        for host, port in self._addresses():
            if (failure := tls.handshake_failure(host, port, using)) is not None:
                where = f"Kafka at {host}:{port}"
                return tls.explained(failure, where=where, ca_setting=_CA, address_setting=_SERVERS)
        return None

    def _addresses(self) -> Iterator[tuple[str, int]]:
        for server in self.bootstrap_servers.split(","):
            host, _, port = server.strip().rpartition(":")
            if host and port.isdigit():
                yield host.strip("[]"), int(port)


def _protocol(environ: Mapping[str, str]) -> str:
    protocol = (environ.get(_PROTOCOL) or "").upper()
    sasl = [name for name in _SASL_SETTINGS if environ.get(name)]
    files = [name for name in _SSL_SETTINGS if environ.get(name)]
    if not protocol:
        if sasl:
            raise InvalidInput(
                f"{sasl[0]} is set, and {_PROTOCOL} is not. Set {_PROTOCOL}=SASL_SSL; SASL_PLAINTEXT would send "
                "everything unencrypted, and has to be named."
            )
        if files:
            raise InvalidInput(f"{files[0]} is set, and {_PROTOCOL} is not. Set {_PROTOCOL}=SSL or SASL_SSL.")
        return "PLAINTEXT"
    if protocol not in PROTOCOLS:
        raise InvalidInput(f"{_PROTOCOL} is {protocol!r}; it takes {', '.join(PROTOCOLS)}.")
    if sasl and not protocol.startswith("SASL_"):
        raise InvalidInput(f"{sasl[0]} is set, and {_PROTOCOL} is {protocol}, which has no users. Set SASL_SSL.")
    if files and protocol not in ("SSL", "SASL_SSL"):
        raise InvalidInput(f"{files[0]} is set, and {_PROTOCOL} is {protocol}, which has no TLS. Set SSL or SASL_SSL.")
    return protocol


def _text(error: BaseException) -> str:
    said = error.args[0] if error.args else error
    return str(said.str()) if hasattr(said, "str") else str(said)
