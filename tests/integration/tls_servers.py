"""Servers with TLS in front of the session's own: certificates of any kind, users, and a token endpoint."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import trustme

#: What a client of Postgres sends to ask for TLS.
_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


def server_context(leaf: trustme.LeafCert) -> ssl.SSLContext:
    """A server's context with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


@contextmanager
def tls_in_front(
    leaf: trustme.LeafCert, backend: str, *, postgres: bool = False, clients_of: trustme.CA | None = None
) -> Iterator[int]:
    """Terminate TLS at a port of its own, and pass everything on to HOST:PORT without it.

    With `clients_of`, clients need a certificate of that CA.
    """
    context = server_context(leaf)
    if clients_of is not None:
        clients_of.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    host, _, port = backend.rpartition(":")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(client: socket.socket) -> None:
            with suppress(OSError):
                if postgres:
                    assert client.recv(8, socket.MSG_WAITALL) == _SSL_REQUEST
                    client.sendall(b"S")
                wrapped = context.wrap_socket(client, server_side=True)
                server = socket.create_connection((host, int(port)))
                threading.Thread(target=_pump, args=(server, wrapped), daemon=True).start()
                _pump(wrapped, server)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def registry_in_front(leaf: trustme.LeafCert, backend: str, authorization: str) -> Iterator[int]:
    """Pass requests on to the registry at the URL's host, if they have this header; else answer 401."""

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Authorization") != authorization:
                self._answer(401, b'{"error_code":401,"message":"Unauthorized"}', "application/json")
                return
            kind = self.headers.get("Content-Type", "application/json")
            request = urllib.request.Request(
                backend + self.path, body or None, {"Content-Type": kind}, method=self.command
            )
            try:
                with urllib.request.urlopen(request) as answer:
                    self._answer(answer.status, answer.read(), answer.headers.get("Content-Type", kind))
            except urllib.error.HTTPError as error:
                self._answer(error.code, error.read(), error.headers.get("Content-Type", kind))

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _pass_on  # noqa: N815 - names that the base class looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with _serving(Handler, leaf) as port:
        yield port


@contextmanager
def token_endpoint(client_id: str, secret: str) -> Iterator[str]:
    """An OIDC token endpoint whose tokens are not signed; its URL."""
    expected = "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())
            is_right = self.headers.get("Authorization") == expected and form["grant_type"] == ["client_credentials"]
            body = json.dumps({"access_token": _token(client_id), "expires_in": 300} if is_right else {}).encode()
            self.send_response(200 if is_right else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with _serving(Handler, None) as port:
        yield f"http://127.0.0.1:{port}/token"


def _token(subject: str) -> str:
    now = int(time.time())

    def part(values: Mapping[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part({'sub': subject, 'iat': now, 'exp': now + 300})}."


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler], leaf: trustme.LeafCert | None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if leaf is not None:
        server.socket = server_context(leaf).wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
