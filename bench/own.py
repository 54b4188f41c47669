"""One run of the pipeline itself over the topic, on empty tables and in a consumer group of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition

from bench import compiled
from bench.processes import ended_children
from bench.result import Measured
from bench.rig import Meter, Rig, worker
from bench.sessions import found, of_journeys
from pipeline.connections.database import sync_engine
from pipeline.errors import PipelineError
from pipeline.ledger.migrate import migrate
from pipeline.topics import TOUCHPOINTS

#: The peers' job: one gap for all channels and kinds.
POLICY = 'gap = "30m"\ngrace = "20m"\n'
#: A worker that handles nothing for so long is stuck.
_PATIENCE_S = 120.0
_RUNS = count(1)


@dataclass(frozen=True)
class Own:
    """The pipeline, with further `arguments` for its worker, which may be the compiled one."""

    arguments: tuple[str, ...] = ()
    is_compiled: bool = False

    def package(self) -> Mapping[str, str]:
        """Return the settings by which a worker is this one. Raises NotBuilt."""
        return compiled.settings() if self.is_compiled else {}

    def run(self, rig: Rig, events: int, package: Mapping[str, str]) -> Measured:
        """Process the topic. Raises PipelineError if it does not, or not each record once."""
        group = f"bench-{next(_RUNS)}"
        settings = {"PIPELINE_POLICY": str(policy_file(rig.folder)), "PIPELINE_GROUP": group, **package}
        with ended_children() as whole, worker(rig, group, arguments=self.arguments, settings=settings) as meter:
            _work_off(meter, events, lambda: sum(rig.accounted().values()))
            _wait_published(rig, meter, f"{group}.published")
            seconds = time.monotonic() - meter.began_at
            meter.look()
        if rig.accounted() != {"processed": events, "duplicates": 0, "quarantined": 0}:
            raise PipelineError(f"Not each of {events:,} records was processed once: {rig.accounted()}.")
        return Measured(
            version="",
            events=events,
            seconds=seconds,
            cpu_s=whole.cpu_s,
            cpu_s_from_first=whole.cpu_s - meter.startup_cpu_s,
            peak_rss=meter.peak_rss,
            found=lambda: found(of_journeys(rig.ledger)),
        )


def empty(rig: Rig) -> None:
    """Tables as `pipeline init` makes them, and nothing left for the database to write."""
    rig.ledger.execute("DROP SCHEMA public CASCADE")
    rig.ledger.execute("CREATE SCHEMA public")
    engine = sync_engine(rig.settings.database_url)
    try:
        migrate(engine)
    finally:
        engine.dispose()
    rig.ledger.execute("CHECKPOINT")


def policy_file(folder: Path, text: str = POLICY) -> Path:
    """Write a policy, and return where it is."""
    file = folder / "policy.toml"
    file.write_text(text)
    return file


def _work_off(meter: Meter, events: int, handled: Callable[[], int]) -> None:
    """Wait until all records are accounted for; looks seldom while much is left, since each look costs something."""
    done, moved_at = 0, time.monotonic()
    while done < events:
        time.sleep(0.5 if done < events * 0.9 and events > 100_000 else 0.05)
        meter.look()
        before, done = done, handled()
        if done != before:
            moved_at = time.monotonic()
        elif time.monotonic() - moved_at > _PATIENCE_S:
            meter.fail(f"Of {events:,} records {done:,} are handled, and none for {_PATIENCE_S:.0f} s.")


def _wait_published(rig: Rig, meter: Meter, group: str) -> None:
    """Wait until the topics have what the tables have: each of the worker's Kafka transactions commits in `group` how
    far it goes."""
    wanted = dict(rig.ledger.execute("SELECT partition, next_offset FROM position").fetchall())
    places = [TopicPartition(TOUCHPOINTS, number) for number, offset in wanted.items() if offset]
    consumer = Consumer({"bootstrap.servers": rig.settings.kafka.bootstrap_servers, "group.id": group, "log_level": 0})
    end = time.monotonic() + _PATIENCE_S
    try:
        while True:
            with suppress(KafkaException):
                if all(place.offset >= wanted[place.partition] for place in consumer.committed(places, timeout=5)):
                    return
            meter.look()
            if time.monotonic() > end:
                meter.fail(f"What was committed is not published after {_PATIENCE_S:.0f} s.")
            time.sleep(0.02)
    finally:
        consumer.close()
