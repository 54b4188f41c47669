"""`pipeline audit`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
import orjson

from pipeline import settings
from pipeline.cli.age import AgeType
from pipeline.cli.formatting import moment
from pipeline.cli.output import Cell, Column, print_json, print_table
from pipeline.cli.progress import progress

if TYPE_CHECKING:
    from pipeline.audit.audit import Difference, Outcome

TABLES = (
    Column("table"),
    Column("rows", right=True),
    Column("left out", right=True),
    Column("differences", right=True),
)
DIFFERENCES = (
    Column("table"), Column("key", folds=True), Column("column"), Column("expected", folds=True),
    Column("found", folds=True),
)  # fmt: skip


@click.command()
@click.option(
    "--limit", type=click.IntRange(0), default=20, show_default=True, help="Maximum number of differences shown."
)
@click.option(
    "--diffs",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all differences to this file, as JSON Lines.",
)
@click.option(
    "--memory",
    type=click.IntRange(128),
    default=512,
    show_default=True,
    help="Memory for the rebuild, in MB; the rest goes to disk.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option(
    "--every",
    type=AgeType(),
    help="Go on, and audit at this interval, such as 30m, 6h or 1d; results go to the log and to metrics on "
    "PIPELINE_METRICS_ADDRESS.",
)
def audit(limit: int, diffs: Path | None, memory: int, as_json: bool, every: timedelta | None) -> None:
    """Rebuild journeys and scores from the topic, apart from the live path, and compare them with the tables.

    Workers may go on meanwhile: positions and tables are read as of one moment, and the topic up to these positions.
    What is expected is what the topic says, what is found is what the tables hold. Exits with 0 when there is no
    difference, 1 when there are some, 2 when topic and tables can't be compared.

    Takes room for a copy of tables and topic in the folder for temporary files (TMPDIR), and removes it at the end.
    """
    from pipeline.audit.audit import differences
    from pipeline.audit.workspace import workspace

    if every is not None:
        _run_every(every, memory)
        return
    with _ended_by_sigterm(), workspace(memory) as space:
        outcome = _run(space)
        if diffs is not None:
            _write(diffs, differences(space))
        shown = list(differences(space, limit))
    if as_json:
        print_json({**outcome._asdict(), "differing": outcome.differences, "differences": shown})
    else:
        show(outcome, shown)
    for number, since in outcome.expired.items():
        click.echo(
            f"The topic no longer holds the beginning of partition {number}: of it, journeys that begin after "
            f"{moment(since)} UTC and customers who came after that were compared, and sums must not be too small.",
            err=True,
        )
    if outcome.differences:
        click.get_current_context().exit(1)


def _run_every(every: timedelta, memory: int) -> None:
    from pipeline.audit.workspace import workspace
    from pipeline.cli import scheduled_audit

    def once() -> Outcome:
        with workspace(memory) as space:
            return _run(space)

    with _ended_by_sigterm():
        scheduled_audit.run(once, every.total_seconds(), settings.load())


def show(outcome: Outcome, differences: list[Difference]) -> None:
    """Print an outcome for people."""
    print_table(
        TABLES,
        [
            [
                table.table,
                f"{table.rows:,}",
                f"{table.left_out:,}",
                Cell(f"{table.differences:,}", "red" if table.differences else "green"),
            ]
            for table in outcome.tables
        ],
    )
    click.echo(f"\n{outcome.records:,} records up to the positions of {moment(outcome.taken_at)} UTC.")
    if outcome.overdue:
        click.echo(f"{outcome.overdue:,} open journeys are due to be closed; a running worker does so within a second.")
    if not outcome.differences:
        click.echo("No differences.")
        return
    if differences:
        click.echo()
        print_table(
            DIFFERENCES,
            [[d.table, _key(d.key), d.column, _value(d.expected), _value(d.found)] for d in differences],
        )
    if outcome.differences > len(differences):
        click.echo(f"\n{len(differences):,} of {outcome.differences:,} differences; --diffs FILE writes all of them.")


def _run(space: Any) -> Outcome:
    import psycopg

    from pipeline.audit import reference, snapshot
    from pipeline.audit.audit import audit as compare_all
    from pipeline.audit.topic import Topic
    from pipeline.connections.database import unavailable
    from pipeline.contract.registry import Registry
    from pipeline.queries.connection import reading

    config = settings.load()
    known = reference.read(config.policy_file)
    try:
        with (
            reading(config.database_url) as connection,
            progress("Reading the tables", len(snapshot.EXPORTS)) as done,
        ):
            cut = snapshot.take(connection, space.folder, done)
    except psycopg.Error as error:
        raise unavailable(config.database_url, error) from None
    topic = Topic(config.kafka)
    try:
        return compare_all(space, cut, topic, Registry(config.registry), known, progress)
    finally:
        topic.close()


def _write(file: Path, differences: Any) -> None:
    try:
        with file.open("wb") as lines:
            for difference in differences:
                lines.write(orjson.dumps(difference._asdict(), option=orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise click.FileError(str(file), error.strerror or str(error)) from None


def _key(key: dict[str, Any]) -> str:
    """customer:1 2026-05-01T…, or partition 3 offset 17."""
    return " ".join(
        str(value) if name == "customer" or name.endswith("_at") else f"{name} {value}" for name, value in key.items()
    )


def _value(text: str | None) -> str:
    return "null" if text is None else text


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM end the command as Ctrl-C does, so that temporary files go."""
    ended = False

    def end(_signal: int, _frame: object) -> NoReturn:
        nonlocal ended
        ended = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        if ended:
            sys.exit(128 + signal.SIGTERM)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
