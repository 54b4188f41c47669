"""Files of arbitrary bytes through `pipeline publish`, with a publisher that collects what it is given."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import orjson
from click.testing import CliRunner, Result
from fuzz import touchpoints
from fuzz.mutate import damaged
from fuzz.records import WRITERS
from fuzz.target import must
from fuzz.touchpoints import NOW_MS

from pipeline.cli.publish import publish
from pipeline.client.outgoing import outgoing
from pipeline.contract.decode import decode
from pipeline.contract.encode import Encoder
from pipeline.contract.reject import REASONS, Rejected
from pipeline.contract.schema import schema_text
from pipeline.contract.validate import check
from pipeline.errors import InvalidInput
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import Touchpoint, own_key

#: What a file is read as; the first byte of an input says which.
_WAYS = (
    ("a.jsonl",), ("a.jsonl",), ("a.csv",), ("a.csv",), ("a.tsv",), ("a.jsonl.gz",), ("a.csv.gz",),
    ("a.jsonl", "--from", "web"), ("a.jsonl", "--from", "email"), ("a.csv", "--from", "call-centre"),
    ("a.csv", "--from", "branch"), ("a.tsv", "--from", "bank-calls"), ("a.csv", "--from", "web"),
)  # fmt: skip
#: Longer than the longest line that is read.
_MOST_BYTES = 5 * 1024 * 1024
_COLUMNS = (
    "event_id", "source", "occurred_at", "channel", "kind", "customer_id", "stage", "outcome", "wait_ms",
    "amount_minor", "currency", "feedback.instrument", "feedback.score", "identifiers", "identifiers.email",
    "attributes.x", "sent_at",
)  # fmt: skip
_CELLS = (
    "", "x", '"', '""', '"a', '"a"b', "a\nb", "\r", "\0", "\ufeff", "é", "web", "purchase", "csat", "5", "1e999",
    "-1", "9223372036854775808", "1" * 19, "1" * 5_000, "[[[[", '[{"type":"email","value":"a@b"}]', '[{"type":[]}]',
    "2026-01-01T00:00:00Z", "0000-99-99T00:00:00Z", "9999-12-31T23:59:60+99:99", "1780000000000", "EUR", "0x1", "٣",
)  # fmt: skip
_CHANNEL_COLUMNS = {
    "call-centre": "call_id,queued_at,ended_at,answered_at,customer_number,phone,queue,result,rating",
    "branch": "ticket_id,branch,service,customer_number,issued_at,called_at,finished_at,counter,result,rating",
    "bank-calls": "vru+line\tcall_id\tcustomer_id\tpriority\ttype\tdate\tvru_entry\tvru_exit\tvru_time\tq_start\t"
    "q_exit\tq_time\toutcome\tser_start\tser_exit\tser_time\tserver",
}
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 1e308, 2**63, 2**64, "", "x", "\0", "\ud800", [], {}, [[]], {"": ""}, {"a": {"b": []}},
    "2026-01-01T00:00:00Z", "😀" * 100, [{"type": "email", "value": "a@b.c"}], [{"type": "phone", "value": "1"}],
)  # fmt: skip


class Collector:
    """In the publisher's place: checks and encodes as it does, and keeps the records."""

    sent: list[tuple[bytes, bytes]]

    def __init__(self, *_: object, **__: object) -> None:
        Collector.sent = []
        self._encoder = Encoder(1, schema_text(TOUCHPOINTS))

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing waits."""

    def publish(self, touchpoint: Touchpoint) -> None:
        """Keep one."""
        self.sent.append(outgoing(touchpoint, self._encoder, NOW_MS))


@contextmanager
def files() -> Iterator[Files]:
    """The target, without servers and the machine's clock."""
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1",
        "DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/none",
    }
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-") as folder,
        patch("pipeline.client.publisher.Publisher", Collector),
        patch("pipeline.cli.publish._now_ms", lambda: NOW_MS),
        patch.dict(os.environ, settings),
    ):
        yield Files(Path(folder))


