"""The measurement of latency works, and what it says is consistent; how long things take is not asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.quantiles import Histogram, quantile

_ROOT = Path(__file__).resolve().parents[2]
_EXPOSED = """\
wait_seconds_bucket{le="0.1"} 50.0
wait_seconds_bucket{le="0.5"} 90.0
wait_seconds_bucket{le="+Inf"} 100.0
"""


def test_follows_the_probes_to_the_tables_and_to_the_topic() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.latency", "--quick", "--json"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [found] = json.loads(done.stdout)["found"]
    assert found["probes"] > 50
    for end in ("commit", "revision_append", "revision_in_hand"):
        assert found[end]["found"] == found["probes"]
        assert 0 < found[end]["p50"] <= found[end]["p99"] <= found[end]["max"]
        assert found[end]["p99.9"] is None  # of so few
    assert found["commit"]["p50"] <= found["revision_in_hand"]["p50"]
    assert found["metric"]["found"] > found["probes"]
    assert 0 < found["metric"]["p50"] <= found["metric"]["p99"]
    assert all(cores > 0 for cores in found["cores"].values())
    assert found["commits_per_s"] > 0


def test_quantiles_are_ranks() -> None:
    values = [float(n) for n in range(1, 1001)]
    assert [quantile(values, share) for share in (0.5, 0.99, 0.999)] == [500, 990, 999]
    assert quantile(values[:99], 0.99) is None


def test_a_histogram_s_quantiles_are_those_of_prometheus() -> None:
    histogram = Histogram.read("wait_seconds", _EXPOSED)
    assert histogram.count == 100
    assert histogram.quantile(0.25) == pytest.approx(0.05)
    assert histogram.quantile(0.7) == pytest.approx(0.3)
    assert histogram.quantile(0.99) == 0.5  # the last bound
    assert Histogram.read("other", _EXPOSED).quantile(0.5) is None


def test_what_came_before_does_not_count() -> None:
    later = Histogram({0.1: 150.0, 0.5: 190.0, float("inf"): 200.0})
    assert later.since(Histogram.read("wait_seconds", _EXPOSED)).quantile(0.5) == pytest.approx(0.05)


def test_a_metric_agrees_within_the_bucket_s_width() -> None:
    histogram = Histogram.read("wait_seconds", _EXPOSED)
    assert histogram.agrees(0.7, 0.35)
    assert histogram.agrees(0.5, 0.02)
    assert not histogram.agrees(0.7, 0.09)
