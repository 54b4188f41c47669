"""The worker with and without identity, in turn over the same topic."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from statistics import median
from typing import Any

import click

from bench import topic
from bench.browsing import Browsing
from bench.exchanged import exchanged
from bench.own import empty, policy_file
from bench.owned import judge, owned_by_type
from bench.rig import Rig, rig, worker
from bench.settled import forget_exchanged, settle
from bench.usage import PARTS, Usage
from pipeline.cli.output import Column
from pipeline.errors import PipelineError
from pipeline.touchpoint import Touchpoint

Found = dict[str, Any]

#: Arguments of the worker.
SIDES = {"on": (), "off": ("--no-identity",)}
_RUNS = count(1)


@dataclass(frozen=True)
class Made:
    """A workload's touchpoints. Once all are taken, `owners` says how many have owners of which type of key, with
    identity and without, and `shares` what they are like."""

    touchpoints: Iterator[Touchpoint]
    owners: Callable[[], dict[str, dict[str, int]]]
    shares: Callable[[], dict[str, float]] = dict


@dataclass(frozen=True)
class Workload:
    """Describe what is in the topic; `target` is the ratio that is wanted."""

    make: Callable[[int], Made]
    about: str
    target: float | None = None


def _customers(events: int) -> Made:
    owners = {"customer": events}
    return Made(topic.touchpoints(events, topic.start(events)), lambda: {"on": owners, "off": owners})


def _browsing(events: int, once: bool = False) -> Made:
    made = Browsing(events, topic.start(events), events * 1_000 // topic.EVENTS_PER_S, once)

    def owners() -> dict[str, dict[str, int]]:
        return {
            side: {"anonymous": cookies, "customer": events - cookies}
            for side, cookies in (("on", made.unclaimed), ("off", made.anonymous))
        }

    def shares() -> dict[str, float]:
        return {
            "web": round(made.web / events, 3),
            "anonymous_of_web": round(made.anonymous / made.web, 3),
            "cookies_claimed": round(len(made.claimed) / len(made.by_cookie), 3),
        }

    return Made(made.touchpoints(), owners, shares)


WORKLOADS = {
    "customers": Workload(_customers, "each event names a customer, and nothing else", 0.97),
    "anonymous": Workload(
        _browsing, "60 % of the web's events name a cookie alone, and half of the cookies are claimed", 0.6
    ),
    "anonymous-once": Workload(
        lambda events: _browsing(events, once=True), "the same, but after signing in events name the customer alone"
    ),
}


def measure(
    name: str, events: int, rounds: int, package: Mapping[str, str], partitions: int, keep: Callable[[Found], None]
) -> Found:
    """Return a workload's runs and their ratios; `keep` gets each run at once. Raises PipelineError for wrong owners.

    `package` are settings of the workers.
    """
    workload, runs = WORKLOADS[name], []
    with rig(partitions=partitions) as own:
        made = workload.make(events)
        topic.put_all(own, made.touchpoints, events)
        true = made.owners()
        for number in range(1, rounds + 1):
            for side in list(SIDES) if number % 2 else reversed(SIDES):
                click.echo(f"{name}: round {number} of {rounds}, identity {side} …", err=True)
                run = {"workload": name, "round": number, "identity": side, **_run(own, side, events, package)}
                judge(run["owners"], true[side])
                click.echo(
                    f"  {run['events_per_s']:,.0f} events/s, {run['cpu_s']['worker']:.1f} s of the worker's CPU",
                    err=True,
                )
                keep(run)
                runs.append(run)
    return {
        "workload": name,
        "about": workload.about,
        "target": workload.target,
        "events": events,
        **made.shares(),
        "ratio": {value: _ratio(runs, value) for value in RATIOS},
        "runs": runs,
    }


def _run(own: Rig, side: str, events: int, package: Mapping[str, str]) -> Found:
    """Return what one run took, from when the worker has its partitions until nothing is left."""
    empty(own)
    forget_exchanged(own)
    group = f"bench-{next(_RUNS)}"
    settings = {"PIPELINE_POLICY": str(policy_file(own.folder)), "PIPELINE_GROUP": group, **package}
    with worker(own, group, arguments=SIDES[side], settings=settings) as meter:
        usage = Usage(own, [meter])
        settle(own, meter, group, events=events, exchanges=side == "on")
        seconds, taken = time.monotonic() - meter.began_at, usage.taken()
        taken["worker"] = round(meter.cpu_s, 3)
        told, peak = exchanged(meter.metrics()), meter.peak_rss
    if own.accounted() != {"processed": events, "duplicates": 0, "quarantined": 0}:
        raise PipelineError(f"Not each of {events:,} records was processed once: {own.accounted()}.")
    return {
        "seconds": round(seconds, 2),
        "cpu_s": taken,
        "events_per_s": round(events / seconds),
        "events_per_cpu_s": round(events / taken["worker"]),
        "events_per_cpu_s_of_all": round(events / sum(taken.values())),
        "peak_rss": peak,
        "owners": owned_by_type(own),
        **told,
    }


#: The figures of which ratios are taken.
RATIOS = ("events_per_cpu_s", "events_per_cpu_s_of_all", "events_per_s")


def _ratio(runs: Sequence[Found], value: str) -> Found:
    """Return with ÷ without identity: the median over the rounds, the least and the most."""
    by_round: dict[int, dict[str, float]] = {}
    for run in runs:
        by_round.setdefault(run["round"], {})[run["identity"]] = run[value]
    ratios = [each["on"] / each["off"] for each in by_round.values()]
    return {"median": round(median(ratios), 3), "least": round(min(ratios), 3), "most": round(max(ratios), 3)}


COLUMNS = (
    Column("workload"),
    *(
        Column(title, right=True)
        for title in (
            "on ÷ off, events per worker's CPU s", "target", "with broker and database", "events/s",
            "CPU µs an event off: worker + broker + database", "on", "peak MiB off", "on", "namings",
            "records exchanged", "direct messages", "touchpoints transferred", "taken back",
        )
    ),
)  # fmt: skip


def rows(found: Found) -> list[list[str]]:
    """Return a workload's line."""
    sides = {side: [run for run in found["runs"] if run["identity"] == side] for side in SIDES}
    last = sides["on"][-1]
    return [
        [
            found["workload"],
            _cell(found["ratio"]["events_per_cpu_s"]),
            "–" if found["target"] is None else f"{found['target']:.2f}",
            _cell(found["ratio"]["events_per_cpu_s_of_all"]),
            _cell(found["ratio"]["events_per_s"]),
            *(_parts(sides[side], found["events"]) for side in ("off", "on")),
            *(f"{max(run['peak_rss'] for run in sides[side]) / 2**20:,.0f}" for side in ("off", "on")),
            *(f"{last[name]:,}" for name in ("namings", "exchanged", "direct", "transferred", "withdrawn")),
        ]
    ]


def _cell(ratio: Found) -> str:
    return f"{ratio['median']:.2f} ({ratio['least']:.2f}–{ratio['most']:.2f})"


def _parts(runs: Sequence[Found], events: int) -> str:
    return " + ".join(f"{median(run['cpu_s'][part] for run in runs) / events * 1e6:.1f}" for part in PARTS)
