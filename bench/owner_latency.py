"""How long a touchpoint takes from its append until its owner has it, at a steady rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from bench.appended import appended
from bench.backlog import work_off
from bench.browsing_live import PROBES, BrowsingLive, Probe
from bench.exchanged import EXCHANGE_LATENCY, exchanged
from bench.flood import Flood
from bench.own import policy_file
from bench.quantiles import Histogram, quantile
from bench.rig import Rig, rig, worker
from bench.settled import settle
from bench.usage import PARTS, Usage
from pipeline.cli.output import Column
from pipeline.client.publisher import LINGER_MS

Found = dict[str, Any]

_GROUP = "bench-latency"
_POSTGRES = {"track_commit_timestamp": "on"}
_TEMPLATES = 100_000
#: A short run's templates come twice at the least, so that cookies are claimed in it.
_TEMPLATE_SHARE = 0.5
_SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
_TARGET_MS = 250


def measure(rate: float, seconds: float, warm_up: float, package: Mapping[str, str]) -> Found:
    """Return what was measured at `rate` events a second for so many seconds, after a warm-up.

    `package` are settings of the worker.
    """
    click.echo(f"latency: {rate:,.0f} events a second …", err=True)
    with rig(postgres=_POSTGRES) as own:
        stream = BrowsingLive(max(1_000, min(_TEMPLATES, int(rate * seconds * _TEMPLATE_SHARE))), own.encoder)
        flood = Flood(own.producer(linger_ms=LINGER_MS), iter(stream), rate, warm_up + seconds)
        settings = {"PIPELINE_POLICY": str(policy_file(own.folder)), "PIPELINE_GROUP": _GROUP, **package}
        with worker(own, settings=settings) as meter:
            flood.start()
            flood.watch(meter, warm_up)
            stream.probing = True
            usage, before = Usage(own, [meter]), meter.metrics()
            produced = flood.produced
            flood.watch(meter, seconds)
            taken, after, took = usage.taken(), meter.metrics(), usage.seconds
            produced, lag = flood.produced - produced, flood.produced - sum(own.accounted().values())
            flood.join()
            if flood.failure is not None:
                raise flood.failure
            work_off(own, [meter], flood.produced)
            settle(own, meter, _GROUP)
            peak = meter.peak_rss
        told = Histogram.read(EXCHANGE_LATENCY, after).since(Histogram.read(EXCHANGE_LATENCY, before))
        counts = exchanged(before)
        return {
            "rate": rate,
            "seconds": round(took, 2),
            "produced_per_s": round(produced / took, 1),
            "lag_at_end": lag,
            "cores": {part: round(taken[part] / took, 3) for part in PARTS},
            "peak_rss": peak,
            **{what: count - counts[what] for what, count in exchanged(after).items()},
            "probes": [
                {"about": probe.about, "sent": sent, **_latencies(own, probe)}
                for probe, sent in zip(PROBES, stream.probes, strict=True)
            ],
            "exchange_metric": {title: _ms(told.quantile(share)) for title, share in _SHARES.items()},
            "target_ms": _TARGET_MS,
        }


def _latencies(own: Rig, probe: Probe) -> Found:
    """Return quantiles in milliseconds: from the append to the commit with which the owner has all touchpoints."""
    begun = {
        key.removeprefix(probe.appended): at
        for key, at in appended(own.settings.kafka.bootstrap_servers, probe.appended).items()
    }
    committed = own.ledger.execute(
        "SELECT customer, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM journey "
        "WHERE starts_with(customer, %s) AND touchpoints = %s",
        [probe.owner, len(probe.touchpoints)],
    )
    ends = {customer.removeprefix(probe.owner).encode(): at for customer, at in committed}
    values = sorted(ends[number] - at for number, at in begun.items() if number in ends)
    return {
        "found": len(values),
        **{title: _ms(quantile(values, share)) for title, share in _SHARES.items()},
        "max": _ms(values[-1] if values else None),
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


COLUMNS = (
    Column("rate"),
    Column("probe"),
    *(
        Column(title, right=True)
        for title in (
            "probes", "append to the owner's commit, ms: p50", "p99", "p99.9", "max", "target p99",
            "records between partitions, by the metric: p50", "p99", "came/s", "lag at end",
            "cores: worker + broker + database", "peak MiB",
        )
    ),
)  # fmt: skip


def rows(found: Found) -> list[list[str]]:
    """Return a line for each kind of probe."""
    metric = found["exchange_metric"]
    return [
        [
            f"{found['rate']:,.0f}",
            probe["about"],
            f"{probe['found']:,}",
            *(_cell(probe[title]) for title in (*_SHARES, "max")),
            f"< {found['target_ms']}",
            *(_cell(metric[title]) for title in ("p50", "p99")),
            f"{found['produced_per_s']:,.0f}",
            f"{found['lag_at_end']:,}",
            " + ".join(f"{found['cores'][part]:.3f}" for part in PARTS),
            f"{found['peak_rss'] / 2**20:,.0f}",
        ]
        for probe in found["probes"]
    ]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"
