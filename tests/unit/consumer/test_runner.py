"""Running a worker until it is told to stop, is done, or fails, without servers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from contracts.ledger import touchpoint
from worker_in_memory import slice_of

from pipeline.consumer.lag_monitor import LagMonitor
from pipeline.consumer.runner import Runner
from pipeline.consumer.slice_message import SliceMessage
from pipeline.consumer.source import FaustSource
from pipeline.errors import InvalidInput
from pipeline.flow.slices import Slice
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics
from pipeline.topics import TOUCHPOINTS, TopicPartition


class Source:
    """In place of Faust: delivers messages to the runner's handlers, and notes which of them are acknowledged."""

    def __init__(self, messages: Sequence[SliceMessage] = (), *, end: int = 1) -> None:
        self._messages, self._end = messages, end
        self.acknowledged: list[SliceMessage] = []
        self.stopped: list[bool] = []
        self.taken_back = 0
        self.is_rebalancing = False
        self._delivering: asyncio.Task[None] | None = None

    async def start(self, *, take_partitions: Any, process: Any) -> None:
        await take_partitions(lambda: {0})
        self._delivering = asyncio.create_task(self._deliver(process))

    async def _deliver(self, process: Any) -> None:
        for message in self._messages:
            if await process(message):
                self.acknowledged.append(message)

    async def stop(self, *, for_good: bool) -> None:
        self.stopped.append(for_good)
        if self._delivering is not None:
            self._delivering.cancel()

    async def wait_until_stopped(self) -> BaseException:
        await asyncio.Event().wait()
        raise AssertionError

    def assignment(self) -> set[int]:
        return {0}

    async def take_back(self) -> None:
        self.taken_back += 1

    async def ends(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self._end)

    async def update_ends(self, next_offsets: Callable[[], Mapping[TopicPartition, int]]) -> None:
        next_offsets()

    async def check_group(self) -> str | None:
        return None


class Processor:
    """In place of the worker."""

    def __init__(self, *, offset: int = 0, work: int = 0, failure: Exception | None = None) -> None:
        self.topics = (TOUCHPOINTS,)
        self.assigned = {0: SimpleNamespace(state=SimpleNamespace(next_offset_of=lambda _topic: offset))}
        self._offset, self._work, self._failure = offset, work, failure
        self.calls: list[str] = []

    async def take_partitions(self, assignment: Callable[[], set[int]]) -> dict[TopicPartition, int]:
        return {(TOUCHPOINTS, number): self._offset for number in assignment()}

    async def process(self, first: Slice, take_round: Callable[[], Sequence[Slice]]) -> bool:
        if self._failure is not None:
            raise self._failure
        return True

    async def tick(self) -> None:
        self.calls.append("tick")

    async def has_work(self) -> bool:
        self._work -= 1
        return self._work >= 0

    async def sweep(self) -> None:
        self.calls.append("sweep")

    async def close(self) -> None:
        self.calls.append("close")


def runner_of(worker: Processor, source: Source, until_idle_s: float | None = None) -> Runner:
    lag = LagMonitor(cast(Any, None), Metrics(), Health())
    return Runner(
        worker=worker,
        source=cast(FaustSource, source),
        lag=lag,
        metrics=Metrics(),
        until_idle_s=until_idle_s,
        tick_s=0.001,
    )


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await asyncio.wait_for(test(), 30)

    asyncio.run(main())


def test_it_stops_when_idle_and_nothing_is_left_to_do() -> None:
    async def test() -> None:
        worker, source = Processor(work=2), Source()
        await runner_of(worker, source, until_idle_s=0.0).run_until_stopped()
        assert worker.calls.count("tick") == 3  # twice there was work
        assert worker.calls[-2:] == ["sweep", "close"]
        assert source.stopped == [True]

    run(test)


def test_taking_partitions_is_finished_even_if_the_group_rebalances_meanwhile() -> None:
    class Slow(Processor):
        begun, may_go_on = asyncio.Event(), asyncio.Event()

        async def take_partitions(self, assignment: Callable[[], set[int]]) -> dict[TopicPartition, int]:
            self.begun.set()
            await self.may_go_on.wait()
            self.calls.append("taken")
            return await super().take_partitions(assignment)

    async def test() -> None:
        worker = Slow()
        runner = runner_of(worker, Source())
        taking = asyncio.create_task(runner.take_partitions(lambda: {0}))
        await worker.begun.wait()
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        worker.may_go_on.set()
        while not worker.calls:
            await asyncio.sleep(0.001)
        assert worker.calls == ["taken"]

    run(test)


def test_sigterm_closes_the_worker_and_leaves_the_group() -> None:
    async def test() -> None:
        worker, source = Processor(), Source()
        running = asyncio.create_task(runner_of(worker, source).run_until_stopped())
        while "tick" not in worker.calls:
            await asyncio.sleep(0.001)
        os.kill(os.getpid(), signal.SIGTERM)
        await running
        assert worker.calls[-1] == "close"
        assert source.stopped == [True]

    run(test)


def test_a_slice_that_is_processed_is_acknowledged() -> None:
    async def test() -> None:
        message = SliceMessage(slice_of(0, 0, [touchpoint("a")]))
        source = Source([message])
        await runner_of(Processor(), source, until_idle_s=0.05).run_until_stopped()
        assert source.acknowledged == [message]

    run(test)


def test_a_failure_of_processing_ends_the_worker_without_acknowledging_and_without_leaving_the_group() -> None:
    async def test() -> None:
        worker = Processor(failure=RuntimeError("broken"))
        source = Source([SliceMessage(slice_of(0, n, [touchpoint("a")])) for n in range(2)])
        with pytest.raises(RuntimeError, match="broken"):
            await runner_of(worker, source).run_until_stopped()
        assert source.acknowledged == []
        assert source.stopped == [False]
        assert "close" not in worker.calls

    run(test)


def test_a_failure_of_taking_partitions_ends_the_worker_without_leaving_the_group() -> None:
    class Failing(Processor):
        async def take_partitions(self, assignment: Callable[[], set[int]]) -> dict[int, int]:
            raise RuntimeError("not taken")

    async def test() -> None:
        worker, source = Failing(), Source([SliceMessage(slice_of(0, 0, [touchpoint("a")]))])
        with pytest.raises(RuntimeError, match="not taken"):
            await runner_of(worker, source).run_until_stopped()
        assert source.acknowledged == []
        assert source.stopped == [False]
        assert "close" not in worker.calls

    run(test)


def test_a_position_beyond_the_topics_end_is_refused() -> None:
    async def test() -> None:
        worker, source = Processor(offset=7), Source(end=5)
        with pytest.raises(InvalidInput, match=r"offset 7 of touchpoints\.v1/0, and the topic ends at 5"):
            await runner_of(worker, source).run_until_stopped()
        assert source.stopped == [False]

    run(test)


def test_a_failing_tick_ends_the_worker() -> None:
    class Failing(Processor):
        async def tick(self) -> None:
            raise RuntimeError("no tick")

    async def test() -> None:
        with pytest.raises(RuntimeError, match="no tick"):
            await runner_of(Failing(), Source()).run_until_stopped()

    run(test)


def test_partitions_that_another_worker_took_late_are_taken_back_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.consumer.runner._PATIENCE_S", 0.0)

    async def test() -> None:
        worker, source = Processor(), Source()
        worker.assigned.clear()
        running = asyncio.create_task(runner_of(worker, source).run_until_stopped())
        while not source.taken_back:
            await asyncio.sleep(0.001)
        os.kill(os.getpid(), signal.SIGTERM)
        await running

    run(test)
