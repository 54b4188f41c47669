"""Publishing to a real Kafka and schema registry."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from harness import empty_topics, registry_of, wait_until

from pipeline.client.outgoing import Unpublishable
from pipeline.client.publisher import Publisher
from pipeline.contract.decode import Writer, decode
from pipeline.contract.schema import schema_text
from pipeline.contract.text import to_json_line
from pipeline.errors import Unavailable
from pipeline.local.stack import Stack
from pipeline.simulate.population import touchpoints
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import Identifier, Touchpoint, own_key

END_MS = 1_780_000_000_000
_seeds = itertools.count(1_000)

Decode = Callable[[Message], Touchpoint]


@pytest.fixture(scope="module")
def env(stack_env: dict[str, str]) -> dict[str, str]:
    empty_topics(stack_env["KAFKA_BOOTSTRAP_SERVERS"])
    registry_of(stack_env).register(TOUCHPOINTS, schema_text(TOUCHPOINTS))
    return stack_env


@pytest.fixture
def arrivals(env: dict[str, str]) -> Iterator[Callable[[int], list[Message]]]:
    """A function that gives the next so many records of the topic that come after now."""
    consumer = Consumer({"bootstrap.servers": env["KAFKA_BOOTSTRAP_SERVERS"], "group.id": "none"})
    partitions = consumer.list_topics(TOUCHPOINTS, timeout=10).topics[TOUCHPOINTS].partitions
    ends = [
        TopicPartition(TOUCHPOINTS, p, consumer.get_watermark_offsets(TopicPartition(TOUCHPOINTS, p), timeout=10)[1])
        for p in partitions
    ]
    consumer.assign(ends)

    def take(count: int) -> list[Message]:
        found: list[Message] = []
        deadline = time.monotonic() + 30
        while len(found) < count and time.monotonic() < deadline:
            found += consumer.consume(count - len(found), timeout=1)
        assert [message.error() for message in found if message.error()] == []
        return found

    yield take
    consumer.close()


def decoder(env: dict[str, str]) -> Decode:
    schema_id = registry_of(env).current_id(TOUCHPOINTS, schema_text(TOUCHPOINTS))
    writers = {schema_id.to_bytes(4, "big"): Writer(schema_text(TOUCHPOINTS))}

    def read(message: Message) -> Touchpoint:
        found = decode(message.value(), writers)
        assert isinstance(found, Touchpoint), found
        return found

    return read


def publisher(env: dict[str, str], **options: object) -> Publisher:
    return Publisher(env["KAFKA_BOOTSTRAP_SERVERS"], env["SCHEMA_REGISTRY_URL"], **options)  # type: ignore[arg-type]


def some(count: int) -> list[Touchpoint]:
    return list(touchpoints(seed=next(_seeds), events=count, end_ms=END_MS))


def run(env: dict[str, str], *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments], env={**os.environ, **env}, input=stdin, capture_output=True
    )


def test_published_touchpoints_come_out_of_kafka_as_they_went_in(
    env: dict[str, str], arrivals: Callable[[int], list[Message]]
) -> None:
    sent = some(500)
    with publisher(env) as to_kafka:
        for touchpoint in sent:
            to_kafka.publish(touchpoint)
    assert (to_kafka.published, to_kafka.delivered, to_kafka.failed) == (500, 500, 0)
    messages = arrivals(500)
    read = decoder(env)
    assert sorted(map(read, messages), key=str) == sorted(sent, key=str)
    assert all(message.key().decode() == own_key(read(message)) for message in messages)


def test_a_customers_touchpoints_keep_their_order_on_one_partition(
    env: dict[str, str], arrivals: Callable[[int], list[Message]]
) -> None:
    sent = some(300)
    with publisher(env) as to_kafka:
        for touchpoint in sent:
            to_kafka.publish(touchpoint)
    messages = arrivals(300)
    read = decoder(env)
    partitions: dict[bytes, set[int]] = {}
    orders: dict[str | None, list[str]] = {}
    for message in messages:
        partitions.setdefault(message.key(), set()).add(message.partition())
        touchpoint = read(message)
        orders.setdefault(own_key(touchpoint), []).append(touchpoint.event_id)
    assert {len(where) for where in partitions.values()} == {1}
    assert len(set.union(*partitions.values())) > 1
    for key, ids in orders.items():
        assert ids == [t.event_id for t in sent if own_key(t) == key]


def test_the_partition_of_a_key_is_the_one_that_the_java_client_chooses(
    env: dict[str, str], arrivals: Callable[[int], list[Message]]
) -> None:
    keys = [f"customer:{n}" for n in range(1, 41)]
    base = some(1)[0]._replace(anonymous_id=None, identifiers=())
    with publisher(env) as to_kafka:
        for number, key in enumerate(keys):
            to_kafka.publish(base._replace(event_id=f"k{number}", customer_id=key.removeprefix("customer:")))
    found = {message.key(): message.partition() for message in arrivals(40)}
    assert found == {key.encode(): (murmur2(key.encode()) & 0x7FFFFFFF) % 4 for key in keys}


def murmur2(data: bytes) -> int:
    """MurmurHash2 as in Kafka's org.apache.kafka.common.utils.Utils."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    for at in range(0, len(data) - 3, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = (h * m & mask) ^ k
    if rest := data[len(data) & ~3 :]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return h ^ (h >> 15)


