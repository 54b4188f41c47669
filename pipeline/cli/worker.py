"""`pipeline worker`: run one stream worker."""

from __future__ import annotations

import signal
import sys

import click
import structlog
import uvloop

from pipeline import settings as environment
from pipeline.consumer.app import MAX_RECORDS
from pipeline.errors import PipelineError
from pipeline.observe import logs
from pipeline.processing.limits import Limits
from pipeline.wiring import Options, run_worker


@click.command()
@click.option(
    "--until-idle",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Stop when all input is processed and nothing new has arrived for SECONDS.",
)
@click.option(
    "--most-records",
    type=click.IntRange(1, 1_000_000),
    default=MAX_RECORDS,
    show_default=True,
    help="Maximum number of records of a partition in one transaction.",
)
@click.option(
    "--customers",
    type=click.IntRange(min=1),
    default=Limits().customers,
    show_default=True,
    help="Maximum number of customers kept in memory, over all partitions; transactions under way may need more.",
)
@click.option(
    "--sweep",
    type=click.FloatRange(min=0, min_open=True),
    default=Options().sweep_s,
    show_default=True,
    metavar="SECONDS",
    help="Interval of the risk sweep, which finds customers whose silence has moved them into another band, and of "
    "counting customers' keys. With very many customers it is longer, so that each takes at most a twentieth of the "
    "time.",
)
@click.option(
    "--check-models",
    type=click.FloatRange(min=0),
    default=Options().check_models_s / 3600,
    show_default=True,
    metavar="HOURS",
    help="Interval of `pipeline models check`, which one worker runs beside its work and shows in metrics; 0: never. "
    "It needs the extra `models`.",
)
@click.option(
    "--give-up",
    type=click.FloatRange(min=0),
    default=Options().give_up_s,
    show_default=True,
    metavar="SECONDS",
    help="Time that a server may be away before the worker ends with exit code 1.",
)
@click.option(
    "--statement-timeout",
    type=click.FloatRange(min=0.1),
    default=Options().statement_timeout_s,
    show_default=True,
    metavar="SECONDS",
    help="Maximum time of a database statement; it is tried again afterwards.",
)
@click.option(
    "--scores/--no-scores",
    default=True,
    show_default=True,
    help="Keep satisfaction, churn risk and touchpoint scores. Leave them out only for measurements: events processed "
    "without scores are never scored.",
)
@click.option(
    "--identity/--no-identity",
    default=True,
    show_default=True,
    help="Join keys that events name together. Without it each key is a customer of its own. The same for all workers; "
    "to change it, rebuild.",
)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
def worker(
    until_idle: float | None,
    most_records: int,
    customers: int,
    sweep: float,
    check_models: float,
    give_up: float,
    statement_timeout: float,
    scores: bool,
    identity: bool,
    log_level: str,
) -> None:
    """Run one stream worker until SIGTERM; start more to scale.

    On SIGTERM it finishes its batch, commits, and leaves the group. Metrics are served on PIPELINE_METRICS_ADDRESS
    (default 127.0.0.1:9464; further workers of a machine take the next free ports).
    """
    logs.configure(log_level)
    log = structlog.get_logger(__name__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the worker runs, there is nothing to finish
    options = Options(
        until_idle_s=until_idle,
        max_records=most_records,
        limits=Limits(customers=customers),
        sweep_s=sweep,
        check_models_s=check_models * 3600,
        scores=scores,
        identity=identity,
        give_up_s=give_up,
        statement_timeout_s=statement_timeout,
    )
    try:
        uvloop.run(run_worker(environment.load(), options))
    except PipelineError as error:
        if sys.stderr.isatty():
            raise
        log.critical("the worker ends", error=str(error), exit_code=error.exit_code)
        sys.exit(error.exit_code)
    except Exception as error:
        log.critical("the worker ends", error=type(error).__name__, exit_code=1, exc_info=True)
        sys.exit(1)
