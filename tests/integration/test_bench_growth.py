"""The measurements of growth work, and every record is accounted for; speed is not asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import fastavro
import pytest

from bench.growth import Case, measure
from bench.templates import Crowd
from pipeline.contract.encode import HEADER_BYTES, Encoder
from pipeline.contract.schema import parse_safely, schema_text
from pipeline.topics import TOUCHPOINTS

pytestmark = pytest.mark.long

_ROOT = Path(__file__).resolve().parents[2]


def test_the_long_run_accounts_for_all_events_and_has_samples() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.growth", "--quick", "--only", "ten-million", "--json"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [found] = json.loads(done.stdout)["found"]["ten-million"]
    assert found["processed"] == found["events"]
    assert found["duplicates"] == found["quarantined"] == 0
    assert found["peak_rss"][0] >= max(sample["rss"] for sample in found["samples"]) > 0
    assert found["database_bytes_per_million"] > 0
    assert 0 < found["customers_seen"] <= found["customers"]


def test_two_workers_on_tables_that_hold_journeys_share_the_partitions() -> None:
    found = measure(Case(events=2_000, least=40, customers=10_000, journeys=600, partitions=4, workers=2, waiting=True))
    assert found["processed"] == 2_000
    assert sorted(found["assigned"]) == [2, 2]
    assert len(found["peak_rss"]) == 2
    assert found["journeys_made"] >= found["customers_seen"] > 40
    assert all(seconds > 0 for seconds in found["cpu_s_per_million"].values())


def test_customers_with_cookies_have_all_touchpoints_of_theirs() -> None:
    case = Case(events=600, least=200, customers=200, partitions=4, samples=True, claimed=True)
    found = measure(case)  # which judges the owners
    assert found["processed"] == 600
    assert found["customers_seen"] >= 200
    assert found["samples"]


def test_more_customers_share_the_same_journeys() -> None:
    encoder = Encoder(1, schema_text(TOUCHPOINTS))
    few = list(Crowd(events=3_000, customers=100, least=100).records(encoder))
    many = list(Crowd(events=3_000, customers=5_000, least=100).records(encoder))
    assert len(few) == len(many) == 3_000
    assert len({key for key, _ in few}) <= 100 < len({key for key, _ in many})
    for (key, value), (other_key, _) in zip(few, many, strict=True):
        assert key.split(b".")[2:] == other_key.split(b".")[2:]
        read = fastavro.schemaless_reader(BytesIO(value[HEADER_BYTES:]), parse_safely(schema_text(TOUCHPOINTS)))
        assert f"customer:{read['customer_id']}".encode() == key
    assert len({value[HEADER_BYTES : HEADER_BYTES + 11] for _, value in many}) == 3_000  # their event_ids
