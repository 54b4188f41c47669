from __future__ import annotations

import gzip
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.publish import publish
from pipeline.contract.text import to_json_line
from pipeline.errors import InvalidInput
from pipeline.simulate.population import touchpoints

GOOD = [to_json_line(touchpoint) for touchpoint in touchpoints(seed=1, events=30, end_ms=1_777_000_000_000)]
HEADER = "event_id,source,occurred_at,channel,kind,customer_id\n"


def check(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(publish, ["--dry-run", *map(str, arguments)], input=stdin)


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_file_of_touchpoints_is_checked_without_any_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    done = check(written(tmp_path / "a.jsonl", b"".join(GOOD)))
    assert (done.exit_code, done.stdout) == (0, "Checked 30 touchpoints from 30 lines, 0 of which refused.\n")


def test_gzipped_files_and_standard_input_are_read(tmp_path: Path) -> None:
    assert check(written(tmp_path / "a.jsonl.gz", gzip.compress(b"".join(GOOD)))).stdout.startswith("Checked 30 ")
    assert check("-", stdin=b"".join(GOOD)).stdout.startswith("Checked 30 ")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_an_empty_file_is_fine(tmp_path: Path, name: str) -> None:
    assert check(written(tmp_path / name, "")).exit_code == 0


def test_bad_lines_are_named_counted_and_make_the_exit_code_2(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", b"".join([GOOD[0], b"{\n", GOOD[1], b'{"chanel": 1}\n']))
    done = check(file, "--json")
    assert done.exit_code == 2
    assert f"{file}:2: not JSON: " in done.stderr
    assert f"{file}:4: unknown field 'chanel'; did you mean channel? (invalid_value)" in done.stderr
    summary = json.loads(done.stdout)
    del summary["seconds"]
    assert summary == {
        "lines": 4,
        "touchpoints": 2,
        "rejected": 2,
        "reasons": {"undecodable": 1, "invalid_value": 1},
        "dry_run": True,
    }


def test_only_the_first_ten_bad_lines_are_named_and_all_are_kept_for_the_owner_alone(tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.jsonl"
    done = check(written(tmp_path / "a.jsonl", "nope\n" * 15), "--rejects", rejects)
    assert done.stderr.count("a.jsonl:") == 10
    assert "… and 5 more lines refused" in done.stderr
    kept = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [record["line"] for record in kept] == list(range(1, 16))
    assert {record["text"] for record in kept} == {"nope"}
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600


def test_plain_addresses_are_hashed_on_the_way(tmp_path: Path) -> None:
    record = {
        "event_id": "1", "source": "s", "occurred_at": "2026-01-01T00:00:00Z", "channel": "web", "kind": "x",
        "identifiers": [{"type": "email", "value": "anna@example.org"}],
    }  # fmt: skip
    assert check(written(tmp_path / "a.jsonl", json.dumps(record))).exit_code == 0
    record["identifiers"] = [{"type": "email", "value": "anna"}]
    done = check(written(tmp_path / "b.jsonl", json.dumps(record)))
    assert "identifiers[0] (email) is not an e-mail address" in done.stderr


def test_national_phone_numbers_are_of_the_country_that_is_said(tmp_path: Path) -> None:
    touchpoints = written(
        tmp_path / "a.csv",
        HEADER.replace("customer_id", "identifiers.phone") + "1,s,2026-01-01T00:00:00Z,web,x,030 901820\n",
    )
    calls = written(
        tmp_path / "calls.csv",
        "call_id,queued_at,ended_at,caller\n1,2026-01-01T00:00:00Z,2026-01-01T00:00:09Z,030 901820\n",
    )
    for file, options in ((touchpoints, ()), (calls, ("--from", "call-centre"))):
        assert "without its country" in check(file, *options).stderr
        assert check(file, *options, "--country", "de").exit_code == 0


def test_a_country_that_does_not_exist_or_has_no_use_is_bad_usage(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", "")
    assert "is no country" in check(file, "--country", "Germany").stderr
    assert check(file, "--from", "web", "--country", "DE").exit_code == 2


def test_wrong_columns_are_an_error_before_anything_else_is_published(tmp_path: Path) -> None:
    good = written(tmp_path / "a.csv", HEADER + "1,s,2026-01-01T00:00:00Z,web,x,c\n")
    bad = written(tmp_path / "b.csv", HEADER.replace("kind", "knd"))
    done = check(good, bad)
    assert isinstance(done.exception, InvalidInput)
    assert f"{bad}: " in str(done.exception)
    assert "Unknown columns: 'knd'; did you mean kind?. Missing columns: kind." in str(done.exception)
    assert done.stdout == ""


def test_a_file_whose_format_nothing_tells_is_bad_usage(tmp_path: Path) -> None:
    file = written(tmp_path / "a.dat", b"".join(GOOD))
    assert check(file).exit_code == 2
    assert check(file, "--format", "jsonl").exit_code == 0


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:40] + b"\xff" * 20 + data[60:]])
def test_a_broken_gzip_file_is_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    file = written(tmp_path / "a.jsonl.gz", damage(gzip.compress(b"".join(GOOD))))
    done = check(file)
    assert isinstance(done.exception, InvalidInput)
    assert f"{file} can't be read" in str(done.exception)


def test_a_channels_own_records_go_through_its_adapter(tmp_path: Path) -> None:
    page = {"type": "page", "messageId": "m", "anonymousId": "a", "timestamp": "2026-01-01T00:00:00Z"}
    file = written(tmp_path / "a.jsonl", json.dumps(page) + "\n" + json.dumps({**page, "type": "x"}))
    done = check(file, "--from", "web")
    assert done.exit_code == 2
    assert done.stdout.startswith("Checked 1 touchpoints from 2 lines, 1 of which refused.")
    assert f"{file}:2: type must be page, screen, track" in done.stderr


def test_a_record_with_one_bad_touchpoint_is_refused_as_a_whole(tmp_path: Path) -> None:
    ticket = "A1,b,s,{},2026-01-01T00:00:00Z,2026-01-01T00:01:00Z,,1,served,\n"
    header = "ticket_id,branch,service,customer_number,issued_at,called_at,finished_at,counter,result,rating\n"
    file = written(tmp_path / "a.csv", header + ticket.format("c") + ticket.format("c" * 250))
    done = check(file, "--from", "branch")
    assert done.stdout.startswith("Checked 2 touchpoints from 2 lines, 1 of which refused.")


def test_a_channels_missing_columns_are_named(tmp_path: Path) -> None:
    done = check(written(tmp_path / "a.csv", "call_id,queued_at\n"), "--from", "call-centre")
    assert isinstance(done.exception, InvalidInput)
    assert "Missing columns: ended_at." in str(done.exception)


def test_a_source_without_a_channel_is_bad_usage(tmp_path: Path) -> None:
    assert check(written(tmp_path / "a.jsonl", ""), "--source", "x").exit_code == 2


def test_what_names_nobody_by_the_policy_is_refused_before_it_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_POLICY", str(written(tmp_path / "policy.toml", '[identity]\nnobody = ["Walk-in"]\n')))
    lines = "v1,pos,2026-05-01T09:30:00Z,branch,purchase,walk-in\nv2,pos,2026-05-01T09:30:00Z,branch,purchase,c-1\n"
    done = check(written(tmp_path / "a.csv", HEADER + lines))
    assert done.exit_code == 2
    assert "a value that the policy names do (no_customer)" in done.stderr
    assert "Checked 1 touchpoints from 2 lines, 1 of which refused." in done.stdout
