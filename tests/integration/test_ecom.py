"""A real-sized file with known sessions: 30-minute gaps on all channels give exactly its 3,605 sessions."""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from datasets import dataset
from ecom_ways import check_funnel, check_ways
from harness import Pipe, wait_until

from pipeline.touchpoint import Touchpoint

pytestmark = pytest.mark.long

Session = tuple[str, int, int, int]


@pytest.fixture(scope="module")
def ecom() -> tuple[list[Touchpoint], set[Session]]:
    """The file's events, and its sessions as (customer, start, end, count)."""
    file = dataset("retentioneering_ecom", "ecom.csv.gz")
    touchpoints: list[Touchpoint] = []
    sessions: dict[str, list[Any]] = {}
    with gzip.open(file, "rt", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            at = int(datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC).timestamp() * 1000)
            touchpoints.append(
                Touchpoint(
                    event_id=str(number),
                    source="ecom",
                    occurred_at=at,
                    channel="web",
                    kind=row["event"],
                    customer_id=row["user_id"],
                    sequence=number,
                )
            )
            sessions.setdefault(row["session_id"], [f"customer:{row['user_id']}"]).append(at)
    return touchpoints, {(s[0], min(s[1:]), max(s[1:]), len(s) - 1) for s in sessions.values()}


@pytest.fixture
def half_hour(pipe: Pipe) -> Pipe:
    """A gap of 30 minutes on all channels."""
    policy = pipe.folder / "policy.toml"
    policy.write_text('gap = "30m"\ngrace = "20m"\n')
    pipe.env["PIPELINE_POLICY"] = str(policy)
    return pipe


def found(pipe: Pipe) -> set[Session]:
    rows = pipe.sql("SELECT * FROM journey WHERE status = 'closed'")
    return {
        (r.customer, int(r.started_at.timestamp() * 1000), int(r.ended_at.timestamp() * 1000), r.touchpoints)
        for r in rows
    }


def shuffled(touchpoints: Iterable[Touchpoint]) -> list[Touchpoint]:
    mixed = list(touchpoints)
    random.Random(3).shuffle(mixed)
    return mixed


def test_the_files_sessions_come_out_as_journeys_with_its_ways_and_again_when_all_of_it_is_published_twice(
    half_hour: Pipe, ecom: tuple[list[Touchpoint], set[Session]]
) -> None:
    touchpoints, sessions = ecom
    assert len(sessions) == 3605
    half_hour.publish(touchpoints)
    half_hour.work()
    assert found(half_hour) == sessions
    with half_hour.engine.connect() as connection:
        check_ways(connection)
        check_funnel(connection)

    half_hour.publish(shuffled(touchpoints))
    half_hour.work("--most-records", "20000")
    assert found(half_hour) == sessions
    [sums] = half_hour.sql("SELECT sum(processed) AS processed, sum(duplicates) AS duplicates FROM position")
    assert (sums.processed, sums.duplicates) == (len(touchpoints), len(touchpoints))


def test_a_shuffled_file_gives_the_same_in_slices_of_20000(
    half_hour: Pipe, ecom: tuple[list[Touchpoint], set[Session]]
) -> None:
    touchpoints, sessions = ecom
    half_hour.publish(shuffled(touchpoints))
    half_hour.work("--most-records", "20000")
    assert found(half_hour) == sessions


def test_every_fifth_customer_shuffled_gives_the_same_in_slices_of_one_record(
    half_hour: Pipe, ecom: tuple[list[Touchpoint], set[Session]]
) -> None:
    some = set(sorted({touchpoint.customer_id or "" for touchpoint in ecom[0]})[::5])
    touchpoints = [touchpoint for touchpoint in ecom[0] if touchpoint.customer_id in some]
    sessions = {session for session in ecom[1] if session[0].removeprefix("customer:") in some}
    assert len(sessions) > 500
    half_hour.publish(shuffled(touchpoints))
    half_hour.work("--most-records", "1")
    assert found(half_hour) == sessions
    [sums] = half_hour.sql("SELECT sum(commits) AS commits FROM position")
    assert sums.commits >= len(touchpoints)


def test_three_workers_find_the_same_as_one(half_hour: Pipe, ecom: tuple[list[Touchpoint], set[Session]]) -> None:
    touchpoints, sessions = ecom
    workers = [half_hour.start_worker("--most-records", "500") for _ in range(3)]

    def position_totals() -> Any:
        return half_hour.sql("SELECT sum(processed) AS processed, count(DISTINCT owner) AS owners FROM position")[0]

    wait_until(lambda: position_totals().owners == 3, "each has partitions", 90)
    half_hour.publish(shuffled(touchpoints))
    wait_until(lambda: position_totals().processed == len(touchpoints), "all is processed", 120)
    assert position_totals().owners == 3
    for worker in workers:
        worker.terminate()
    for worker in workers:
        assert worker.wait(timeout=60) == 0
    half_hour.work()  # closes the last journeys
    assert found(half_hour) == sessions
