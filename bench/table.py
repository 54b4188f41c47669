"""What a comparison came to: of each job the median and range of its runs, and the pipeline's ratio to its peers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import click

from bench.machine import machine
from bench.result import Run
from bench.sessions import Found
from pipeline.cli.output import Column, print_table

Value = Callable[[Run], float]

#: name in JSON → (title, what it is of a run)
FIGURES: dict[str, tuple[str, Value]] = {
    "events_per_s": ("events/s", lambda r: r.events / r.seconds),
    "events_per_cpu_s": ("per CPU s: whole process", lambda r: r.events / r.cpu_s),
    "events_per_cpu_s_from_first": ("from the first record", lambda r: r.events / r.cpu_s_from_first),
    "events_per_cpu_s_with_database": ("with the database", lambda r: r.events / (r.cpu_s + r.database_cpu_s)),
    "peak_mib": ("peak MiB", lambda r: r.peak_rss / 2**20),
    "database_cpu_s": ("database CPU s", lambda r: r.database_cpu_s),
    "broker_cpu_s": ("broker CPU s", lambda r: r.broker_cpu_s),
}
_RATIOS = ("events_per_s", "events_per_cpu_s", "events_per_cpu_s_from_first", "events_per_cpu_s_with_database")


@dataclass(frozen=True)
class Summary:
    """All runs of a comparison."""

    runs: Sequence[Run]
    truth: Found
    events: int
    partitions: int

    def as_json(self) -> dict[str, Any]:
        """For programs: figures as [median, least, most]."""
        return {
            **machine(),
            "events": self.events,
            "partitions": self.partitions,
            "truth": self.truth._asdict(),
            "jobs": {
                job: {
                    "version": runs[0].version,
                    "runs": len(runs),
                    "events": runs[0].events,
                    "agrees": all(run.agrees for run in runs),
                    "sessions": [run.found.sessions if run.found else None for run in runs],
                    **{name: _spread(runs, value) for name, (_, value) in FIGURES.items()},
                }
                for job, runs in self._by_job().items()
            },
            "ratios": [dict(zip(("job", "peer", *_RATIOS), row, strict=True)) for row in self._ratios()],
        }

    def show(self) -> None:
        """For people."""
        for titles, rows in self._tables():
            print_table([Column(titles[0]), *(Column(title, right=True) for title in titles[1:])], rows)
            click.echo()
        click.echo(self._said())

    def markdown(self) -> str:
        """For docs/performance.md."""
        parts = []
        for titles, rows in self._tables():
            parts.append("\n".join(_line(row) for row in (titles, ["---", *["---:"] * (len(titles) - 1)], *rows)))
        return "\n\n".join([*parts, self._said()])

    def _tables(self) -> Iterable[tuple[Sequence[str], list[Sequence[str]]]]:
        titles = ("job", *(title for title, _ in FIGURES.values()), "sessions")
        rows: list[Sequence[str]] = [
            (_called(job, runs[0]), *(_cell(runs, value) for _, value in FIGURES.values()), _sessions(runs))
            for job, runs in self._by_job().items()
        ]
        yield titles, rows
        ratios: list[Sequence[str]] = [
            (f"{job} / {peer}", *(f"{r:.2f}" for r in of)) for job, peer, *of in self._ratios()
        ]
        if ratios:
            yield ("ratio of medians", *(FIGURES[name][0] for name in _RATIOS)), ratios

    def _said(self) -> str:
        found = machine()
        rounds = max(run.round for run in self.runs)
        return (
            f"{self.events:,} events, {self.partitions} partitions, {rounds} round{'s' if rounds > 1 else ''}; "
            f"{self.truth.sessions:,} sessions are true. {found['machine']}. {found['date']}."
        )

    def _by_job(self) -> dict[str, list[Run]]:
        jobs: dict[str, list[Run]] = {}
        for run in sorted(self.runs, key=lambda run: run.round):
            jobs.setdefault(run.job, []).append(run)
        return jobs

    def _ratios(self) -> Iterable[tuple[Any, ...]]:
        jobs = self._by_job()
        own = [job for job in jobs if job.startswith("pipeline")]
        for mine in own:
            for peer in jobs:
                if peer not in own:
                    values = (FIGURES[name][1] for name in _RATIOS)
                    yield (mine, peer, *(round(_median(jobs[mine], v) / _median(jobs[peer], v), 3) for v in values))


def _median(runs: Sequence[Run], value: Value) -> float:
    return median(map(value, runs))


def _spread(runs: Sequence[Run], value: Value) -> list[float]:
    values = [round(value(run), 2) for run in runs]
    return [round(median(values), 2), min(values), max(values)]


def _cell(runs: Sequence[Run], value: Value) -> str:
    middle, least, most = _spread(runs, value)
    digits = 0 if most >= 100 else 1
    if len(runs) == 1:
        return f"{middle:,.{digits}f}"
    return f"{middle:,.{digits}f} ({least:,.{digits}f}–{most:,.{digits}f})"


def _called(job: str, run: Run) -> str:
    return f"{job} ({run.version})" if run.version else job


def _sessions(runs: Sequence[Run]) -> str:
    counts = sorted({run.found.sessions for run in runs if run.found is not None})
    if not counts:
        return "none"
    said = "–".join(f"{count:,}" for count in dict.fromkeys((counts[0], counts[-1])))
    return said if all(run.agrees for run in runs) else f"{said}, not the true ones"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
