"""Measures what it takes to join keys: `python -m bench.identity --help`."""

from __future__ import annotations

import compileall
import json
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import click

import pipeline
from bench import on_off, owner_latency, restatement
from bench.command import run
from bench.compiled import compiled_option
from bench.identity_cases import CASES
from bench.report import Form, form_options, report
from pipeline.cli.output import Column

Found = dict[str, Any]


@click.command()
@click.option("--workload", "workloads", multiple=True, type=click.Choice(list(on_off.WORKLOADS)),
              help="May be given again.  [default: customers and anonymous]")  # fmt: skip
@click.option("--events", type=click.IntRange(1_000), default=1_000_000, show_default=True, help="Of a workload.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Pairs of runs of a workload.")
@click.option("--partitions", type=click.IntRange(1, 100), default=4, show_default=True, help="With workloads.")
@click.option("--runs", type=click.File("w"), metavar="FILE", help="Where each run becomes a line of JSON, at once.")
@click.option("--case", "cases", multiple=True, type=click.Choice(list(CASES)),
              help="Measure a large case instead; may be given again.")  # fmt: skip
@click.option("--size", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True,
              help="Of a case: this much of it.")  # fmt: skip
@click.option("--others", type=click.FloatRange(1), default=200, show_default=True,
              help="Touchpoints a second of other customers on the case's partitions.")  # fmt: skip
@click.option("--limit", type=click.FloatRange(1), default=1_800, show_default=True, metavar="SECONDS",
              help="How long a case's change may take.")  # fmt: skip
@click.option("--latency", is_flag=True, help="Measure latency instead.")
@click.option("--rate", type=click.FloatRange(1), default=5_000, show_default=True, help="Events a second for latency.")
@click.option("--seconds", type=click.FloatRange(1), default=60, show_default=True, help="How long it is measured.")
@click.option("--warm-up", type=click.FloatRange(0), default=10, show_default=True, metavar="SECONDS",
              help="How long it runs beforehand.")  # fmt: skip
@compiled_option
@form_options
def main(
    workloads: tuple[str, ...],
    events: int,
    rounds: int,
    partitions: int,
    runs: TextIO | None,
    cases: tuple[str, ...],
    size: float,
    others: float,
    limit: float,
    latency: bool,
    rate: float,
    seconds: float,
    warm_up: float,
    form: Form,
    package: Mapping[str, str],
) -> None:
    """Measure what it takes to join keys, on servers made for it.

    By default one worker works off a topic with identity and one with --no-identity, in turn, and events per processor
    second of the worker are compared: each run from when the worker has its partitions until everything is in the
    tables and published and nothing waits to be restated. The journeys' gap is 30 minutes for all channels. Every run's
    touchpoints must have the right owners, or it fails. Workloads: `customers` names a customer in each event, and
    nothing else; in `anonymous`, 60 % of the web's events name a cookie alone, and half of the cookies are claimed
    later in the stream, from when on the web's events name customer and cookie; in `anonymous-once` they name the
    customer alone but for the sign-in.

    --latency: the same stream as `anonymous` at a steady rate. One event in ten is a probe's, of whom nothing else
    comes: a customer; a cookie that nobody claims; a cookie that was claimed a second before, whose touchpoint counts
    when the customer has it; and a claim, which counts when the customer has what the cookie did a second before. From
    the record's append by the broker's clock to Postgres's commit timestamp.

    --case: `shared-key` is one cookie named with 100,000 customers, 5,000 a second; in `long-cookie`, a cookie with
    1,000,000 touchpoints of 25 days is claimed; in `long-journey`, one with as many in a single journey; in
    `many-keys`, a customer claims 10,000 cookies at once; in `merge`, two customers with 100,000 journeys each are
    merged. Seconds are from the change until each touchpoint has its owner. `others` come once each on the same
    partitions: from append to commit in milliseconds, for ten seconds before the change and until it is done.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped then, too
    compileall.compile_dir(Path(pipeline.__file__).parent, quiet=2)  # else each worker may compile it anew

    def keep(run: Found) -> None:
        if runs is not None:
            runs.write(json.dumps(run) + "\n")
            runs.flush()

    if cases:
        large = (restatement.measure(name, size, others, limit, package) for name in dict.fromkeys(cases))
        _report(form, large, restatement.COLUMNS, restatement.rows)
    if latency:
        waited = [owner_latency.measure(rate, seconds, warm_up, package)]
        _report(form, waited, owner_latency.COLUMNS, owner_latency.rows)
    if workloads or not (cases or latency):
        names = dict.fromkeys(workloads or ("customers", "anonymous"))
        compared = (on_off.measure(name, events, rounds, package, partitions, keep) for name in names)
        _report(form, compared, on_off.COLUMNS, on_off.rows)


def _report(
    form: Form, measured: Iterable[Found], columns: Sequence[Column], rows: Callable[[Found], list[list[str]]]
) -> None:
    found: list[Found] = []
    try:
        found.extend(measured)
    finally:  # of a run that is broken off, too
        if found:
            report(form, found, columns, [row for each in found for row in rows(each)])


if __name__ == "__main__":
    run(main, "bench.identity")
