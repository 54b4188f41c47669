"""Kafka's connection: settings that fit together, errors that name the setting, and secrets that stay hidden."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from pipeline.connections.kafka import KafkaConnection
from pipeline.consumer.credentials import credentials
from pipeline.errors import InvalidInput

SERVERS = {"KAFKA_BOOTSTRAP_SERVERS": "one:9093,two:9093"}
SCRAM = {
    **SERVERS,
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "writer",
    "KAFKA_SASL_PASSWORD": "s3cret!",
}


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    return file


def test_without_settings_the_connection_is_plain() -> None:
    connection = KafkaConnection.from_environment(SERVERS)
    settings = connection.client_settings()
    assert settings["security.protocol"] == "PLAINTEXT"
    assert not [name for name in settings if name.startswith(("ssl.", "sasl."))]
    assert credentials(connection) is None


def test_tls_verifies_certificates_and_names(ca: Path) -> None:
    connection = KafkaConnection.from_environment(
        {**SERVERS, "KAFKA_SECURITY_PROTOCOL": "ssl", "KAFKA_SSL_CA_FILE": str(ca)}
    )
    settings = connection.client_settings()
    assert settings["ssl.ca.location"] == str(ca)
    assert settings["enable.ssl.certificate.verification"] is True
    assert settings["ssl.endpoint.identification.algorithm"] == "https"
    context = credentials(connection).context
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_faust_never_gets_a_password_without_the_tls_that_was_asked_for(mechanism: str) -> None:
    connection = KafkaConnection.from_environment({**SCRAM, "KAFKA_SASL_MECHANISM": mechanism})
    given = credentials(connection)
    assert (given.protocol.value, given.mechanism.value) == ("SASL_SSL", mechanism)
    assert given.ssl_context.check_hostname
    settings = connection.client_settings()
    assert (settings["sasl.mechanism"], settings["sasl.username"]) == (mechanism, "writer")


def test_a_plain_connection_with_a_password_has_to_be_named() -> None:
    connection = KafkaConnection.from_environment({**SCRAM, "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"})
    assert credentials(connection).protocol.value == "SASL_PLAINTEXT"
    with pytest.raises(InvalidInput, match=r"KAFKA_SECURITY_PROTOCOL is not.*has to be named"):
        KafkaConnection.from_environment({k: v for k, v in SCRAM.items() if k != "KAFKA_SECURITY_PROTOCOL"})


def test_tokens_come_from_the_endpoint() -> None:
    connection = KafkaConnection.from_environment(
        {**SCRAM, "KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_SASL_TOKEN_ENDPOINT": "https://id.example/token"}
    )
    settings = connection.client_settings()
    assert settings["sasl.oauthbearer.token.endpoint.url"] == "https://id.example/token"
    assert settings["sasl.oauthbearer.client.id"] == "writer"
    assert credentials(connection).protocol.value == "SASL_SSL"


def test_the_password_can_come_from_a_file_and_shows_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret!\n")
    environment = {k: v for k, v in SCRAM.items() if k != "KAFKA_SASL_PASSWORD"}
    connection = KafkaConnection.from_environment({**environment, "KAFKA_SASL_PASSWORD_FILE": str(file)})
    assert connection.client_settings()["sasl.password"] == "s3cret!"
    assert "s3cret" not in f"{connection!r} {connection}"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL is 'TLS'; it takes PLAINTEXT, SSL"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL"}, "KAFKA_SASL_MECHANISM is set, and KAFKA_SECURITY_PROTOCOL is SSL"),
        ({"KAFKA_SASL_MECHANISM": ""}, "SASL_SSL, which takes KAFKA_SASL_MECHANISM"),
        ({"KAFKA_SASL_MECHANISM": "GSSAPI"}, "KAFKA_SASL_MECHANISM is 'GSSAPI'; it takes PLAIN"),
        ({"KAFKA_SASL_USERNAME": ""}, "KAFKA_SASL_USERNAME is not"),
        ({"KAFKA_SASL_PASSWORD": ""}, "neither KAFKA_SASL_PASSWORD nor KAFKA_SASL_PASSWORD_FILE is"),
        ({"KAFKA_SASL_PASSWORD_FILE": "/no/such"}, "are both set"),
        (
            {"KAFKA_SASL_PASSWORD": "", "KAFKA_SASL_PASSWORD_FILE": "/no/such"},
            "KAFKA_SASL_PASSWORD_FILE names /no/such",
        ),
        ({"KAFKA_SASL_MECHANISM": "OAUTHBEARER"}, "KAFKA_SASL_TOKEN_ENDPOINT goes with"),
        ({"KAFKA_SASL_TOKEN_ENDPOINT": "https://id.example"}, "KAFKA_SASL_TOKEN_ENDPOINT goes with"),
        ({"KAFKA_SSL_CA_FILE": "/no/such"}, "KAFKA_SSL_CA_FILE names /no/such"),
        ({"KAFKA_SSL_CA_FILE": __file__}, "KAFKA_SSL_CA_FILE names .*holds no certificate"),
        ({"KAFKA_SSL_KEY_FILE": __file__}, "KAFKA_SSL_KEY_FILE is set, and KAFKA_SSL_CERTIFICATE_FILE is not"),
        ({"KAFKA_SSL_CERTIFICATE_FILE": __file__}, "KAFKA_SSL_CERTIFICATE_FILE is set, and KAFKA_SSL_KEY_FILE is not"),
        (
            {"KAFKA_SSL_CERTIFICATE_FILE": __file__, "KAFKA_SSL_KEY_FILE": __file__},
            "client certificate .* or its key can't be used",
        ),
    ],
)
def test_what_does_not_fit_together_is_named(changed: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as raised:
        KafkaConnection.from_environment({**SCRAM, **changed})
    assert "s3cret" not in str(raised.value)


def test_a_ca_without_a_protocol_is_refused(ca: Path) -> None:
    with pytest.raises(InvalidInput, match=r"Set KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL"):
        KafkaConnection.from_environment({**SERVERS, "KAFKA_SSL_CA_FILE": str(ca)})
    with pytest.raises(InvalidInput, match="which has no TLS"):
        KafkaConnection.from_environment(
            {**SERVERS, "KAFKA_SSL_CA_FILE": str(ca), "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"}
        )