class Files:
    """One file an input."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runner = CliRunner()

    def make(self, random: Random) -> bytes:
        """The way to read it in the first byte, then the file."""
        way = random.randrange(len(_WAYS))
        name = _WAYS[way][0]
        text = _json_lines(random) if ".jsonl" in name else _table(random, way)
        if random.random() < 0.5:
            # A damaged header makes the whole file worthless; mostly it is left alone.
            whole = text.find(b"\n") + 1 if ".jsonl" not in name and random.random() < 0.8 else 0
            text = text[:whole] + damaged(text[whole:], random, _json_lines(random))
        if random.random() < 0.05:
            text = random.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\0")) + text
        text = text[:_MOST_BYTES]
        if name.endswith(".gz"):
            text = gzip.compress(text, 1, mtime=0)
            if random.random() < 0.5:
                text = damaged(text, random, text)
        return bytes([way]) + text

    def take(self, data: bytes) -> str:
        """Publish the file, and look at what was sent, said and written."""
        name, *options = _WAYS[data[0] % len(_WAYS)] if data else _WAYS[0]
        file, rejects = self._folder / name, self._folder / "rejects"
        file.write_bytes(data[1:])
        done = self._runner.invoke(publish, [str(file), "--json", "--rejects", str(rejects), *options])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            if isinstance(done.exception, InvalidInput):
                must(file.name in str(done.exception), f"the error does not name the file: {done.exception}")
                must(len(str(done.exception)) < 5_000, "the error is endless")
                str(done.exception).encode()
                return "file refused"
            raise done.exception
        return _judged(done, rejects)


def _judged(done: Result, rejects: Path) -> str:
    summary = json.loads(done.stdout)
    refused = [orjson.loads(line) for line in rejects.read_bytes().splitlines()]
    must(len(refused) == summary["rejected"] == sum(summary["reasons"].values()), "not all that was refused is kept")
    must(set(summary["reasons"]) <= set(REASONS), "a reason is not one of the contract's")
    must(done.exit_code == (2 if refused else 0), f"the exit code is {done.exit_code}")
    must(all(len(line["detail"]) < 1_000 for line in refused), "a detail is endless")
    must(len(Collector.sent) == summary["touchpoints"], "not all was sent that was counted")
    for key, value in Collector.sent:
        found = decode(value, WRITERS)
        must(not isinstance(found, Rejected) and check(found, NOW_MS) is None, "the worker refuses what was published")
        must(not isinstance(found, Rejected) and own_key(found) == key.decode(), "the key is not the customer's")
    if not refused:
        return "all published" if Collector.sent else "nothing in it"
    return f"lines refused: {refused[0]['reason']}"


def _json_lines(random: Random) -> bytes:
    lines = [_json_line(random) for _ in range(random.choice((0, 1, 2, 5)))]
    return random.choice((b"\n", b"\n", b"\r\n", b"\n\n", b"")).join(lines)


def _json_line(random: Random) -> bytes:
    chance = random.random()
    if chance < 0.03:
        depth = random.choice((10, 500, 1_100, 100_000))
        return random.choice((b"[", b'{"a":', b'{"attributes":{"a":')) * depth
    if chance < 0.04:
        return b'{"event_id":"' + b"a" * random.choice((10_000, 300_000, 4_300_000)) + b'"}'
    record: dict[str, Any] = touchpoints.record(random)
    for name in ("deep", "data", "mark", "nothing"):
        del record[name]
    record = {name: value for name, value in record.items() if value is not None}
    if chance < 0.3:
        record["occurred_at"] = random.choice(_CELLS)
    if chance > 0.7:
        record[random.choice((*record, "chanel", "type", "messageId", "timestamp", ""))] = random.choice(_VALUES)
    return json.dumps(record, ensure_ascii=chance < 0.9).encode("utf-8", "surrogatepass")


def _table(random: Random, way: int) -> bytes:
    comma = "\t" if _WAYS[way][0].endswith(".tsv") else ","
    channel = _WAYS[way][-1]
    if channel in _CHANNEL_COLUMNS:
        columns = _CHANNEL_COLUMNS[channel].split(comma)
    else:
        columns = list(_COLUMNS[: random.choice((6, 10, len(_COLUMNS)))])
        if random.random() < 0.1:
            columns += [random.choice((*_COLUMNS, "x", "", "attributes.", "feedback"))] * random.choice((1, 2, 20))
        if random.random() < 0.005:
            columns += random.choice((["a"], ["attributes.x"])) * 100_000
    cells = _CELLS if len(columns) < 100 else _CELLS[:4]
    lines = [columns]
    empty = random.choice((0.0, 0.5, 0.95))
    lines += [
        ["" if random.random() < empty else random.choice(cells) for _ in columns]
        for _ in range(random.choice((0, 1, 3, 10)))
    ]
    if random.random() < 0.8 and channel not in _CHANNEL_COLUMNS:
        for number, line in enumerate(lines[1:]):
            line[:6] = [f"e{number}", "s", "2026-01-01T00:00:00Z", "web", "page_viewed", "c"]
    end = random.choice(("\n", "\n", "\r\n", "\r"))
    return end.join(comma.join(map(_quoted if random.random() < 0.5 else str, line)) for line in lines).encode()


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def way_of(name: str, *options: str) -> bytes:
    """The first byte of an input that is read like this."""
    return bytes([_WAYS.index((name, *options))])
