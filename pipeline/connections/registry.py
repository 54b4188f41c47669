"""How to reach the schema registry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline.connections import tls
from pipeline.connections.secret import readable_file, secret
from pipeline.errors import InvalidInput, Unavailable

_URL, _CA, _TOKEN = "SCHEMA_REGISTRY_URL", "SCHEMA_REGISTRY_CA_FILE", "SCHEMA_REGISTRY_TOKEN"
_USER, _PASSWORD = "SCHEMA_REGISTRY_USERNAME", "SCHEMA_REGISTRY_PASSWORD"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryConnection:
    """Where the registry is, and how to connect. `url` has no user; secrets are left out of `repr`."""

    url: str
    ca_file: Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return urlsplit(self.url).netloc

    @classmethod
    def of(cls, given: RegistryConnection | str) -> RegistryConnection:
        """Return a connection as it is, or that of a URL."""
        return cls.from_url(given) if isinstance(given, str) else given

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> RegistryConnection:
        """Return the connection that the settings describe; user and password may stand in the URL.

        Raises InvalidInput, which names the wrong setting.
        """
        return cls.from_url(
            environ[_URL],
            ca_file=readable_file(environ, _CA),
            username=environ.get(_USER) or None,
            password=secret(environ, _PASSWORD),
            token=secret(environ, _TOKEN),
        )

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        ca_file: Path | None = None,
        username: str | None = None,
        password: str | None = None,
        token: str | None = None,
    ) -> RegistryConnection:
        """Return a connection; raises InvalidInput, which names the setting, for what does not fit together."""
        if not re.match(r"https?://", url):
            raise InvalidInput(f"{_URL} takes a URL that begins with http:// or https://")
        parts = urlsplit(url)
        if parts.username is not None:
            if username is not None:
                raise InvalidInput(f"{_URL} names a user, and {_USER} is set; set one of them.")
            username, password = unquote(parts.username), unquote(parts.password or "")
        if (username is None) != (password is None):
            raise InvalidInput(f"{_USER} and {_PASSWORD} (or {_PASSWORD}_FILE) go together.")
        if token is not None and username is not None:
            raise InvalidInput(f"{_TOKEN} is set, and so is a user; set one of them.")
        if ca_file is not None:
            if parts.scheme != "https":
                raise InvalidInput(f"{_CA} is set, and {_URL} does not begin with https://.")
            tls.context(ca=ca_file, ca_setting=_CA)
        plain = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        return cls(url=plain.geturl().rstrip("/"), ca_file=ca_file, username=username, password=password, token=token)

    def client_settings(self) -> dict[str, Any]:
        """Return the settings of confluent-kafka's registry client; holds the secrets."""
        settings: dict[str, Any] = {"url": self.url, "max.retries": 5, "retries.wait.ms": 100, "timeout": 10}
        if self.ca_file is not None:
            settings["ssl.ca.location"] = str(self.ca_file)
        if self.username is not None:
            settings["basic.auth.user.info"] = f"{self.username}:{self.password}"
        if self.token is not None:
            settings |= {
                "bearer.auth.credentials.source": "CUSTOM",
                "bearer.auth.custom.provider.function": self._bearer,
            }
            settings["bearer.auth.custom.provider.config"] = {}
        return settings

    def _bearer(self, _config: Mapping[str, Any]) -> dict[str, Any]:
        return {"bearer.auth.token": self.token, "bearer.auth.logical.cluster": "", "bearer.auth.identity.pool.id": ""}

    def unreachable(self, error: Exception, status: int | None = None) -> Exception:
        """Return the error to raise when the registry does not answer as it should; `status` is HTTP's.

        InvalidInput for credentials and certificates that do not fit, Unavailable for anything else.
        """
        if status in (401, 403):
            return InvalidInput(
                f"The schema registry at {self} refuses the credentials (HTTP {status}). Check the user in {_URL} or "
                f"{_USER} and {_PASSWORD}, or {_TOKEN}."
            )
        said = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in said or "[SSL" in said:
            failure = said.rpartition("certificate verify failed: ")[2].partition(" (_ssl")[0]
            where = f"the schema registry at {self}"
            return InvalidInput(tls.explained(failure, where=where, ca_setting=_CA, address_setting=_URL))
        return Unavailable(
            f"The schema registry at {self} does not answer as it should ({type(error).__name__}: {said}). "
            f"Check {_URL}, or `pipeline status` for the local one."
        )
