"""`pipeline simulate`."""

from __future__ import annotations

import gzip
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple, cast

import click
import orjson

from pipeline import settings
from pipeline.cli.progress import progress
from pipeline.contract.text import to_json_line
from pipeline.contract.times import format_rfc3339, parse_rfc3339
from pipeline.simulate import lifetimes
from pipeline.simulate.delivery import delivered
from pipeline.simulate.lifetimes import Lifetimes
from pipeline.simulate.population import DEFAULT_DAYS, Simulated, simulated
from pipeline.simulate.truth import lines, noted
from pipeline.touchpoint import Touchpoint

_EVENTS = 10_000
_SHOW_EVERY = 500
#: Do not sleep for less than this, in seconds; sleeping is not more exact.
_SLACK_S = 0.005

Send = Callable[[Touchpoint], None]


class _Moment(click.ParamType):
    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else parse_rfc3339(str(value))
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


_SHARE = click.FloatRange(0, 1)


@click.command()
@click.option("--events", type=click.IntRange(0), help=f"Number of touchpoints.  [default: {_EVENTS:,}]")
@click.option(
    "--customers",
    type=click.IntRange(1),
    help=f"Number of people.  [default: one for 25 touchpoints; with --lifetimes {lifetimes.DEFAULT_CUSTOMERS:,}]",
)
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help="Seed of the random numbers; another seed makes another population.",
)
@click.option(
    "--days",
    type=click.FloatRange(0, 3650, min_open=True),
    help="Length of the simulated time, in days.  "
    f"[default: {DEFAULT_DAYS:g}; with --lifetimes {lifetimes.DEFAULT_DAYS:g}]",
)
@click.option("--end", type=_Moment(), help="End of the simulated time, RFC 3339 with an offset.  [default: now]")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Touchpoints per second.  [default: no limit]")
@click.option("--disorder", type=_SHARE, default=0.0, show_default=True, help="Share of touchpoints delivered late.")
@click.option(
    "--late-days", type=click.FloatRange(0, 365), default=3.0, show_default=True, help="Maximum delay, in days."
)
@click.option(
    "--duplicates", type=_SHARE, default=0.0, show_default=True, help="Share of touchpoints sent twice, in addition."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Write JSON Lines to this file (- for standard output; .gz is compressed) instead of publishing.",
)
@click.option(
    "--identity",
    is_flag=True,
    help="Let each channel know customers by its own keys only: cookies, addresses, phone numbers, cards. "
    "Adds sign-ins and corrections, which count as events.",
)
@click.option(
    "--truth",
    type=click.Path(dir_okay=False),
    help="Write to this file (JSON Lines; .gz is compressed) what is true: with --identity whose each touchpoint was, "
    "and whether that can be known; with --lifetimes each customer's own parameters, and when they left.",
)
@click.option(
    "--lifetimes",
    "by_models",
    is_flag=True,
    help="Let customers come, leave, spend and answer as the models say, so that it is known what a fit has to find. "
    "The number of touchpoints follows from customers and days.",
)
@click.option(
    "--leave-after-complaint",
    type=_SHARE,
    help="With --lifetimes: the chance that a customer leaves for good after a complaint.  [default: 0]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def simulate(
    events: int | None,
    customers: int | None,
    seed: int,
    days: float | None,
    end: int | None,
    rate: float | None,
    disorder: float,
    late_days: float,
    duplicates: float,
    out: str | None,
    identity: bool,
    truth: str | None,
    by_models: bool,
    leave_after_complaint: float | None,
    as_json: bool,
) -> None:
    """Simulate customers on the web, by e-mail, on the phone and in branches, and publish their touchpoints.

    The same options with a given --end produce the same touchpoints, including their event ids.
    """
    end_ms = time.time_ns() // 1_000_000 if end is None else end
    _refuse_what_does_not_go_together(events, identity, truth, by_models, leave_after_complaint)
    if by_models:
        story = _by_models(
            Lifetimes(
                seed=seed,
                customers=customers or lifetimes.DEFAULT_CUSTOMERS,
                days=days or lifetimes.DEFAULT_DAYS,
                end_ms=end_ms,
                after_complaint=leave_after_complaint or 0.0,
            )
        )
    else:
        number = _EVENTS if events is None else events
        made = simulated(
            seed=seed, customers=customers, events=number, days=days or DEFAULT_DAYS, end_ms=end_ms, identity=identity
        )
        story = _people(made, number, is_noted=truth is not None)
    begun = time.monotonic()
    count = 0
    with ExitStack() as stack:
        send = stack.enter_context(_to_file(out) if out else _to_kafka())
        truth_file = stack.enter_context(_created(truth)) if truth else None
        show = stack.enter_context(progress("Simulating", story.events))
        stream = delivered(story.touchpoints, seed=seed, disorder=disorder, late_days=late_days, duplicates=duplicates)
        for count, touchpoint in enumerate(stream, 1):
            if rate is not None:
                _keep_to(rate, count - 1, begun)
            send(touchpoint)
            if count % _SHOW_EVERY == 0:
                show(count)
        if truth_file is not None:
            truth_file.writelines(story.truth())
    summary = {
        "touchpoints": count,
        "seed": seed,
        "end": format_rfc3339(end_ms),
        "to": out or "kafka",
        "seconds": round(time.monotonic() - begun, 3),
    }
    text = f"{count:,} touchpoints up to {summary['end']} in {summary['seconds']:,.1f} s"
    click.echo(orjson.dumps(summary).decode() if as_json else text, err=out == "-")


