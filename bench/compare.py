"""The pipeline beside other engines, on the same topic: `pipeline bench --help`."""

from __future__ import annotations

import compileall
import json
import signal
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TextIO

import click

import pipeline
from bench import table, topic
from bench.build import NotBuilt
from bench.command import run
from bench.own import Own, empty
from bench.peer import PEERS, USUAL
from bench.processes import cpu_s, family_cpu_s
from bench.result import Measured, Run
from bench.rig import Rig, rig
from bench.sessions import Found, found, true_sessions
from pipeline.errors import InvalidInput, PipelineError

OWN = {
    "pipeline": Own(),
    "pipeline-sessions": Own(("--no-scores",)),
    "pipeline-compiled": Own(is_compiled=True),
    "pipeline-compiled-sessions": Own(("--no-scores",), is_compiled=True),
}

#: Runs a job once over this number of events.
Job = Callable[[Rig, int], Measured]


def _names(known: Iterable[str]) -> Callable[..., tuple[str, ...]]:
    def chosen(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[str, ...] | None:
        if text is None or text in ("all", "none"):
            return {None: None, "all": tuple(known), "none": ()}[text]
        names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
        if unknown := [name for name in names if name not in known]:
            raise click.BadParameter(f"{', '.join(unknown)}: there are {', '.join(known)}; all; none")
        return names

    return chosen


@click.command(epilog="`pipeline bench latency`, `growth` and `identity` measure other things; each has --help.")
@click.option("--events", type=click.IntRange(1_000), help="In the topic.  [default: 1000000]")
@click.option("--rounds", type=click.IntRange(1), help="Runs of each job.  [default: 3]")
@click.option("--partitions", type=click.IntRange(1, 100), default=4, show_default=True, help="Of the topic.")
@click.option(
    "--peers",
    callback=_names(PEERS),
    metavar="NAMES",
    help=f"Which, with commas between them: {', '.join(PEERS)}; all; none.  [default: {','.join(USUAL)}]",
)
@click.option(
    "--own",
    callback=_names(OWN),
    metavar="NAMES",
    help=f"Which of the pipeline's own jobs: {', '.join(OWN)}; all; none.  [default: all]",
)
@click.option(
    "--quick",
    is_flag=True,
    help="20,000 events, one round, no peers, nothing compiled, unless the other options say else.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--markdown", is_flag=True, help="Print tables as Markdown.")
@click.option("--runs", type=click.File("w"), metavar="FILE", help="Where each run becomes a line of JSON, at once.")
def main(
    events: int | None,
    rounds: int | None,
    partitions: int,
    peers: tuple[str, ...] | None,
    own: tuple[str, ...] | None,
    quick: bool,
    as_json: bool,
    markdown: bool,
    runs: TextIO | None,
) -> None:
    """Run the pipeline and other engines over the same topic, one at a time, on servers made for it, and compare them.

    All find sessions: a customer's touchpoints with no more than 30 minutes between one and the next. `pipeline` is
    the whole job, `pipeline-sessions` the same without scores, and with `compiled` they are as the image has them;
    docs/performance.md says what the peers do, and what each column means. Exits with 1 if a job found other sessions
    than there are.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped then, too
    events = events or (20_000 if quick else 1_000_000)
    rounds = rounds or (1 if quick else 3)
    peers = peers if peers is not None else () if quick else USUAL
    own = own if own is not None else tuple(name for name in OWN if not (quick and OWN[name].is_compiled))
    jobs = _built(own, peers, partitions)
    if not jobs:
        raise InvalidInput("There is nothing to run.")
    compileall.compile_dir(Path(pipeline.__file__).parent, quiet=2)  # else each worker may compile it anew
    with rig(partitions=partitions) as servers:
        click.echo(f"{events:,} touchpoints into the topic …", err=True)
        topic.fill(servers, events)
        click.echo("counting the true sessions …", err=True)
        truth = found(true_sessions(servers.settings.kafka.bootstrap_servers))
        made = _all(servers, jobs, events, rounds, truth, runs)
    summary = table.Summary(made, truth, events, partitions)
    if as_json:
        click.echo(json.dumps(summary.as_json()))
    elif markdown:
        click.echo(summary.markdown())
    else:
        summary.show()
    judge(made, truth)


def _built(own: tuple[str, ...], peers: tuple[str, ...], partitions: int) -> dict[str, Job]:
    """Return the jobs that can be built here; of others it is said why not."""
    built: dict[str, Job] = {}
    for name in (*own, *peers):
        try:
            if name in OWN:
                built[name] = partial(OWN[name].run, package=OWN[name].package())
            else:
                built[name] = partial(PEERS[name].run, command=PEERS[name].build.build(), partitions=partitions)
        except NotBuilt as why:
            click.echo(f"{name} is left out: {why}", err=True)
    return built


def _all(rig: Rig, jobs: dict[str, Job], events: int, rounds: int, truth: Found, lines: TextIO | None) -> list[Run]:
    """Return all jobs one after the other, every second round in reverse, so that none always follows the same one."""
    made = []
    for number in range(1, rounds + 1):
        for name in list(jobs) if number % 2 else reversed(jobs):
            click.echo(f"round {number} of {rounds}: {name} …", err=True)
            try:
                run = _one(rig, name, jobs[name], events, number, truth)
            except PipelineError as error:
                raise PipelineError(f"{name}: {error}") from error
            click.echo(f"  {run.events / run.seconds:,.0f} events/s, {run.cpu_s:.1f} s of CPU", err=True)
            made.append(run)
            if lines is not None:
                lines.write(json.dumps(run.line()) + "\n")
                lines.flush()
    return made


def _one(rig: Rig, name: str, job: Job, events: int, number: int, truth: Found) -> Run:
    """Return one job, on empty tables."""
    empty(rig)
    broker, database = rig.stack.kafka.process(), rig.stack.postgres.process()
    assert broker is not None
    assert database is not None
    broker_before, database_before = cpu_s(broker), family_cpu_s(database)
    m = job(rig, events)
    broker_s, database_s = cpu_s(broker) - broker_before, family_cpu_s(database) - database_before
    sessions = m.found()
    return Run(
        job=name,
        round=number,
        version=m.version,
        events=m.events,
        seconds=m.seconds,
        cpu_s=m.cpu_s,
        cpu_s_from_first=m.cpu_s_from_first,
        database_cpu_s=database_s,
        broker_cpu_s=broker_s,
        peak_rss=m.peak_rss,
        found=sessions,
        agrees=sessions == truth,
    )


def judge(made: list[Run], truth: Found) -> None:
    """Raise PipelineError, which names those who found other sessions than there are, and should not have."""
    wrong = [run for run in made if not run.agrees and (run.job in OWN or PEERS[run.job].exact)]
    if wrong:
        said = "\n".join(f"  {run.job}, round {run.round}: {_words(run.found)}" for run in wrong)
        raise PipelineError(f"Other sessions than there are ({_words(truth)}) were found:\n{said}")


def _words(sessions: Found | None) -> str:
    if sessions is None:
        return "none"
    return f"{sessions.sessions:,} of {sessions.events_in_sessions:,} events, checksum {sessions.checksum}"


if __name__ == "__main__":
    run(main, "bench.compare")