def test_publishing_waits_while_the_queue_is_full(env: dict[str, str]) -> None:
    with publisher(env, queue_messages=5) as to_kafka:
        for touchpoint in some(200):
            to_kafka.publish(touchpoint)
    assert to_kafka.delivered == 200


def test_an_invalid_touchpoint_is_refused_and_the_next_is_published(env: dict[str, str]) -> None:
    good = some(1)[0]
    with publisher(env) as to_kafka:
        with pytest.raises(Unpublishable, match="kind is not snake_case"):
            to_kafka.publish(good._replace(kind="Not Snake"))
        with pytest.raises(Unpublishable, match="is not a SHA-256"):
            to_kafka.publish(good._replace(identifiers=(Identifier("email", "anna@example.org"),)))
        to_kafka.publish(good)
    assert (to_kafka.published, to_kafka.delivered) == (1, 1)


def test_a_broker_that_is_away_is_named_with_what_to_do(env: dict[str, str]) -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 .*KAFKA_BOOTSTRAP_SERVERS") as raised:
        Publisher("127.0.0.1:1", env["SCHEMA_REGISTRY_URL"])
    assert raised.value.exit_code == 1


@contextmanager
def frozen_broker(stack: Stack) -> Iterator[None]:
    (pid,) = [one.pid for one in stack.status() if one.name == "kafka" and one.pid]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_what_a_frozen_broker_does_not_take_in_time_is_an_error_on_leaving(env: dict[str, str], stack: Stack) -> None:
    sent = some(3)
    to_kafka = publisher(env, delivery_timeout_ms=1_500)
    with frozen_broker(stack), pytest.raises(Unavailable, match="3 of 3 touchpoints were not delivered"), to_kafka:
        for touchpoint in sent:
            to_kafka.publish(touchpoint)
    assert (to_kafka.published, to_kafka.delivered, to_kafka.failed) == (3, 0, 3)


def test_a_producer_that_outruns_a_broker_which_stays_away_is_told_how_many_were_not_delivered(
    env: dict[str, str], stack: Stack
) -> None:
    sent = some(100)
    to_kafka = publisher(env, delivery_timeout_ms=1_500, queue_messages=40)
    with frozen_broker(stack), pytest.raises(Unavailable, match="40 of 40 touchpoints were not delivered"), to_kafka:
        for touchpoint in sent:
            to_kafka.publish(touchpoint)
    assert (to_kafka.published, to_kafka.delivered) == (40, 0)


