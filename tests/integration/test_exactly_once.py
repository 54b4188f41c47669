"""Kafka transactions: those of producers are read once they are committed, those of workers hold each revision once."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest
from confluent_kafka import Producer
from harness import PARTITIONS, Pipe, encoder_of, wait_until

from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.partition import partition_of
from pipeline.failpoint import PLACES
from pipeline.topics import JOURNEYS, TOUCHPOINTS
from pipeline.touchpoint import Touchpoint

pytestmark = pytest.mark.long

NOW = int(time.time() * 1000)
#: Where a worker comes when keys have holders.
IDENTITY_PLACES = {"exchanging", "receiving", "delivering", "restating"}


def touchpoint(number: int) -> Touchpoint:
    return Touchpoint(
        event_id=str(number), source="shop", occurred_at=NOW - 1000 + number, channel="web", kind="page_viewed",
        customer_id=f"c{number}",
    )  # fmt: skip


@pytest.fixture
def encoder(pipe: Pipe) -> Encoder:
    return encoder_of(pipe.env)


def processed(pipe: Pipe) -> int:
    return int(pipe.sql("SELECT coalesce(sum(processed), 0) AS n FROM position")[0].n)


def test_a_producers_transaction_counts_when_it_is_committed_and_never_when_it_is_aborted(
    pipe: Pipe, encoder: Encoder
) -> None:
    producer = Producer(
        {
            "bootstrap.servers": pipe.env["KAFKA_BOOTSTRAP_SERVERS"],
            "transactional.id": f"channel-{time.monotonic_ns()}",
            "partitioner": "murmur2_random",
        }
    )

    def produce(first: int, last: int) -> None:
        producer.begin_transaction()
        for number in range(first, last):
            producer.produce(TOUCHPOINTS, encoder.encode(touchpoint_record(touchpoint(number))), f"customer:c{number}")
        producer.flush()

    producer.init_transactions(30)
    produce(0, 50)
    producer.commit_transaction(30)
    worker = pipe.start_worker()
    wait_until(lambda: processed(pipe) == 50, "what is committed is processed")
    produce(100, 150)
    producer.abort_transaction(30)
    produce(200, 250)
    producer.commit_transaction(30)
    wait_until(lambda: processed(pipe) == 100, "the next transaction is processed")
    worker.terminate()
    assert worker.wait(30) == 0
    assert "before they were read" not in pipe.log()
    pipe.work()  # ends only if marks at the topic's end are no lag
    customers = {row.customer for row in pipe.sql("SELECT customer FROM journey")}
    assert customers == {f"customer:c{number}" for number in [*range(50), *range(200, 250)]}


@pytest.mark.parametrize("place", sorted(set(PLACES) - {"before_ack", "after_ack"} - IDENTITY_PLACES))
def test_a_worker_killed_at_any_place_leaves_each_revision_and_forward_on_its_topic_once(
    pipe: Pipe, encoder: Encoder, place: str
) -> None:
    wrong = [f"customer:c{number}" for number in range(40)]
    pipe.produce(
        (key.encode(), encoder.encode(touchpoint_record(touchpoint(number))))
        for number, key in enumerate([*wrong[1:], wrong[0]])
    )
    pipe.publish([touchpoint(number) for number in range(40, 80)])
    killed = pipe.start_worker(PIPELINE_FAILPOINT=place)
    assert killed.wait(60) == -9, pipe.log()
    pipe.work()
    once = Counter((record["journey_id"], record["revision"]) for record in pipe.records(JOURNEYS))
    assert set(once.values()) == {1}
    assert len({journey for journey, _ in once}) == 80
    [counted] = pipe.sql(
        "SELECT sum(processed) AS processed, sum(duplicates) AS duplicates, sum(forwarded) AS forwarded FROM position"
    )
    assert (counted.processed, counted.duplicates, counted.forwarded) == (80, 0, 40)
    assert len(pipe.messages(TOUCHPOINTS)) == 120


@pytest.mark.parametrize("place", sorted(IDENTITY_PLACES))
def test_a_worker_killed_while_touchpoints_go_to_their_owners_leaves_each_with_its_owner_once(
    pipe: Pipe, place: str
) -> None:
    # The first cookie has more touchpoints than are restated in one transaction.
    cookies, often = [f"cookie-{number}" for number in range(250 * PARTITIONS)], 700
    page = touchpoint(0)._replace(customer_id=None)
    pipe.publish(
        page._replace(event_id=f"page-{cookie}", anonymous_id=cookie, occurred_at=NOW - 2_000) for cookie in cookies
    )
    pipe.publish(
        page._replace(
            event_id=f"often-{number}", anonymous_id=cookies[0], occurred_at=NOW - number // 2 * 7_200_000 - number
        )
        for number in range(2, often + 2)
    )
    pipe.work()
    pipe.publish(
        page._replace(event_id=f"in-{cookie}", anonymous_id=cookie, customer_id=f"c{number % 7}", kind="signed_in")
        for number, cookie in enumerate(cookies)
    )
    killed = pipe.start_worker(PIPELINE_FAILPOINT=place)
    assert killed.wait(60) == -9, pipe.log()
    pipe.work()
    once = Counter((record["journey_id"], record["revision"]) for record in pipe.records(JOURNEYS))
    assert set(once.values()) == {1}
    kept = pipe.sql("SELECT customer, sum(touchpoints) AS n FROM journey WHERE touchpoints > 0 GROUP BY customer")
    expected = Counter({f"customer:c{number}": 0 for number in range(7)})
    for number in range(len(cookies)):
        expected[f"customer:c{number % 7}"] += 2 if number else 2 + often
    assert {row.customer: row.n for row in kept} == expected
    assert json.loads(pipe.run("audit", "--json").stdout)["differences"] == []


def test_a_record_that_came_to_the_wrong_partition_of_another_producer_is_where_its_key_belongs(
    pipe: Pipe, encoder: Encoder
) -> None:
    producer = Producer({"bootstrap.servers": pipe.env["KAFKA_BOOTSTRAP_SERVERS"]})
    home = partition_of(b"customer:c1", PARTITIONS)
    value = encoder.encode(touchpoint_record(touchpoint(1)))
    producer.produce(TOUCHPOINTS, value, b"customer:c1", partition=(home + 1) % PARTITIONS)
    producer.flush()
    pipe.work()
    assert [row.partition for row in pipe.sql("SELECT partition FROM journey")] == [home]
