from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.simulate import simulate
from pipeline.contract.text import from_json_line
from pipeline.touchpoint import Touchpoint

END = ("--end", "2026-05-01T00:00:00Z")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(simulate, arguments)


def test_json_lines_go_to_standard_output_and_the_summary_elsewhere() -> None:
    done = run("--events", "50", "--out", "-", *END)
    assert done.exit_code == 0
    found = [from_json_line(line) for line in done.stdout.splitlines()]
    assert len(found) == 50
    assert all(isinstance(touchpoint, Touchpoint) for touchpoint in found)
    assert "50 touchpoints up to 2026-05-01T00:00:00.000Z" in done.stderr


def test_the_same_options_make_the_same_file(tmp_path: Path) -> None:
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for file in files:
        options = ["--events", "500", "--disorder", "0.1", "--duplicates", "0.1", "--out", str(file), *END]
        assert run(*options).exit_code == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    lines = files[0].read_bytes().splitlines()
    assert len(lines) > len(set(lines)) == 500


def test_a_file_may_be_compressed_and_the_summary_json(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl.gz"
    done = run("--events", "20", "--out", str(file), "--json", *END)
    assert json.loads(done.stdout)["touchpoints"] == 20
    assert len(gzip.decompress(file.read_bytes()).splitlines()) == 20


def test_a_rate_is_kept() -> None:
    begun = time.monotonic()
    assert run("--events", "11", "--rate", "20", "--out", "-", *END).exit_code == 0
    assert time.monotonic() - begun >= 0.5


def test_the_truth_says_once_of_every_touchpoint_whose_it_is(tmp_path: Path) -> None:
    out, truth = tmp_path / "a.jsonl", tmp_path / "truth.jsonl.gz"
    options = ["--events", "3000", "--duplicates", "0.1", "--disorder", "0.1", "--out", str(out), *END]
    assert run(*options, "--identity", "--truth", str(truth)).exit_code == 0
    touchpoints = [json.loads(line) for line in out.read_bytes().splitlines()]
    told = [json.loads(line) for line in gzip.decompress(truth.read_bytes()).splitlines()]
    fields = {"source", "event_id", "occurred_at", "person", "known"}
    assert all(set(each) == fields | (set() if each["known"] else {"why"}) for each in told)
    assert {each["known"] for each in told} == {True, False}
    known = [(each["source"], each["event_id"], each["occurred_at"]) for each in told]
    corrections = {"identity_ended", "customer_merged"}
    assert len(known) == len(set(known))
    assert set(known) == {
        (each["source"], each["event_id"], each["occurred_at"])
        for each in touchpoints
        if each["kind"] not in corrections
    }
    assert corrections == corrections & {each["kind"] for each in touchpoints}


def test_the_truth_needs_identity(tmp_path: Path) -> None:
    done = run("--truth", str(tmp_path / "truth.jsonl"), "--out", "-")
    assert done.exit_code == 2
    assert "--truth goes with --identity" in done.stderr


@pytest.mark.parametrize(
    "options",
    [("--end", "2026-05-01T00:00:00"), ("--events", "-1"), ("--disorder", "2"), ("--days", "0"), ("--rate", "0")],
)
def test_an_impossible_option_is_bad_usage(options: tuple[str, str]) -> None:
    assert run(*options, "--out", "-").exit_code == 2


def test_lifetimes_and_their_truth_are_written(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl.gz"
    done = run("--lifetimes", "--customers", "20", "--truth", str(truth), "--out", "-", *END)
    assert done.exit_code == 0
    touchpoints = [from_json_line(line) for line in done.stdout.splitlines()]
    told = [json.loads(line) for line in gzip.decompress(truth.read_bytes()).splitlines()]
    assert len(told) == 20
    assert {each.customer_id for each in touchpoints if isinstance(each, Touchpoint)} == {
        each["customer_id"] for each in told
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--lifetimes", "--events", "5"], "use --customers and --days"),
        (["--lifetimes", "--identity"], "does not go with --identity"),
        (["--leave-after-complaint", "0.5"], "goes with --lifetimes"),
    ],
)
def test_what_does_not_go_with_lifetimes_is_refused(options: list[str], said: str) -> None:
    done = run(*options, "--out", "-")
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
