"""Records that come at a rate, however the worker fares."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from threading import Event, Thread

from confluent_kafka import Producer

from bench.rig import Meter, put
from bench.scenarios import Record
from pipeline.errors import PipelineError

_LOOK_EVERY_S = 0.5


class Flood(Thread):
    """Produces `rate` records a second for so many seconds, in a thread of its own; `produced` are handed over.

    It ends before if there are no more records, or by `stop`. When `ended` is set, the broker has all of them, or
    `failure` says why not.
    """

    def __init__(self, producer: Producer, records: Iterator[Record], rate: float, seconds: float) -> None:
        super().__init__(daemon=True)
        self._producer, self._records = producer, records
        self._rate, self._seconds = rate, seconds
        self._stopped = False
        self.produced = 0
        self.ended = Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Until the time is over and all is delivered."""
        try:
            self._flood()
            if left := self._producer.flush(60):
                raise PipelineError(f"Kafka has not taken {left:,} records within a minute.")
        except BaseException as error:  # said by whoever waits
            self.failure = error
        finally:
            self.ended.set()

    def stop(self) -> None:
        """Produce no more, and wait until the broker has all of them. Raises what has failed."""
        self._stopped = True
        self.join()
        if self.failure is not None:
            raise self.failure

    def watch(self, meter: Meter, seconds: float) -> None:
        """Let time pass while the worker lives. Raises what has failed."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            meter.look()
            if self.failure is not None:
                raise self.failure
            time.sleep(min(left, _LOOK_EVERY_S))

    def _flood(self) -> None:
        began = time.monotonic()
        while not self._stopped and (passed := time.monotonic() - began) < self._seconds:
            due, before = int(passed * self._rate) - self.produced, self.produced
            for record in islice(self._records, min(due, 10_000)):
                put(self._producer, record)
                self.produced += 1
            self._producer.poll(0)
            if due > 0 and self.produced == before:
                return
            if due <= 0:
                time.sleep(0.005)
