"""The measurements of identity work, and every touchpoint ends with its owner; speed is not asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.browsing import Browsing
from bench.restatement import measure
from bench.rig import Rig
from bench.topic import EVENTS_PER_S

pytestmark = pytest.mark.long

_ROOT = Path(__file__).resolve().parents[2]


def test_with_and_without_identity_all_touchpoints_have_the_owners_of_the_stream() -> None:
    [found] = bench("--workload", "anonymous", "--events", "2000", "--rounds", "1")
    on, off = found["runs"]
    assert (on["identity"], off["identity"]) == ("on", "off")
    stream = Browsing(2_000, 0, 2_000 * 1_000 // EVENTS_PER_S)
    assert sum(1 for _ in stream.touchpoints()) == 2_000
    assert off["owners"] == {"anonymous": stream.anonymous, "customer": 2_000 - stream.anonymous}
    assert on["owners"] == {"anonymous": stream.unclaimed, "customer": 2_000 - stream.unclaimed}
    assert on["transferred"] == stream.anonymous - stream.unclaimed
    assert on["exchanged"] > 0
    assert off["transferred"] == off["namings"] == off["exchanged"] == 0
    ratio = found["ratio"]["events_per_cpu_s"]
    assert ratio["least"] == ratio["median"] == ratio["most"] > 0


@pytest.mark.parametrize("name", ["shared-key", "long-journey", "merge"])
def test_a_large_case_ends_with_the_right_owners_and_the_audit_agrees(name: str) -> None:
    outcome: dict[str, Any] = {}

    def audit(own: Rig) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "audit", "--json"],
            env=own.env | {"PIPELINE_POLICY": str(own.folder / "policy.toml")},
            cwd=own.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        outcome.update(json.loads(done.stdout))

    found = measure(name, 0.002, 50, 200, {}, audit)  # which judges the owners
    assert outcome["differences"] == []
    assert all(table["left_out"] == 0 for table in outcome["tables"])
    assert found["others_before"]["found"] + found["others_meanwhile"]["found"] > 0
    assert found["peak_rss"] > 0
    assert found["exchanged"] + found["direct"] + found["namings"] > 0


def test_follows_touchpoints_to_their_owners() -> None:
    [found] = bench("--latency", "--rate", "200", "--seconds", "8", "--warm-up", "1")
    for probe in found["probes"]:
        assert probe["found"] == probe["sent"] > 10
        assert 0 < probe["p50"] <= probe["max"]
    assert found["transferred"] > 0


def test_a_stream_has_the_shares_that_it_is_to_have() -> None:
    stream = Browsing(100_000, 0, 10**9)
    assert sum(1 for _ in stream.touchpoints()) == 100_000
    assert stream.web / 100_000 == pytest.approx(0.7, abs=0.02)
    assert stream.anonymous / stream.web == pytest.approx(0.6, abs=0.02)
    assert len(stream.claimed) / len(stream.by_cookie) == pytest.approx(0.5, abs=0.02)


def bench(*arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.identity", *arguments, "--json"],
        cwd=_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["found"]
    return found
