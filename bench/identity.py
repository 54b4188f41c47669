"""What it takes to join keys: `python -m bench.identity --help`."""

from __future__ import annotations

import compileall
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import click

import pipeline
from bench import on_off
from bench.compiled import compiled_option
from bench.report import Form, form_options, report
from pipeline.errors import PipelineError

Found = dict[str, Any]


@click.command()
@click.option("--workload", "workloads", multiple=True, type=click.Choice(list(on_off.WORKLOADS)),
              help="May be given again.  [default: customers and anonymous]")  # fmt: skip
@click.option("--events", type=click.IntRange(1_000), default=1_000_000, show_default=True, help="Of a workload.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Pairs of runs of a workload.")
@click.option("--partitions", type=click.IntRange(1, 100), default=4, show_default=True, help="With workloads.")
@click.option("--runs", type=click.File("w"), metavar="FILE", help="Where each run becomes a line of JSON, at once.")
@compiled_option
@form_options
def main(
    workloads: tuple[str, ...],
    events: int,
    rounds: int,
    partitions: int,
    runs: TextIO | None,
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

    found = []
    try:
        for name in dict.fromkeys(workloads or ("customers", "anonymous")):
            found.append(on_off.measure(name, events, rounds, package, partitions, keep))
    finally:  # of a run that is broken off, too
        if found:
            report(form, found, on_off.COLUMNS, map(on_off.row, found))


if __name__ == "__main__":
    try:
        main(prog_name="python -m bench.identity")
    except PipelineError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