class _Story(NamedTuple):
    """Touchpoints, how many they are if that is known, and what gives afterwards what is true of them, as lines."""

    touchpoints: Iterable[Touchpoint]
    events: int | None
    truth: Callable[[], Iterable[bytes]]


def _people(made: Iterator[Simulated], events: int, *, is_noted: bool) -> _Story:
    told: list[Simulated] = []
    touchpoints = noted(made, told) if is_noted else (each.touchpoint for each in made)
    return _Story(touchpoints, events, lambda: lines(told))


def _by_models(made: Lifetimes) -> _Story:
    return _Story(made.touchpoints(), None, lambda: (each.line() for each in made.truth()))


def _refuse_what_does_not_go_together(
    events: int | None, identity: bool, truth: str | None, by_models: bool, leave_after_complaint: float | None
) -> None:
    if by_models and events is not None:
        raise click.UsageError("--lifetimes makes as many touchpoints as there are; use --customers and --days.")
    if by_models and identity:
        raise click.UsageError("--lifetimes knows customers by number; it does not go with --identity.")
    if leave_after_complaint is not None and not by_models:
        raise click.UsageError("--leave-after-complaint goes with --lifetimes.")
    if truth and not identity and not by_models:
        raise click.UsageError(
            "--truth goes with --identity or --lifetimes; without them there is nothing to be found out."
        )


def _keep_to(rate: float, done: int, begun: float) -> None:
    ahead = done / rate - (time.monotonic() - begun)
    if ahead > _SLACK_S:
        time.sleep(ahead)


@contextmanager
def _to_kafka() -> Iterator[Send]:
    from pipeline.client.publisher import Publisher

    config = settings.load(needs=settings.PRODUCER)
    with Publisher(config.kafka, config.registry) as publisher:
        yield publisher.publish


@contextmanager
def _to_file(out: str) -> Iterator[Send]:
    if out == "-":
        yield _writer(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    with _created(out) as file:
        yield _writer(file)


def _created(name: str) -> IO[bytes]:
    """Create a file, compressed if its name ends in .gz."""
    opener = gzip.open if name.endswith(".gz") else Path.open
    try:
        return cast(IO[bytes], opener(Path(name), "wb"))
    except OSError as error:
        raise click.FileError(name, error.strerror or str(error)) from None


def _writer(file: IO[bytes]) -> Send:
    write = file.write

    def send(touchpoint: Touchpoint) -> None:
        write(to_json_line(touchpoint))

    return send
