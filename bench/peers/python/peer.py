"""What the Python peers share: settings, the decoder, the session's aggregate, the clock."""

from __future__ import annotations

import io
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import fastavro

BOOTSTRAP, TOPIC, OUT, APP, WORK = (os.environ[name] for name in ("BOOTSTRAP", "TOPIC", "OUT", "APP", "WORK"))
EVENTS, PARTITIONS = int(os.environ["EVENTS"]), int(os.environ["PARTITIONS"])
GAP_MS = 30 * 60_000
CHANNELS = ("web", "email", "call_centre", "branch")


def _plain(node: Any) -> Any:
    """Times as longs: no engine needs datetime objects, and they cost time."""
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items() if key != "logicalType"}
    return [_plain(item) for item in node] if isinstance(node, list) else node


SCHEMA = fastavro.parse_schema(_plain(json.loads(Path(os.environ["PEERS_SCHEMA"]).read_text(encoding="utf-8"))))


def decode(value: bytes, reader=fastavro.schemaless_reader, schema=SCHEMA, bytes_io=io.BytesIO):
    """A touchpoint."""
    b = bytes_io(value)
    b.seek(5)  # Confluent wire format
    return reader(b, schema)


def empty() -> dict[str, Any]:
    """Return a session of nothing."""
    return {
        "count": 0, "first": 1 << 62, "last": -1, **dict.fromkeys(CHANNELS, 0),
        "score_sum": 0.0, "scores": 0, "last_kind": "",
    }  # fmt: skip


def add(s: dict[str, Any], e: dict[str, Any]) -> dict[str, Any]:
    """Return a session with one more touchpoint."""
    t = e["occurred_at"]
    s["count"] += 1
    s[e["channel"]] += 1
    if t < s["first"]:
        s["first"] = t
    if t >= s["last"]:
        s["last"] = t
        s["last_kind"] = e["kind"]
    f = e["feedback"]
    if f is not None:
        s["score_sum"] += f["score"]
        s["scores"] += 1
    return s


def merge(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """Two sessions as one."""
    s = {k: a[k] + b[k] for k in ("count", *CHANNELS, "score_sum", "scores")}
    s["first"] = min(a["first"], b["first"])
    s["last"] = max(a["last"], b["last"])
    s["last_kind"] = (a if a["last"] >= b["last"] else b)["last_kind"]
    return s


def cpu() -> float:
    """Processor time of this process so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Clock:
    """Starts at the first record, and prints one JSON line."""

    def __init__(self) -> None:
        self.n = 0
        self.t0 = self.c0 = 0.0

    def seen(self) -> int:
        """Return one more record; how many by now."""
        if self.n == 0:
            self.t0, self.c0 = time.perf_counter(), cpu()
        self.n += 1
        return self.n

    def report(self, version: str) -> None:
        """Call when everything is flushed and committed."""
        seconds, used = time.perf_counter() - self.t0, cpu() - self.c0
        found = {"version": version, "events": self.n, "seconds": round(seconds, 3), "cpu_s_from_first": round(used, 2)}
        print(json.dumps(found), file=sys.__stdout__, flush=True)  # Faust replaces sys.stdout
