"""Whatever is admitted can be stored, read back and published: through the real ledger, with the fuzzer's inputs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest
from fuzz.records import MODELS, WRITERS, Record, value
from fuzz.touchpoints import NOW_MS
from harness import Pipe
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline import catalogue
from pipeline.contract.decode import decode
from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.reject import Rejected
from pipeline.contract.schema import schema_text
from pipeline.contract.validate import MAX_SPAN_MS
from pipeline.flow.admit import Door
from pipeline.flow.advance import advance, wanted
from pipeline.flow.state import Partition, forget
from pipeline.flow.values import Batch, Work
from pipeline.journey import policy
from pipeline.ledger import customers, outbox, positions, sweep
from pipeline.ledger.commit import Entry, commit
from pipeline.ledger.database import async_engine
from pipeline.ledger.positions import Claim
from pipeline.ledger.session import Session
from pipeline.stream.records import Records, dead_letters, forwards
from pipeline.topics import CHURN_RISK, JOURNEYS, SATISFACTION, TOUCHPOINTS
from pipeline.touchpoint import Touchpoint, customer_key

SLICE = 100


class Line:
    """A worker's steps on one partition, without Kafka."""

    def __init__(self, session: Session, claim: Claim) -> None:
        self.session, self.claim = session, claim
        self.policy = policy.read(None)
        self.door = Door(catalogue.load(), self.policy, 1)
        self.state = Partition(0, 0, 0)
        topics = (JOURNEYS, SATISFACTION, CHURN_RISK)
        self.records = Records(dict.fromkeys(topics, 1))

    async def step(self, values: list[bytes]) -> Batch:
        """A slice, committed and encoded for its topics."""
        first = self.state.next_offset
        records = [Record(first + n, _key(value), value) for n, value in enumerate(values)]
        [admission] = self.door.admit([Work(0, records, first + len(records))], WRITERS, NOW_MS)
        missing = wanted(self.state, admission, {})
        self.state.customers.update(await self.session.run(lambda c: customers.load(c, missing)))
        batch = advance(self.state, admission, now_ms=NOW_MS, grace_ms=self.policy.grace_ms, models=MODELS)
        forget([self.state], 50)  # far fewer customers than there are, so that most come back from the ledger
        [self.claim] = await self.session.run(lambda c: commit(c, [Entry(self.claim, batch, 0)]))
        self._publish(batch.journeys, batch.satisfaction, batch.churn)
        list(dead_letters(batch.refused, 0))
        list(forwards(batch.forwarded))
        return batch

    async def read_all(self) -> None:
        """What a worker reads after a restart and while it sweeps."""
        rest = await self.session.run(lambda c: outbox.unpublished(c, self.claim, 0))
        assert rest is not None
        self._publish(rest.journeys, rest.satisfaction, rest.churn)
        later = NOW_MS + 30 * 86_400_000
        names = await self.session.run(lambda c: sweep.candidates(c, [0], later, 100_000))
        await self.session.run(lambda c: sweep.slipped(c, [0], later, MODELS.churn, names))
        await self.session.run(sweep.satisfaction_means)

    def _publish(self, journeys: Any, satisfaction: Any, churn: Any) -> None:
        list(self.records.journeys(journeys))
        list(self.records.satisfaction(satisfaction))
        list(self.records.churn(churn))


def _key(data: bytes) -> bytes | None:
    found = decode(data, WRITERS)
    return None if isinstance(found, Rejected) else (customer_key(found) or "").encode()


def on_the_ledger(pipe: Pipe, work: Callable[[Line], Awaitable[None]]) -> None:
    async def run() -> None:
        engine = async_engine(pipe.env["DATABASE_URL"], 60)
        session = Session(engine)
        try:

            async def take(connection: AsyncConnection) -> Claim:
                claims, _ = await positions.take(connection, TOUCHPOINTS, [0], "test")
                return claims[0]

            await work(Line(session, await session.run(take)))
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
