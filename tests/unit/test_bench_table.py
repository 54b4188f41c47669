"""What a comparison says of runs: medians, ranges, ratios, and who found other sessions than there are."""

from __future__ import annotations

import pytest

from bench.compare import judge
from bench.result import Run
from bench.sessions import Found, found
from bench.table import Summary
from pipeline.errors import PipelineError

TRUE = Found(2, 1_000, 7)


def run(job: str, number: int, cpu_s: float, sessions: Found | None = TRUE) -> Run:
    return Run(
        job=job, round=number, version="", events=1_000, seconds=1.0, cpu_s=cpu_s, cpu_s_from_first=cpu_s / 2,
        database_cpu_s=cpu_s, broker_cpu_s=1.0, peak_rss=2**20, found=sessions, agrees=sessions == TRUE,
    )  # fmt: skip


def summary(*runs: Run) -> Summary:
    return Summary(runs, TRUE, events=1_000, partitions=4)


def test_figures_are_medians_with_least_and_most_and_ratios_are_of_medians() -> None:
    runs = [run("pipeline", n, cpu_s) for n, cpu_s in ((1, 1), (2, 4), (3, 2))]
    said = summary(*runs, run("flink-eos", 1, 1)).as_json()
    assert said["jobs"]["pipeline"]["events_per_cpu_s"] == [500, 250, 1_000]
    assert said["jobs"]["pipeline"]["events_per_cpu_s_from_first"] == [1_000, 500, 2_000]
    assert said["jobs"]["pipeline"]["events_per_cpu_s_with_database"] == [250, 125, 500]
    [ratio] = said["ratios"]
    assert (ratio["job"], ratio["peer"], ratio["events_per_cpu_s"]) == ("pipeline", "flink-eos", 0.5)


def test_markdown_has_a_row_for_each_job_with_as_many_cells_as_titles() -> None:
    lines = summary(run("pipeline", 1, 1), run("pipeline", 2, 4), run("quix", 1, 1, Found(1, 400, 5))).markdown()
    titles, _, pipeline, quix = [line.split(" | ") for line in lines.split("\n\n")[0].splitlines()]
    assert len(titles) == len(pipeline) == len(quix)
    assert pipeline[2] == "625 (250–1,000)"
    assert quix[-1] == "1, not the true ones |"


def test_who_finds_other_sessions_is_named_unless_it_is_known_to() -> None:
    judge([run("pipeline", 1, 1), run("quix", 1, 1, Found(1, 400, 5)), run("faust-empty", 1, 1, None)], TRUE)
    with pytest.raises(PipelineError, match="flink-pg, round 2: 1 of 999 events"):
        judge([run("pipeline", 1, 1), run("flink-pg", 2, 1, Found(1, 999, 5))], TRUE)


def test_the_checksum_is_of_the_set_of_sessions() -> None:
    a, b = ("c1", 0, 5, 2), ("c2", 7, 7, 1)
    assert found([a, b]) == found([b, a]) == Found(2, 3, found([a, b]).checksum)
    assert found([a, ("c2", 7, 8, 1)]).checksum != found([a, b]).checksum
