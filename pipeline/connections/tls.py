"""TLS contexts, and what is wrong with a server's certificate."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from pipeline.errors import InvalidInput

#: Seconds that a server has to answer.
_TIMEOUT_S = 5.0


def context(
    *, ca: Path | None, ca_setting: str, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Return a context that verifies the server's certificate and name, by the system's CAs unless `ca` has others.

    Raises InvalidInput, which names `ca_setting` or the certificate, for files that hold no certificate or key.
    """
    try:
        made = ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput(f"{ca_setting} names {ca}, which holds no certificate (PEM): {_short(error)}.") from None
    if certificate is not None:
        try:
            made.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise InvalidInput(
                f"The client certificate {certificate} or its key can't be used: {_short(error)}."
            ) from None
    return made


def handshake_failure(host: str, port: int, using: ssl.SSLContext) -> str | None:
    """Return what is wrong with the TLS of a server; None if nothing is, or if the server can't be reached. Blocks."""
    try:
        connection = socket.create_connection((host, port), timeout=_TIMEOUT_S)
    except OSError:
        return None
    try:
        with connection, using.wrap_socket(connection, server_hostname=host) as wrapped:
            # TLS 1.3 tells only at the first read that the client's certificate is refused; Kafka says nothing first.
            wrapped.settimeout(0.5)
            wrapped.recv(1)
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except TimeoutError:
        return None
    except ssl.SSLError as error:
        return _short(error)
    except OSError:
        return None
    return None


def speaks_tls(host: str, port: int) -> bool:
    """Return whether a server answers a TLS handshake, whatever its certificate; False if it can't be reached. Blocks.

    Nothing is sent or read beyond the handshake.
    """
    anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anything.check_hostname = False
    anything.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection,
            anything.wrap_socket(connection),
        ):
            return True
    except OSError:
        return False


def explained(failure: str, *, where: str, ca_setting: str, address_setting: str) -> str:
    """Return a sentence on a failed verification: what is wrong, and which setting to check."""
    said = failure.lower()
    if "expired" in said:
        return f"The certificate of {where} has expired; it has to be renewed there."
    if "not yet valid" in said:
        return f"The certificate of {where} is not valid yet; check the clocks of both machines."
    if "hostname mismatch" in said or "ip address mismatch" in said or "not valid for" in said:
        return f"The certificate of {where} is for another name; {address_setting} must use a name that is in it."
    if "certificate" in said and ("issuer" in said or "self" in said or "unable to get" in said or "verify" in said):
        return (
            f"The certificate of {where} is not signed by a CA in {ca_setting} (without it, the system's): {failure}."
        )
    if "wrong version number" in said or "record layer" in said or "unexpected eof" in said:
        return f"This port of {where} does not answer in TLS ({failure}); check {address_setting} and the protocol."
    return f"TLS with {where} fails: {failure}. Check {ca_setting}, and the client certificate."


def _short(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
    return str(reason).replace("_", " ").lower()
