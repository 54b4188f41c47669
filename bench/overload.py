"""What a worker takes when what comes is not ordinary: `python -m bench.overload --help`."""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import Any

import click

from bench.backlog import work_off
from bench.command import run
from bench.flood import Flood
from bench.rig import Rig, rig, worker
from bench.scenarios import SCENARIOS, encoded, endless
from pipeline.cli.output import Column, print_table
from pipeline.scores.registry import SCORES
from pipeline.topics import JOURNEYS, TOUCHPOINTS

TENFOLD, LIVE = "tenfold", "live"
#: Touchpoints a second of `live`.
_LIVE_RATE = 500
_ACCOUNTED = "processed + duplicates + quarantined"


@click.command()
@click.argument("names", nargs=-1, type=click.Choice((*SCENARIOS, TENFOLD, LIVE)))
@click.option("--events", type=click.IntRange(100), default=1_000_000, show_default=True, help="In each scenario.")
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), default=5, show_default=True, help="Of tenfold and live."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a scenario, with each second of tenfold.")
def main(names: tuple[str, ...], events: int, minutes: float, as_json: bool) -> None:
    """Run scenarios (by default all), each with one worker on servers of its own, and compare them with `ordinary`.

    The records wait in the topic before the worker begins; `tenfold` puts them there while it runs, at ten times the
    rate of `ordinary`, and `live` 500 a second, which a worker keeps up with.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped then, too
    chosen = names or (*SCENARIOS, TENFOLD)
    found: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(("ordinary", *chosen)):
        click.echo(f"{name} …", err=True)
        with rig() as own:
            if name in (TENFOLD, LIVE):
                rate = _LIVE_RATE if name == LIVE else found["ordinary"]["events_per_s"] * 10
                found[name] = flood(own, events, rate, minutes * 60)
            else:
                found[name] = backlog(own, name, events)
        if as_json:
            click.echo(json.dumps({"scenario": name, **found[name]}))
    if not as_json:
        _show(found)


def backlog(own: Rig, name: str, events: int) -> dict[str, Any]:
    """Return a worker works off what waits."""
    own.produce(encoded(SCENARIOS[name](events), own.encoder))
    wal = own.wal_bytes()
    with worker(own) as meter:
        began = time.monotonic()
        work_off(own, [meter], events)
        seconds = time.monotonic() - began
        return {
            "events": events,
            "seconds": round(seconds, 2),
            "events_per_s": round(events / seconds),
            "cpu_s": round(meter.cpu_s, 2),
            "peak_rss": meter.peak_rss,
            **_sizes(own, wal),
            **own.accounted(),
        }


def flood(own: Rig, templates: int, rate: float, seconds: float) -> dict[str, Any]:
    """While a worker runs, records come at `rate` a second for so many seconds; then it works off what waits."""
    flooding = Flood(own.producer(), endless(min(templates, 100_000), own.encoder), rate, seconds)
    wal = own.wal_bytes()
    with worker(own) as meter:
        began = time.monotonic()
        flooding.start()
        samples: list[dict[str, Any]] = []

        def sample() -> None:
            samples.append({"s": round(time.monotonic() - began, 1), "rss": meter.rss, "lag": meter.lag()})

        while not flooding.ended.wait(1.0):
            meter.look()
            sample()
        if flooding.failure is not None:
            raise flooding.failure
        produced_s = time.monotonic() - began
        lag = flooding.produced - sum(own.accounted().values())
        work_off(own, [meter], flooding.produced, sample)
        done_s = time.monotonic() - began
        return {
            "events": flooding.produced,
            "seconds": round(done_s, 2),
            "events_per_s": round(flooding.produced / done_s),
            "cpu_s": round(meter.cpu_s, 2),
            "peak_rss": meter.peak_rss,
            **_sizes(own, wal),
            **own.accounted(),
            "asked_per_s": round(rate),
            "produced_per_s": round(flooding.produced / produced_s),
            "produced_for_s": round(produced_s, 1),
            "lag_at_end": lag,
            "drained_in_s": round(done_s - produced_s, 1),
            "samples": samples,
        }


def _show(found: dict[str, dict[str, Any]]) -> None:
    base = found["ordinary"]["events_per_s"]
    rows = [
        (
            name,
            f"{r['events']:,}",
            f"{r['events_per_s']:,}",
            f"{r['events_per_s'] / base:.2f}",
            f"{r['cpu_s'] / r['events'] * 1e6:.0f}",
            f"{r['peak_rss'] / 2**20:,.0f}",
            *(_mebibytes(r.get(what)) for what in ("database", "wal", "topics", "results")),
            f"{r['processed']:,} + {r['duplicates']:,} + {r['quarantined']:,}",
        )
        for name, r in found.items()
    ]
    titles = (
        "events",
        "a second",
        "× ordinary",
        "CPU µs each",
        "peak MiB",
        "database MiB",
        "WAL MiB",
        "touchpoints MiB",
        "results MiB",
    )
    columns = (Column("scenario"), *(Column(title, right=True) for title in titles), Column(_ACCOUNTED))
    print_table(columns, rows)
    if (r := found.get(TENFOLD)) is not None:
        click.echo(
            f"tenfold: {r['asked_per_s']:,} a second were asked for, {r['produced_per_s']:,} produced for "
            f"{r['produced_for_s']:,} s; {r['lag_at_end']:,} records waited then, and were worked off in "
            f"{r['drained_in_s']:,} s."
        )


def _sizes(own: Rig, wal: int) -> dict[str, int]:
    """Return what is on the disks, and what WAL was written since it was `wal`; bytes."""
    return {
        "database": own.database_bytes(),
        "wal": own.wal_bytes() - wal,
        "topics": own.topic_bytes(TOUCHPOINTS),
        "results": own.topic_bytes(JOURNEYS) + sum(own.topic_bytes(score.topic) for score in SCORES),
    }


def _mebibytes(size: int | None) -> str:
    return "" if size is None else f"{size / 2**20:,.0f}"


if __name__ == "__main__":
    run(main, "bench.overload")