@pytest.mark.parametrize(
    ("bounds", "size", "most"), [({"queue_messages": 50}, 1, 50), ({"queue_kbytes": 1_024}, 100_000, 11)]
)
def test_a_producer_that_outruns_a_frozen_broker_waits_within_its_bounds_and_loses_nothing(
    env: dict[str, str],
    stack: Stack,
    arrivals: Callable[[int], list[Message]],
    bounds: dict[str, int],
    size: int,
    most: int,
) -> None:
    sent = [touchpoint._replace(attributes={"x": "x" * size}) for touchpoint in some(200)]
    to_kafka = publisher(env, **bounds)
    waiting: list[int] = []

    def publish_all() -> None:
        with to_kafka:
            for touchpoint in sent:
                to_kafka.publish(touchpoint)
                waiting.append(to_kafka.published - to_kafka.delivered)

    publishing = Thread(target=publish_all)
    with frozen_broker(stack):
        publishing.start()
        wait_until(lambda: to_kafka.published >= most - 1, "the queue is full")
    publishing.join()
    assert (to_kafka.delivered, to_kafka.failed) == (200, 0)
    assert max(waiting) <= most
    read = decoder(env)
    assert sorted(read(message).event_id for message in arrivals(200)) == sorted(t.event_id for t in sent)


def test_the_command_waits_for_a_frozen_broker_and_loses_nothing(
    env: dict[str, str], stack: Stack, arrivals: Callable[[int], list[Message]]
) -> None:
    sent = some(2_001)
    lines = list(map(to_json_line, sent))
    command = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "publish", "-"],
        env={**os.environ, **env}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert command.stdin is not None
    command.stdin.write(lines[0])
    command.stdin.flush()
    first = arrivals(1)
    with frozen_broker(stack):
        # More than a pipe holds: it has been read when all of it is written.
        command.stdin.write(b"".join(lines[1:]))
        command.stdin.flush()
        assert command.poll() is None
    said, _ = command.communicate(timeout=60)
    assert (command.returncode, said) == (0, b"Published 2,001 touchpoints from 2,001 lines, 0 of which refused.\n")
    read = decoder(env)
    found = [read(message).event_id for message in [*first, *arrivals(2_000)]]
    assert sorted(found) == sorted(touchpoint.event_id for touchpoint in sent)


def test_the_good_lines_of_a_file_are_published_and_the_bad_ones_named(
    env: dict[str, str], arrivals: Callable[[int], list[Message]], tmp_path: Path
) -> None:
    sent = some(20)
    lines = [to_json_line(touchpoint) for touchpoint in sent]
    lines[10:10] = [b"not JSON\n", b'{"event_id": 7}\n']
    file, rejects = tmp_path / "in.jsonl", tmp_path / "rejects.jsonl"
    file.write_bytes(b"".join(lines))
    done = run(env, "publish", str(file), "--rejects", str(rejects), "--json")
    assert done.returncode == 2, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["lines"], summary["touchpoints"], summary["rejected"]) == (22, 20, 2)
    errors = done.stderr.decode()
    assert f"{file}:11: not JSON" in errors
    assert f"{file}:12: event_id must be a text, not a number" in errors
    kept = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(r["file"], r["line"], r["reason"], r["text"]) for r in kept] == [
        (str(file), 11, "undecodable", "not JSON"),
        (str(file), 12, "invalid_value", '{"event_id": 7}'),
    ]
    read = decoder(env)
    assert {read(message).event_id for message in arrivals(20)} == {touchpoint.event_id for touchpoint in sent}


def test_publishing_without_a_broker_exits_with_1_and_says_why(env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(to_json_line(some(1)[0]))
    done = run({**env, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, "publish", str(file))
    assert done.returncode == 1
    assert b"Error: Kafka at 127.0.0.1:1 does not answer" in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


def test_standard_input_is_published(env: dict[str, str], arrivals: Callable[[int], list[Message]]) -> None:
    sent = some(5)
    done = run(env, "publish", "-", stdin=b"".join(map(to_json_line, sent)))
    assert done.returncode == 0, done.stderr
    read = decoder(env)
    assert {read(message).event_id for message in arrivals(5)} == {touchpoint.event_id for touchpoint in sent}


def test_simulate_publishes_what_it_would_write(
    env: dict[str, str], arrivals: Callable[[int], list[Message]], tmp_path: Path
) -> None:
    options = ["simulate", "--events", "300", "--seed", "77", "--end", "2026-05-01T00:00:00Z"]
    assert run(env, *options).returncode == 0
    file = tmp_path / "out.jsonl"
    assert run({}, *options, "--out", str(file)).returncode == 0
    read = decoder(env)
    published = {to_json_line(read(message)) for message in arrivals(300)}
    assert published == set(file.read_bytes().splitlines(keepends=True))
