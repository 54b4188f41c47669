"""What a worker takes as one thing grows: `python -m bench.growth --help`."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

import click

from bench.backlog import work_off
from bench.claimed import Claimed
from bench.command import run
from bench.compiled import compiled_option
from bench.fill import fill
from bench.owned import judge, owned_by_type
from bench.report import Form, form_options, report
from bench.rig import Meter, Rig, put, rig, worker
from bench.settled import settle
from bench.templates import Crowd
from bench.usage import PARTS, Usage
from pipeline.cli.output import Column
from pipeline.errors import PipelineError

_FEW = 20_000
_MILLION = 1_000_000
_TOGETHER_S = 60.0
#: A broker's longest transaction.
_TRANSACTION_MS = 900_000
#: What `--quick` does instead.
_QUICK = {"events": 4_000, "journeys": 2_000, "keys": 2_000}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One measurement: so many events of so many customers, and what is there beforehand."""

    events: int
    least: int
    customers: int
    journeys: int = 0
    partitions: int = 12
    workers: int = 1
    #: Whether the workers are there before the events are.
    waiting: bool = False
    samples: bool = False
    #: Whether each customer has a cookie, on which they sign in.
    claimed: bool = False

    def title(self) -> str:
        """Return what tells it from the others."""
        parts = [f"{self.customers:,} customers" + " with a cookie each" * self.claimed]
        if self.journeys:
            parts.append(f"{self.journeys:,} journeys before")
        if self.partitions != 12:
            parts.append(f"{self.partitions} partition" + "s" * (self.partitions > 1))
        if self.waiting:
            parts.append(f"{self.workers} worker" + "s" * (self.workers > 1))
        if self.samples:
            parts.append(f"{self.events:,} events")
        return ", ".join(parts)


Found = dict[str, Any]


