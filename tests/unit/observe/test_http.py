"""The worker's HTTP server and clients that misbehave."""

from __future__ import annotations

import socket
import struct
import time

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from pipeline.observe.health import Health
from pipeline.observe.http import serve


def test_a_client_that_breaks_off_leaves_one_line_and_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    port, stop = serve("127.0.0.1", 0, CollectorRegistry(), Health())
    try:
        with capture_logs() as logged:
            client = socket.create_connection(("127.0.0.1", port))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.send(b"GET /met")
            client.close()  # with a reset
            end = time.monotonic() + 10
            while not logged and time.monotonic() < end:
                time.sleep(0.01)
    finally:
        stop()
    assert [each["event"] for each in logged] == ["a request for metrics broke off"]
    assert "Traceback" not in capfd.readouterr().err
