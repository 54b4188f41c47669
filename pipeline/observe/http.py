"""The worker's HTTP server: /metrics, /healthz, /readyz."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app

from pipeline.errors import InvalidInput
from pipeline.observe.health import Health

log = structlog.get_logger(__name__)

#: Number of ports that are tried: of several workers on one machine, each takes the next free one.
PORTS_TRIED = 20


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a line: a client that breaks off, or says nothing for long, is no mistake of the worker's."""
        log.warning("a request for metrics broke off", error=type(sys.exc_info()[1]).__name__)


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: requests of a scraper are frequent."""

    def get_stderr(self) -> Any:
        """Return where a traceback of an answer that failed goes: into the log, as one line."""
        return _LogFile()


class _LogFile:
    """A file to write to, each text of which becomes a line of the log."""

    def write(self, text: str) -> int:
        if said := text.strip():
            log.error("a request for metrics failed", said=said)
        return len(text)

    def flush(self) -> None:
        pass


def serve(host: str, port: int, registry: CollectorRegistry, health: Health) -> tuple[int, Callable[[], None]]:
    """Serve in a thread; return the port, and a function that stops the server.

    Raises InvalidInput when the address can't be used.
    """
    application = _application(registry, health)
    server_class = _Server6 if ":" in host else _Server
    last: OSError | None = None
    for candidate in range(port, port + PORTS_TRIED) if port else [0]:
        try:
            server = make_server(host, candidate, application, server_class, _Quiet)
        except OSError as error:
            last = error
            continue
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()

        def stop(server: WSGIServer = server) -> None:
            server.shutdown()
            server.server_close()

        return server.server_port, stop
    raise InvalidInput(
        f"PIPELINE_METRICS_ADDRESS {host}:{port} can't be used, nor the {PORTS_TRIED - 1} ports after it: {last}"
    )


def _application(registry: CollectorRegistry, health: Health) -> Callable[..., Iterable[bytes]]:
    metrics = make_wsgi_app(registry)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            return metrics(environ, start_response)  # type: ignore[no-any-return]
        if path in ("/healthz", "/readyz"):
            now = time.monotonic()
            good, said = health.alive(now) if path == "/healthz" else health.ready(now)
            return _answer(start_response, "200 OK" if good else "503 Service Unavailable", said)
        return _answer(start_response, "404 Not Found", "there are /metrics, /healthz and /readyz")

    return application


def _answer(start_response: Callable[..., Any], status: str, text: str) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [text.encode() + b"\n"]