def scenarios(base: Case, journeys: int, longer: int, keys: int) -> dict[str, list[Case]]:
    """Name → its cases; the first is the one that the others are compared with.

    `journeys` are in the full tables; the long run has `longer` times the events of the others; `keys` are
    cookies and customers together.
    """
    many = replace(base, customers=base.least * 250)
    return {
        "customers": [base, replace(base, customers=base.least * 50), many],
        "full-tables": [base, replace(base, journeys=journeys), replace(many, journeys=journeys)],
        "partitions": [base, replace(base, partitions=1), replace(base, partitions=64)],
        "workers": [replace(base, waiting=True), replace(base, waiting=True, workers=2)],
        "ten-million": [
            replace(base, events=base.events * longer, least=base.least * longer, customers=base.customers * longer,
                    samples=True)
        ],
        "keys": [
            replace(base, events=3 * people, least=people, customers=people, samples=True, claimed=True)
            for people in (max(1, keys // 50), keys // 2)
        ],
    }  # fmt: skip


NAMES = ("customers", "full-tables", "partitions", "workers", "ten-million", "keys")


@click.command()
@click.option("--only", "names", multiple=True, type=click.Choice(NAMES), help="A scenario; may be given again.")
@click.option("--events", type=click.IntRange(1_000, 10 * _MILLION), default=_MILLION, show_default=True,
              help="In each case; the long run has ten times as many.")  # fmt: skip
@click.option("--journeys", type=click.IntRange(1_000), default=10 * _MILLION, show_default=True,
              help="In the full tables.")  # fmt: skip
@click.option("--keys", type=click.IntRange(100), default=5 * _MILLION, show_default=True,
              help="Cookies and customers together, in the scenario of this name.")  # fmt: skip
@click.option("--quick", is_flag=True, help="A few thousand of everything: whether it works, not what it takes.")
@compiled_option
@form_options
def main(
    names: tuple[str, ...], events: int, journeys: int, keys: int, quick: bool, form: Form, package: Mapping[str, str]
) -> None:
    """Measure one thing growing at a time, on servers of each case's own.

    The records wait in the topic before the worker begins, and it is timed from when it has its partitions until all
    are accounted for. In `workers`, the workers wait for the records instead, which become readable all at once.
    Customers are in proportion: 20 thousand, 1 million and 5 million for a million events. In `keys`, each customer has
    a cookie, views a page, signs in and views another page, so that there are three events to two keys; it is timed
    until each customer has all three, and compared with a 25th of the keys.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped then, too
    if quick:
        events, journeys, keys = _QUICK["events"], _QUICK["journeys"], _QUICK["keys"]
    least = max(1, events * _FEW // _MILLION)
    chosen = scenarios(
        Case(events=events, least=least, customers=least), journeys, longer=2 if quick else 10, keys=keys
    )
    found: dict[str, list[Found]] = {}
    known: dict[Case, Found] = {}
    try:
        for name in dict.fromkeys(names or NAMES):
            found[name] = []
            for case in chosen[name]:
                if case not in known:
                    click.echo(f"{name}: {case.title()} …", err=True)
                    known[case] = measure(case, package)
                found[name].append(known[case])
    finally:  # of a run that is broken off after an hour, too
        if known:
            report(form, found, COLUMNS, rows(found))


def measure(case: Case, package: Mapping[str, str] | None = None) -> Found:
    """Return one case, on servers of its own.

    `package` are settings of its workers, if they are not the source as it is.
    """
    began = time.monotonic()
    with rig(partitions=case.partitions) as own, ExitStack() as stack:
        if case.journeys:
            fill(own, case.journeys, case.partitions)
            _tell("filled", began)
        before = own.database_bytes()
        records = _stream(case).records(own.encoder)
        if case.waiting:
            meters = [
                stack.enter_context(worker(own, f"worker-{n + 1}", settings=package)) for n in range(case.workers)
            ]
            _wait_shared(meters, case.partitions)
            release = _held_back(own, records)
            _tell("produced", began)
            usage = Usage(own, meters)
            release()
            usage.begin()
        else:
            own.produce(records)
            _tell("produced", began)
            meters = [stack.enter_context(worker(own, settings=package))]
            usage = Usage(own, meters)
        samples: list[Found] = []
        done = _sampling(own, meters, usage, samples)
        if case.claimed:
            settle(own, meters[0], own.settings.group, events=case.events, sample=done)
            judge(owned_by_type(own), {"customer": case.events})
        else:
            work_off(own, meters, case.events, done)
        seconds, taken = usage.seconds, usage.taken()
        partitions = [meter.assigned() for meter in meters]
        _tell(f"{case.events / seconds:,.0f} events/s; done", began)
        return {
            "case": case.title(),
            **asdict(case),
            "seconds": round(seconds, 2),
            "events_per_s": round(case.events / seconds),
            "cpu_s_per_million": {part: round(taken[part] / case.events * _MILLION, 2) for part in PARTS},
            "cores": {part: round(taken[part] / seconds, 2) for part in PARTS},
            "peak_rss": [meter.peak_rss for meter in meters],
            "database_bytes_per_million": round((own.database_bytes() - before) / case.events * _MILLION),
            "customers_seen": _customers(own),
            "journeys_made": _journeys(own) - case.journeys,
            "assigned": partitions,
            **own.accounted(),
            "took_s": round(time.monotonic() - began, 1),
            **({"samples": samples} if case.samples else {}),
        }


def _stream(case: Case) -> Crowd | Claimed:
    return Claimed(case.customers) if case.claimed else Crowd(case.events, case.customers, case.least)


def _sampling(own: Rig, meters: Sequence[Meter], usage: Usage, samples: list[Found]) -> Callable[[], None]:
    def sample() -> None:
        accounted = sum(own.accounted().values())
        samples.append({"s": round(usage.seconds, 1), "events": accounted, "rss": sum(meter.rss for meter in meters)})

    return sample


def _wait_shared(meters: Sequence[Meter], partitions: int) -> None:
    """Until each worker has its part, and the group has come to rest."""
    end, at_rest = time.monotonic() + _TOGETHER_S, 0
    while at_rest < 8:
        shares = [meter.assigned() for meter in meters]
        at_rest = at_rest + 1 if sum(shares) == partitions and max(shares) - min(shares) <= 1 else 0
        for meter in meters:
            meter.look()
        if time.monotonic() > end:
            raise PipelineError(f"After {_TOGETHER_S:.0f} s the workers have {shares} of {partitions} partitions.")
        time.sleep(0.25)


def _held_back(own: Rig, records: Iterator[tuple[bytes, bytes]]) -> Callable[[], None]:
    """Return all records in a transaction that is not committed.

    What is returned commits it, and all can be read at once.
    """
    producer = own.producer(more={"transactional.id": "bench", "transaction.timeout.ms": _TRANSACTION_MS})
    producer.init_transactions(30)
    producer.begin_transaction()
    for record in records:
        put(producer, record)
    if left := producer.flush(60):
        raise PipelineError(f"Kafka has not taken {left:,} records within a minute.")
    return lambda: producer.commit_transaction(30)


def _customers(own: Rig) -> int:
    [found] = own.ledger.execute(
        "SELECT count(DISTINCT customer) FROM journey WHERE customer NOT LIKE 'customer:earlier-%'"
    ).fetchone() or (0,)
    return int(found)


def _journeys(own: Rig) -> int:
    [found] = own.ledger.execute("SELECT count(*) FROM journey").fetchone() or (0,)
    return int(found)


def _tell(what: str, began: float) -> None:
    click.echo(f"  {what} after {time.monotonic() - began:.0f} s", err=True)


COLUMNS = (
    Column("scenario"),
    Column("case"),
    *(
        Column(title, right=True)
        for title in (
            "events/s", "× first", "worker CPU s/M", "broker CPU s/M", "database CPU s/M", "cores: workers + broker + "
            "database", "peak MiB", "database MiB/M", "journeys", "accounted for",
        )
    ),
)  # fmt: skip


def rows(found: dict[str, list[Found]]) -> Iterator[list[str]]:
    """Yield a line a case."""
    for name, cases in found.items():
        for case in cases:
            cpu = case["cpu_s_per_million"]
            yield [
                name,
                case["case"],
                f"{case['events_per_s']:,}",
                f"{case['events_per_s'] / cases[0]['events_per_s']:.2f}",
                *[f"{cpu[part]:.1f}" for part in PARTS],
                " + ".join(f"{case['cores'][part]:.2f}" for part in PARTS),
                " + ".join(f"{rss / 2**20:,.0f}" for rss in case["peak_rss"]),
                f"{case['database_bytes_per_million'] / 2**20:,.0f}",
                f"{case['journeys_made']:,}",
                f"{case['processed']:,} + {case['duplicates']:,} + {case['quarantined']:,}",
            ]


if __name__ == "__main__":
    run(main, "bench.growth")
