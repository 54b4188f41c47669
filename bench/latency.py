"""How long a record takes from its append to the tables and to journeys.v1: `python -m bench.latency --help`."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from bench.appended import appended
from bench.backlog import work_off
from bench.command import run
from bench.compiled import compiled_option
from bench.flood import Flood
from bench.live import Stream
from bench.quantiles import Histogram, quantile
from bench.report import Form, form_options, report
from bench.revisions import Watch, watching
from bench.rig import Meter, Rig, rig, worker
from bench.usage import PARTS, Usage
from pipeline.cli.output import Column
from pipeline.client.publisher import LINGER_MS

_METRIC = "pipeline_event_latency_seconds"
_SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
_TOLD = ("p50", "p99")
_TEMPLATES = 100_000
_PUBLISHED_WITHIN_S = 30.0
_POSTGRES = {"track_commit_timestamp": "on", "track_wal_io_timing": "on"}
_QUICK = {"rates": [500.0], "seconds": 4.0, "warm_up": 1.0, "templates": 2_000}

Found = dict[str, Any]


class _Rates(click.ParamType):
    name = "RATE,…"

    def convert(self, value: Any, param: Any, ctx: Any) -> list[float]:
        try:
            rates = [float(part) for part in value.split(",")] if isinstance(value, str) else value
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers such as 1000,5000", param, ctx)
        if any(not 0 <= rate <= 1_000_000 for rate in rates):
            self.fail("a rate is between 0 and 1,000,000 events a second", param, ctx)
        return list(rates)


@click.command()
@click.option("--rates", type=_Rates(), default="0,100,1000,5000,20000", show_default=True, help="Events a second.")
@click.option("--seconds", type=click.FloatRange(1), default=60, show_default=True, help="How long each is measured.")
@click.option("--warm-up", type=click.FloatRange(0), default=10, show_default=True, metavar="SECONDS",
              help="How long each runs beforehand.")  # fmt: skip
@click.option("--pause", type=click.FloatRange(0), default=0, show_default=True, metavar="SECONDS",
              help="Between two touchpoints of a journey, typically; 0 leaves them as close as simulated.")  # fmt: skip
@click.option("--quick", is_flag=True, help="A few seconds: whether it works, not what it takes.")
@compiled_option
@form_options
def main(
    rates: list[float],
    seconds: float,
    warm_up: float,
    pause: float,
    quick: bool,
    form: Form,
    package: Mapping[str, str],
) -> None:
    """Measure latency and load at steady rates, one worker for each on servers of its own.

    Simulated touchpoints come in their order, and happen as they come. One in ten is of a customer who comes only
    once: of these it is known when the record was appended, when its journey was committed, when the journey's first
    revision was appended to journeys.v1, and when a consumer that reads what is committed had it in hand.

    They are produced as `pipeline publish` does, in batches of 30 milliseconds.

    Appends are the timestamps that the broker gave the records (both topics keep the time of append, in whole
    milliseconds); that of a revision lies before the end of the Kafka transaction that it is in. The commit is
    Postgres's commit timestamp, which is taken just before the commit is flushed; `flush ms` is how long a flush took
    in the mean. In hand is the consumer's clock.

    `metric` is what pipeline_event_latency_seconds says of all events in that time, as histogram_quantile reads it. It
    agrees if it is no further from what was measured than the histogram's bucket there is wide.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped then, too
    number = _TEMPLATES
    if quick:
        rates, seconds, warm_up, number = _QUICK["rates"], _QUICK["seconds"], _QUICK["warm_up"], _QUICK["templates"]
    found = []
    try:
        for rate in rates:
            click.echo(f"{rate:,.0f} events a second …", err=True)
            began = time.monotonic()
            with rig(postgres=_POSTGRES) as own:
                found.append(measure(own, rate, seconds, warm_up, number, pause, package))
            click.echo(f"  done after {time.monotonic() - began:.0f} s", err=True)
    finally:  # of a run that is broken off, too
        if found:
            report(form, found, COLUMNS, map(row, found))


def measure(
    own: Rig,
    rate: float,
    seconds: float,
    warm_up: float,
    number: int,
    pause: float,
    package: Mapping[str, str],
) -> Found:
    """Return one rate; `number` is how many simulated touchpoints are made, and used again.

    `pause` is how many seconds pass between two touchpoints of a journey, typically; 0 leaves them together. `package`
    are settings of the worker.
    """
    stream = Stream(number, own.encoder, rate * pause)
    flood = Flood(own.producer(linger_ms=LINGER_MS), iter(stream), rate, warm_up + seconds)
    with worker(own, settings=package) as meter, watching(own.settings.kafka.bootstrap_servers, stream.probe) as watch:
        flood.start()
        flood.watch(meter, warm_up)
        stream.probing = True
        usage, before = Usage(own, [meter]), _state(own, meter, flood)
        flood.watch(meter, seconds)
        taken, after, took = usage.taken(), _state(own, meter, flood), usage.seconds
        flood.join()
        if flood.failure is not None:
            raise flood.failure
        work_off(own, [meter], flood.produced)
        revisions = _all_seen(watch, stream.probes)
        peak = meter.peak_rss
    flushes = after["flushes"] - before["flushes"]
    found = {
        "rate": rate,
        "seconds": round(took, 2),
        "produced_per_s": round((after["produced"] - before["produced"]) / took, 1),
        "committed_per_s": round((after["accounted"] - before["accounted"]) / took, 1),
        "lag_at_end": after["produced"] - after["accounted"],
        "probes": stream.probes,
        "cores": {part: round(taken[part] / took, 3) for part in PARTS},
        "commits_per_s": round((after["commits"] - before["commits"]) / took, 1),
        "flush_ms": round((after["flush_ms"] - before["flush_ms"]) / flushes, 3) if flushes else None,
        "peak_rss": peak,
    }
    return found | _latencies(own, stream, revisions, after["told"].since(before["told"]))


