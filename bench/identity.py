"""What it takes to join keys: `python -m bench.identity --help`."""

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
from bench import on_off, restatement
from bench.compiled import compiled_option
from bench.identity_cases import CASES
from bench.report import Form, form_options, report
from pipeline.cli.output import Column
from pipeline.errors import PipelineError

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
    form: Form,
    package: Mapping[str, str],
) -> None:
    """Measure workers that join keys beside workers with --no-identity, on servers made for it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped then, too
    compileall.compile_dir(Path(pipeline.__file__).parent, quiet=2)  # else each worker may compile it anew

    def keep(run: Found) -> None:
        if runs is not None:
            runs.write(json.dumps(run) + "\n")
            runs.flush()

    if cases:
        chosen = dict.fromkeys(cases)
        found = (restatement.measure(name, size, others, limit, package) for name in chosen)
        _report(form, found, restatement.COLUMNS, restatement.row)
    if workloads or not cases:
        chosen = dict.fromkeys(workloads or ("customers", "anonymous"))
        found = (on_off.measure(name, events, rounds, package, partitions, keep) for name in chosen)
        _report(form, found, on_off.COLUMNS, on_off.row)


def _report(
    form: Form, measured: Iterable[Found], columns: Sequence[Column], row: Callable[[Found], list[str]]
) -> None:
    found: list[Found] = []
    try:
        found.extend(measured)
    finally:  # of a run that is broken off, too
        if found:
            report(form, found, columns, map(row, found))


if __name__ == "__main__":
    try:
        main(prog_name="python -m bench.identity")
    except PipelineError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
