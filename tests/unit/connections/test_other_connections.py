"""The registry's and the database's connections."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from pipeline.connections.database import sync_engine
from pipeline.connections.registry import RegistryConnection
from pipeline.errors import InvalidInput


def registry(**settings: str) -> RegistryConnection:
    return RegistryConnection.from_environment({f"SCHEMA_REGISTRY_{name}": value for name, value in settings.items()})


def test_user_and_password_in_the_registrys_url_are_taken_out_of_it() -> None:
    connection = registry(URL="https://me:p%40ss@registry:8081/api/")
    assert connection.url == "https://registry:8081/api"
    assert connection.client_settings()["basic.auth.user.info"] == "me:p@ss"
    assert "p@ss" not in f"{connection!r} {connection}"


def test_a_token_is_sent_as_a_bearer() -> None:
    connection = registry(URL="https://registry", TOKEN="t0ken")
    provider = connection.client_settings()["bearer.auth.custom.provider.function"]
    assert provider({})["bearer.auth.token"] == "t0ken"
    assert "t0ken" not in repr(connection)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"URL": "registry:8081"}, "SCHEMA_REGISTRY_URL takes a URL"),
        ({"URL": "http://a:b@registry", "USERNAME": "c"}, "names a user, and SCHEMA_REGISTRY_USERNAME is set"),
        ({"URL": "http://registry", "USERNAME": "c"}, "go together"),
        ({"URL": "http://a:b@registry", "TOKEN": "t"}, "SCHEMA_REGISTRY_TOKEN is set, and so is a user"),
        ({"URL": "https://registry", "CA_FILE": "/no/such"}, "SCHEMA_REGISTRY_CA_FILE names /no/such"),
        ({"URL": "https://registry", "CA_FILE": __file__}, "holds no certificate"),
        ({"URL": "http://registry", "CA_FILE": __file__}, "does not begin with https"),
    ],
)
def test_registry_settings_that_do_not_fit_together_are_named(settings: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        registry(**settings)


@pytest.mark.parametrize("mode", ["allow", "prefer", "require", "verify-ca"])
def test_tls_of_the_database_that_verifies_no_name_is_refused(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match=f"sslmode is {mode}, which does not verify.*verify-full"):
        sync_engine(f"postgresql+psycopg://u:s3cret@db/x?sslmode={mode}")
    monkeypatch.setenv("PGSSLMODE", mode)
    with pytest.raises(InvalidInput, match=f"sslmode is {mode}"):
        sync_engine("postgresql+psycopg://u:s3cret@db/x")


def test_a_root_certificate_alone_asks_for_full_verification(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    assert sync_engine(f"postgresql+psycopg://db/x?sslrootcert={file}").url.query["sslmode"] == "verify-full"
    assert "sslmode" not in sync_engine("postgresql+psycopg://db/x").url.query