def _latencies(own: Rig, stream: Stream, revisions: Mapping[bytes, tuple[float, float]], told: Histogram) -> Found:
    begun = appended(own.settings.kafka.bootstrap_servers, stream.probe) if stream.probes else {}
    committed = _committed(own, stream.probe)
    ends = {
        "commit": committed,
        "revision_append": {key: at for key, (at, _) in revisions.items()},
        "revision_in_hand": {key: at for key, (_, at) in revisions.items()},
    }
    measured: Found = {}
    for name, end in ends.items():
        values = sorted(end[key] - at for key, at in begun.items() if key in end)
        measured[name] = {
            "found": len(values),
            **{title: _ms(quantile(values, share)) for title, share in _SHARES.items()},
            "max": _ms(values[-1] if values else None),
        }
    metric: Found = {"found": round(told.count)}
    for title in _TOLD:
        outside = measured["commit"][title]
        metric[title] = _ms(told.quantile(_SHARES[title]))
        metric[f"{title}_agrees"] = None if outside is None else told.agrees(_SHARES[title], outside / 1000)
    return {**measured, "metric": metric}


def _state(own: Rig, meter: Meter, flood: Flood) -> Found:
    """Counters of the worker, the database and the producer."""
    [commits] = own.ledger.execute("SELECT coalesce(sum(commits), 0)::bigint FROM position").fetchone() or (0,)
    flushes, flush_ms = own.ledger.execute(
        "SELECT sum(fsyncs)::bigint, sum(fsync_time) FROM pg_stat_io WHERE object = 'wal'"
    ).fetchone() or (0, 0.0)
    return {
        "told": Histogram.read(_METRIC, meter.metrics()),
        "produced": flood.produced,
        "accounted": sum(own.accounted().values()),
        "commits": commits,
        "flushes": flushes,
        "flush_ms": flush_ms,
    }


def _all_seen(watch: Watch, probes: int) -> Mapping[bytes, tuple[float, float]]:
    """Wait until all probes' journeys are published; those that are not are missing in what is found."""
    end = time.monotonic() + _PUBLISHED_WITHIN_S
    while watch.count < probes and time.monotonic() < end:
        time.sleep(0.05)
    return watch.seen()


def _committed(own: Rig, prefix: bytes) -> dict[bytes, float]:
    """Customer → epoch seconds of the commit of their journey's first revision."""
    found = own.ledger.execute(
        "SELECT customer, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM journey "
        "WHERE revision = 1 AND starts_with(customer, %s)",
        [prefix.decode()],
    )
    return {customer.encode(): at for customer, at in found}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


COLUMNS = (
    Column("rate"),
    *(
        Column(title, right=True)
        for title in (
            "came/s", "committed/s", "lag at end",
            "commit ms: p50", "p99", "p99.9", "max", "metric: p50", "p99", "agree",
            "append on journeys.v1 ms: p50", "p99", "p99.9", "max", "in hand ms: p50", "p99", "p99.9", "max",
            "cores: worker + broker + database", "commits/s", "flush ms", "peak MiB",
        )
    ),
)  # fmt: skip


def row(found: Found) -> list[str]:
    """Return a rate's line."""
    metric = found["metric"]
    agree = [metric[f"{title}_agrees"] for title in _TOLD]
    return [
        f"{found['rate']:,.0f}",
        f"{found['produced_per_s']:,.0f}",
        f"{found['committed_per_s']:,.0f}",
        f"{found['lag_at_end']:,}",
        *_cells(found["commit"], (*_SHARES, "max")),
        *_cells(metric, _TOLD),
        "–" if None in agree else "yes" if all(agree) else "no",
        *_cells(found["revision_append"], (*_SHARES, "max")),
        *_cells(found["revision_in_hand"], (*_SHARES, "max")),
        " + ".join(f"{found['cores'][part]:.3f}" for part in PARTS),
        f"{found['commits_per_s']:,.1f}",
        "–" if found["flush_ms"] is None else f"{found['flush_ms']:.2f}",
        f"{found['peak_rss'] / 2**20:,.0f}",
    ]


def _cells(values: Found, names: Sequence[str]) -> list[str]:
    return ["–" if values[name] is None else f"{values[name]:,.0f}" for name in names]


if __name__ == "__main__":
    run(main, "bench.latency")
