"""The worker's metrics; names that dashboards and alerts rely on."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from pipeline.contract.reject import REASONS
from pipeline.flow.values import Batch
from pipeline.identity.naming import DECLARED, VERIFIED
from pipeline.identity.segments import OVERFULL, SHARED
from pipeline.observe.health import DEPENDENCIES
from pipeline.observe.model_metrics import ModelMetrics
from pipeline.observe.weighted import WeightedHistogram
from pipeline.topics import EXCHANGE, TOUCHPOINTS
from pipeline.touchpoint import CHANNELS

_LATENCIES = (
    0.005,
    0.01,
    0.02,
    0.03,
    0.05,
    0.075,
    0.1,
    0.15,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    60,
    120,
    180,
    300,
    600,
    1800,
)
# Series of when each counter was created: one more for each, and no query uses them.
disable_created_metrics()  # type: ignore[no-untyped-call]
_DURATIONS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """All metrics of a worker, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = r = CollectorRegistry()
        self.events = Counter("pipeline_events", "Touchpoints processed, each once", ["channel"], registry=r)
        self.rejected = Counter("pipeline_rejected", "Records put into quarantine", ["reason"], registry=r)
        self.late = Counter(
            "pipeline_late", "Touchpoints that arrived after their cover and the grace", ["channel"],
            registry=r,
        )  # fmt: skip
        self.duplicates = Counter("pipeline_duplicates", "Touchpoints that had been processed before", registry=r)
        self.forwarded = Counter("pipeline_forwarded", "Records sent on with the right key", registry=r)
        self.expired = Counter(
            "pipeline_expired_records", "Offsets that had expired in the topic before they were read", registry=r
        )
        self.fenced = Counter("pipeline_fenced", "Batches refused because another worker had taken over", registry=r)
        self.journeys = Counter(
            "pipeline_journeys",
            "Journeys that opened, closed, were merged or moved",
            ["status"],
            registry=r,
        )
        self.open_journeys = Gauge("pipeline_open_journeys", "Journeys open in this worker's partitions", registry=r)
        self.batch = Histogram("pipeline_batch_seconds", "From a slice to its commit", buckets=_DURATIONS, registry=r)
        self.latency = WeightedHistogram(
            "pipeline_event_latency_seconds", "From a record's append to its commit", _LATENCIES, r
        )
        self.lag_records = Gauge("pipeline_lag_records", "Records not yet processed", ["partition"], registry=r)
        self.lag_seconds = Gauge(
            "pipeline_lag_seconds", "Age of the oldest record not yet processed", ["partition"], registry=r
        )
        self.held_back = Gauge(
            "pipeline_held_back_records", "Offsets that an open transaction of a producer holds back", ["partition"],
            registry=r,
        )  # fmt: skip
        self.next_offset = Gauge(
            "pipeline_next_offset", "First offset that is not processed yet", ["partition"], registry=r
        )
        self.exchange_lag_records = Gauge(
            "pipeline_exchange_lag_records", "Records of the exchange topic not yet processed", ["partition"],
            registry=r,
        )  # fmt: skip
        self.exchange_lag_seconds = Gauge(
            "pipeline_exchange_lag_seconds", "Age of the oldest of them", ["partition"], registry=r
        )
        self.topic_partitions = Gauge("pipeline_topic_partitions", "Partitions of touchpoints.v1", registry=r)
        self.watermark = Gauge(
            "pipeline_watermark_seconds", "Event time of the partition, Unix time", ["partition"], registry=r
        )
        self.unpublished = Gauge(
            "pipeline_unpublished_journeys", "Journeys committed and not yet confirmed by the broker", registry=r
        )
        self.unpublished_seconds = Gauge(
            "pipeline_unpublished_seconds", "Age of the oldest commit not yet confirmed by the broker; 0 if none",
            registry=r,
        )  # fmt: skip
        self.satisfaction = Gauge(
            "pipeline_satisfaction_mean", "Mean answer on 0 to 100, all workers'", ["channel"], registry=r
        )
        self.at_risk = Gauge(
            "pipeline_customers_at_risk", "Customers of this worker's partitions by band of churn risk", ["band"],
            registry=r,
        )  # fmt: skip
        self.namings = Counter(
            "pipeline_namings", "Keys that events have named together with a stronger one", ["trust"], registry=r
        )
        self.direct_messages = Counter(
            "pipeline_direct_messages", "Messages between partitions of this worker that did not go by the topic",
            registry=r,
        )  # fmt: skip
        self.transferred = Counter(
            "pipeline_transferred_touchpoints", "Touchpoints given to the holder of their key", registry=r
        )
        self.withdrawn = Counter(
            "pipeline_withdrawn_touchpoints", "Touchpoints taken back from a holder who no longer holds", registry=r
        )
        self.corrections = Counter("pipeline_corrections", "Corrections of who is who", registry=r)
        self.final = Counter(
            "pipeline_final_changes", "Changes of who is who that came too late to restate all before", registry=r
        )
        self.restatements = Gauge(
            "pipeline_waiting_restatements", "Keys whose touchpoints are still to be brought to their holder",
            registry=r,
        )  # fmt: skip
        self.shared_keys = Gauge(
            "pipeline_shared_keys", "Keys of this worker's partitions that nobody holds, since too many use them",
            ["why"], registry=r,
        )  # fmt: skip
        self.most_keys = Gauge(
            "pipeline_most_keys_of_a_customer", "Largest number of keys that one customer holds now", registry=r
        )
        self.customers_with_many_keys = Gauge(
            "pipeline_customers_with_many_keys", "Customers who hold more than 50 keys now", registry=r
        )
        self.models = ModelMetrics(r)
        self.exchange_latency = WeightedHistogram(
            "pipeline_exchange_latency_seconds",
            "From a message between partitions to its commit",
            _LATENCIES,
            r,
        )
        self.retries = Counter("pipeline_retries", "Attempts that a server did not answer", ["server"], registry=r)
        self.assigned = Gauge("pipeline_assigned_partitions", "Partitions of this worker", registry=r)
        ProcessCollector(registry=r)
        self.build = Gauge(
            "pipeline_build_info",
            "1; the labels say what runs",
            ["version", "revision", "compiled", "python"],
            registry=r,
        )
        for server in DEPENDENCIES:
            self.retries.labels(server)
        for channel in CHANNELS:
            self.events.labels(channel)
            self.late.labels(channel)
        for reason in REASONS:
            self.rejected.labels(reason)
        for trust in (VERIFIED, DECLARED):
            self.namings.labels(trust)
        for why in (SHARED, OVERFULL):
            self.shared_keys.labels(why)
        for status in ("open", "closed", "merged", "moved"):
            self.journeys.labels(status)

    def committed(self, batches: Iterable[Batch], seconds: float) -> None:
        """Count the batches of one transaction, which took `seconds`."""
        self.batch.observe(seconds)
        for batch in batches:
            self._count(batch)

    def _count(self, batch: Batch) -> None:
        for channel, n in batch.by_channel.items():
            self.events.labels(channel).inc(n)
        for channel, n in batch.late.items():
            self.late.labels(channel).inc(n)
        for refused in batch.refused:
            self.rejected.labels(refused.why.reason).inc()
        self.duplicates.inc(batch.duplicates)
        self.forwarded.inc(len(batch.forwarded))
        self.journeys.labels("open").inc(batch.opened)
        self.journeys.labels("closed").inc(batch.closed)
        self.journeys.labels("merged").inc(batch.merged)
        self.journeys.labels("moved").inc(batch.moved)
        self.open_journeys.inc(batch.open_change)
        self.corrections.inc(batch.corrections)
        self.final.inc(batch.final)
        if batch.identity is not None:
            self.transferred.inc(batch.identity.transferred)
            self.withdrawn.inc(batch.identity.withdrawn)
            for trust, n in batch.identity.by_trust.items():
                self.namings.labels(trust).inc(n)
        if batch.watermark:
            self.watermark.labels(str(batch.partition)).set(batch.watermark / 1000)

    def latencies(self, appended_ms: Iterable[int], now_ms: int, topic: str = TOUCHPOINTS) -> None:
        """Observe the latencies of records that were committed at `now_ms` (epoch ms), given their append times."""
        latency = self.exchange_latency if topic == EXCHANGE else self.latency
        for appended, times in Counts(appended_ms).items():
            latency.observe(max(0, now_ms - appended) / 1000, times)

    def forget_watermark(self, partition: int) -> None:
        """Remove the event time of a partition that is no longer assigned."""
        _remove(self.watermark, partition)

    def set_lag(
        self, topic: str, partition: int, records: int, seconds: float, held_back: int, next_offset: int | None
    ) -> None:
        """Set the lag of a topic's partition, and its position, if that is known."""
        label = str(partition)
        if topic == EXCHANGE:
            self.exchange_lag_records.labels(label).set(records)
            self.exchange_lag_seconds.labels(label).set(seconds)
            return
        self.lag_records.labels(label).set(records)
        self.lag_seconds.labels(label).set(seconds)
        self.held_back.labels(label).set(held_back)
        if next_offset is not None:
            self.next_offset.labels(label).set(next_offset)

    def forget_lag(self, topic: str, partition: int) -> None:
        """Remove the position and the lag of a topic's partition that is no longer looked at."""
        of_touchpoints = (self.lag_records, self.lag_seconds, self.held_back, self.next_offset)
        of_exchange = (self.exchange_lag_records, self.exchange_lag_seconds)
        for gauge in of_exchange if topic == EXCHANGE else of_touchpoints:
            _remove(gauge, partition)

    def set_bands(self, bands: Mapping[str, int]) -> None:
        """Set the number of customers in each band."""
        for band in ("low", "medium", "high"):
            self.at_risk.labels(band).set(bands.get(band, 0))

    def set_keys(self, shared: Mapping[str, int], most: int, many: int) -> None:
        """Set the number of shared keys by why, the most keys of a customer, and how many customers have many."""
        for why in (SHARED, OVERFULL):
            self.shared_keys.labels(why).set(shared.get(why, 0))
        self.most_keys.set(most)
        self.customers_with_many_keys.set(many)


def _remove(gauge: Gauge, partition: int) -> None:
    if (str(partition),) in dict(gauge._metrics):
        gauge.remove(str(partition))
