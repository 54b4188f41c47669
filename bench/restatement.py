"""One large change of who is who: what it takes of a worker, and how long others on its partitions wait meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click

from bench.bystanders import bystanders, partitions_of_keys, waits
from bench.exchanged import exchanged
from bench.flood import Flood
from bench.identity_cases import CASES, Case
from bench.own import policy_file
from bench.owned import judge, owned
from bench.quantiles import quantile
from bench.rig import Meter, Rig, put, rig, worker
from bench.scenarios import encoded
from bench.settled import Settling, settle, settling
from bench.topic import put_all
from bench.usage import PARTS, Usage
from pipeline.cli.output import Column
from pipeline.demo.prepare import PARTITIONS
from pipeline.errors import PipelineError
from pipeline.touchpoint import Touchpoint

Found = dict[str, Any]

_GROUP = "bench-case"
_POSTGRES = {"track_commit_timestamp": "on"}
#: How long others are measured before anything changes.
_QUIET_S = 10.0
#: No case takes longer; `Flood` wants an end.
_LONGEST_S = 24 * 3_600.0
_LOOK_EVERY_S, _ASK_EVERY_S = 0.1, 0.5
_SHARES = {"p50": 0.5, "p99": 0.99}


def measure(
    name: str,
    size: float,
    rate: float,
    limit_s: float,
    package: Mapping[str, str],
    check: Callable[[Rig], None] = lambda _: None,
) -> Found:
    """Return a case at a `size` (1: as described), with `rate` touchpoints of others a second.

    `package` are settings of the worker; `check` is called at the end, while the servers are there. Raises
    PipelineError when owners are not as they should be, or not within `limit_s` seconds.
    """
    case = CASES[name](size)
    click.echo(f"{name}: {case.about}", err=True)
    with rig(postgres=_POSTGRES) as own:
        settings = {"PIPELINE_POLICY": str(policy_file(own.folder, case.policy)), "PIPELINE_GROUP": _GROUP, **package}
        put_all(own, case.before, case.events)
        with worker(own, settings=settings) as meter, settling(own, _GROUP) as state:
            settle(own, meter, _GROUP)
            before_s, rss = time.monotonic() - meter.began_at, meter.rss
            click.echo(f"  what was before is done after {before_s:.0f} s; {rss / 2**20:,.0f} MiB", err=True)
            partitions = partitions_of_keys([*case.owners], PARTITIONS)
            others = Flood(own.producer(linger_ms=5), bystanders(own.encoder, partitions, PARTITIONS), rate, _LONGEST_S)
            others.start()
            others.watch(meter, _QUIET_S)
            meter.forget_peak()
            usage, told = Usage(own, [meter]), exchanged(meter.metrics())
            changed_at = time.time()
            samples: list[Found] = []
            _send(own, meter, case, case.change)
            _wait_owned(own, meter, others, case, state, limit_s, samples)
            done_at, taken = time.time(), usage.taken()
            peak = meter.peak_since
            others.stop()
            settle(own, meter, _GROUP, events=case.events + others.produced)
            settled_s = time.time() - changed_at
            told = {what: count - told[what] for what, count in exchanged(meter.metrics()).items()}
            peak = max(peak, meter.peak_since)
        judge({key: owned(own, key) for key in case.owners}, case.owners)
        if (done := sum(own.accounted().values())) != case.events + others.produced:
            raise PipelineError(f"Of {case.events + others.produced:,} touchpoints {done:,} are accounted for.")
        check(own)
        found = waits(own)
    seconds = done_at - changed_at
    click.echo(f"  done after {seconds:.1f} s, at most {peak / 2**20:,.0f} MiB", err=True)
    return {
        "case": name,
        "about": case.about,
        "size": size,
        "touchpoints": case.events,
        "before_s": round(before_s, 2),
        "seconds": round(seconds, 2),
        "settled_s": round(settled_s, 2),
        "rss_before": rss,
        "peak_rss": peak,
        "cpu_s": taken,
        "others_per_s": rate,
        "others": others.produced,
        "others_before": _quantiles([wait for at, wait in found if at < changed_at]),
        "others_meanwhile": _quantiles([wait for at, wait in found if changed_at <= at <= done_at]),
        **told,
        "samples": samples,
    }


def _send(own: Rig, meter: Meter, case: Case, change: Iterator[Touchpoint]) -> None:
    records = encoded(change, own.encoder)
    if case.rate is None:
        producer = own.producer(linger_ms=5)
        for record in records:
            put(producer, record)
        if left := producer.flush(60):
            raise PipelineError(f"Kafka has not taken {left:,} records within a minute.")
        return
    flood = Flood(own.producer(linger_ms=5), records, case.rate, _LONGEST_S)
    flood.start()
    while not flood.ended.wait(_LOOK_EVERY_S):
        meter.look()
    if flood.failure is not None:
        raise flood.failure


def _wait_owned(
    own: Rig, meter: Meter, others: Flood, case: Case, state: Settling, limit_s: float, samples: list[Found]
) -> None:
    """Wait until each key has its touchpoints, and none waits to be restated."""
    began = time.monotonic()
    while True:
        found = {key: owned(own, key) for key in case.owners}
        waiting = state.waiting()
        passed = time.monotonic() - began
        samples.append({"s": round(passed, 1), "rss": meter.rss, "owned": found, "waiting": waiting})
        if found == case.owners and not waiting:
            return
        if passed > limit_s:
            meter.fail(f"After {limit_s:.0f} s, touchpoints by owner are {found}, and {waiting:,} keys wait.")
        others.watch(meter, _ASK_EVERY_S)


def _quantiles(seconds: Sequence[float]) -> Found:
    """Return how many there are, and quantiles and the most in milliseconds."""
    values = sorted(seconds)
    found: Found = {"found": len(values)}
    for title, share in _SHARES.items():
        value = quantile(values, share)
        found[title] = None if value is None else round(value * 1000, 1)
    return {**found, "max": round(values[-1] * 1000, 1) if values else None}


COLUMNS = (
    Column("case"),
    *(
        Column(title, right=True)
        for title in (
            "size", "touchpoints", "seconds", "MiB before", "peak MiB", "others before, ms: p50", "p99", "max",
            "meanwhile: p50", "p99", "max", "CPU s: worker + broker + database", "records exchanged",
            "direct messages", "touchpoints transferred", "taken back",
        )
    ),
)  # fmt: skip


def rows(found: Found) -> list[list[str]]:
    """Return a case's line."""
    return [
        [
            found["case"],
            f"{found['size']:g}",
            f"{found['touchpoints']:,}",
            f"{found['seconds']:,.1f}",
            f"{found['rss_before'] / 2**20:,.0f}",
            f"{found['peak_rss'] / 2**20:,.0f}",
            *(
                "–" if found[when][title] is None else f"{found[when][title]:,.0f}"
                for when in ("others_before", "others_meanwhile")
                for title in (*_SHARES, "max")
            ),
            " + ".join(f"{found['cpu_s'][part]:.1f}" for part in PARTS),
            *(f"{found[name]:,}" for name in ("exchanged", "direct", "transferred", "withdrawn")),
        ]
    ]
