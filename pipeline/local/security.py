"""TLS and users of a secure stack: a CA of its own, certificates of Kafka and the registry, and a user of Kafka.

Postgres stays as it is: the wheel is built without TLS."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.local import files
from pipeline.local.layout import Layout
from pipeline.local.ports import HOST

#: Names in the servers' certificates.
NAMES = ("localhost", HOST)
#: The user of clients, by SCRAM; and the one that the broker and the stack itself use, by PLAIN.
USER, ADMIN = "pipeline", "admin"
MECHANISM = "SCRAM-SHA-512"
_LIFETIME = timedelta(days=3650)


class Security:
    """The files of a stack's security; they exist if the stack is a secure one. Only their owner can read secrets."""

    def __init__(self, layout: Layout) -> None:
        self._folder = layout.root / "security"

    @property
    def is_on(self) -> bool:
        """Return whether the stack is secure."""
        return self.ca.exists()

    @property
    def ca(self) -> Path:
        """Return the certificate of the CA, which clients trust."""
        return self._folder / "ca.pem"

    @property
    def password_file(self) -> Path:
        """Return the file of the password of `USER`."""
        return self._folder / "kafka-password"

    @property
    def password(self) -> str:
        """Return the password of `USER`."""
        return self.password_file.read_text().strip()

    @property
    def admin_password(self) -> str:
        """Return the password of `ADMIN`."""
        return (self._folder / "kafka-admin-password").read_text().strip()

    def certificate(self, server: str) -> Path:
        """Return a server's certificate."""
        return self._folder / f"{server}.pem"

    def key(self, server: str) -> Path:
        """Return a server's private key (PKCS 8)."""
        return self._folder / f"{server}.key"

    def key_and_certificate(self, server: str) -> Path:
        """Return a file of both, which Kafka reads."""
        return self._folder / f"{server}-both.pem"

    def create(self, servers: tuple[str, ...]) -> None:
        """Create the CA, certificates of `servers`, and passwords; the CA's file, which turns all on, is last."""
        import trustme

        ca = trustme.CA(organization_name="touchpoint-pipeline local stack")
        self._write("ca.key", ca.private_key_pem.bytes())
        for server in servers:
            self.issue(ca, server)
        for name in ("kafka-password", "kafka-admin-password"):
            self._write(name, (secrets.token_urlsafe(24) + "\n").encode())
        files.write(self.ca, ca.cert_pem.bytes().decode())

    def issue(self, ca: object, server: str, names: tuple[str, ...] = NAMES, lifetime: timedelta = _LIFETIME) -> None:
        """Issue a server's certificate for `names`; it has expired if `lifetime` is negative."""
        import trustme
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
            load_pem_private_key,
        )

        assert isinstance(ca, trustme.CA)
        now = datetime.now(UTC)
        begin = now - timedelta(days=3700) if lifetime < timedelta() else now - timedelta(days=1)
        leaf = ca.issue_cert(*names, not_before=begin, not_after=now + lifetime)
        key = load_pem_private_key(leaf.private_key_pem.bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
        self._write(self.key(server).name, key)
        self._write(self.certificate(server).name, chain)
        self._write(self.key_and_certificate(server).name, key + chain)

    def authority(self) -> object:
        """Return the CA, to issue further certificates with."""
        import trustme

        return trustme.CA.from_pem(self.ca.read_bytes(), (self._folder / "ca.key").read_bytes())

    def _write(self, name: str, content: bytes) -> None:
        files.write(self._folder / name, content.decode(), mode=0o600)
