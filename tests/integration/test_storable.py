"""Whatever is admitted can be stored, read back and published: through the real ledger, with the fuzzer's inputs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest
from fuzz.records import ACTIVE_SCORES, WRITERS, Record, value
from fuzz.touchpoints import NOW_MS
from harness import Pipe

from pipeline import catalogue
from pipeline.connections.database import async_engine
from pipeline.contract.decode import decode
from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.reject import Rejected
from pipeline.contract.schema import schema_text
from pipeline.contract.validate import MAX_SPAN_MS
from pipeline.flow.admission import Admission
from pipeline.flow.advance import advance, customers_to_load
from pipeline.flow.slices import Slice
from pipeline.flow.state import Partition, forget_customers
from pipeline.flow.values import Batch
from pipeline.journey import policy
from pipeline.ledger.commit import Commit
from pipeline.ledger.positions import Position
from pipeline.ledger.postgres import PostgresLedger
from pipeline.ledger.risk_sweep import PostgresRiskReader
from pipeline.ledger.session import Session
from pipeline.publishing.records import RecordSerializer
from pipeline.retry import Retry
from pipeline.scores.churn import model as churn
from pipeline.scores.registry import SCORES
from pipeline.topics import CASES, CHURN_RISK, IDENTITIES, JOURNEYS, SATISFACTION, TOUCHPOINTS
from pipeline.touchpoint import Touchpoint, own_key

SLICE = 100


class Line:
    """A worker's steps on one partition, without Kafka."""

    def __init__(self, session: Session, ledger: PostgresLedger, position: Position) -> None:
        self.session, self.ledger, self.position = session, ledger, position
        self.policy = policy.read(None)
        self.admission = Admission(catalogue.load(), self.policy, 1)
        self.state = Partition(0, 0, 0)
        self.serializer = RecordSerializer(
            dict.fromkeys((JOURNEYS, CASES, IDENTITIES, SATISFACTION, CHURN_RISK), 1), SCORES
        )

    async def step(self, values: list[bytes]) -> Batch:
        """A slice, committed and encoded for its topics."""
        first = self.state.next_offset
        records = [Record(first + n, _key(value), value) for n, value in enumerate(values)]
        [admitted] = self.admission.admit([Slice(0, first, first + len(records), records)], WRITERS, NOW_MS)
        self.state.customers.update(await self.ledger.load_customers(customers_to_load(self.state, admitted)))
        batch = advance(self.state, admitted, now_ms=NOW_MS, grace_ms=self.policy.grace_ms, scores=ACTIVE_SCORES)
        forget_customers([self.state], 50)  # far fewer than there are, so that most come back from the ledger
        [self.position] = await self.ledger.commit([Commit(self.position, batch)])
        list(self.serializer.of_batch(batch))
        return batch

    async def read_all(self) -> None:
        """What a worker reads after a restart and while it sweeps."""
        rest = await self.ledger.load_unpublished(self.position, 0)
        assert rest is not None
        list(self.serializer.of_unpublished(rest, 0))
        later = NOW_MS + 30 * 86_400_000
        reading = await PostgresRiskReader(self.session).read_risks([0], later, churn.DEFAULT.version, 100_000)
        await self.ledger.band_changes([0], later, churn.DEFAULT, reading.changed)


def _key(data: bytes) -> bytes | None:
    touchpoint = decode(data, WRITERS)
    return None if isinstance(touchpoint, Rejected) else (own_key(touchpoint) or "").encode()


def on_the_ledger(pipe: Pipe, work: Callable[[Line], Awaitable[None]]) -> None:
    async def run() -> None:
        engine = async_engine(pipe.env["DATABASE_URL"], 60)
        session = Session(engine)
        try:
            ledger = PostgresLedger(session, Retry(give_up_s=60, passing=lambda _error: False), SCORES)
            [position], _ = await ledger.take_partitions(TOUCHPOINTS, [0], "test")
            await work(Line(session, ledger, position))
        finally:
            await session.close()
            await engine.dispose()

    asyncio.run(run())


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_admitted_is_stored_read_and_published(pipe: Pipe, seed: int) -> None:
    random = Random(seed)
    values = [value(random) for _ in range(4_000)]

    async def work(line: Line) -> None:
        processed = 0
        for first in range(0, len(values), SLICE):
            processed += (await line.step(values[first : first + SLICE])).processed
        assert processed > 500
        await line.read_all()

    on_the_ledger(pipe, work)
    stored = pipe.sql("SELECT processed + duplicates + quarantined + forwarded AS n FROM position")
    assert [row.n for row in stored] == [len(values)]
    for view in ("touchpoint_score", "churn_risk_now", "satisfaction_at(now())"):
        assert pipe.sql(f"SELECT * FROM {view}")


def test_waits_add_up_beyond_64_bits(pipe: Pipe) -> None:
    """Thirty million waits of ten years each: no sum may end the worker."""
    longest = Touchpoint(
        "e1", "s", NOW_MS, kind="call_ended", channel="call_centre", customer_id="c",
        wait_ms=MAX_SPAN_MS, duration_ms=MAX_SPAN_MS,
    )  # fmt: skip
    encoder = Encoder(1, schema_text(TOUCHPOINTS))

    async def work(line: Line) -> None:
        await line.step([encoder.encode(touchpoint_record(longest))])
        with pipe.engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE touchpoint_count SET wait_ms_sum = 9223372036854775807, duration_ms_sum = 9223372036854775807"
            )
        await line.step([encoder.encode(touchpoint_record(longest._replace(event_id="e2")))])

    on_the_ledger(pipe, work)
    [row] = pipe.sql("SELECT wait_ms_mean, duration_ms_mean FROM touchpoint_score")
    assert (row.wait_ms_mean, row.duration_ms_mean) == pytest.approx(((2**63 + MAX_SPAN_MS) / 2,) * 2)
