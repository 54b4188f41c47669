"""The quarantine: looking at refused records, correcting, replaying and discarding them."""

from __future__ import annotations

import json
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from harness import Pipe
from sqlalchemy import Engine, text
from starting_here import PipeFromHere, from_here

from pipeline.connections.registry import RegistryConnection
from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.registry import touchpoint_encoder
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import Feedback, Touchpoint

SECRET = "they were rude to me"
NOW = time.time_ns() // 1_000_000
GOOD = Touchpoint("q1", "test", NOW, channel="web", kind="survey_answered", customer_id="7")
WRONG = GOOD._replace(feedback=Feedback("csat", 9.0, SECRET))


@pytest.fixture
def pipe(stack_env: dict[str, str], initialised: Engine, tmp_path: Path) -> PipeFromHere:
    """Empty tables, and nothing new in the topic."""
    return from_here(stack_env, initialised, tmp_path)


@cache
def encoder(registry_url: str) -> Encoder:
    return touchpoint_encoder(RegistryConnection.from_url(registry_url))


def encoded(pipe: PipeFromHere, touchpoint: Touchpoint) -> bytes:
    return encoder(pipe.env["SCHEMA_REGISTRY_URL"]).encode(touchpoint_record(touchpoint))


def refuse(
    pipe: PipeFromHere, *values: bytes | None, key: bytes | None = b"own", reason: str = "invalid_value"
) -> None:
    """Put records into quarantine as a worker would have: at 1/0, 1/1, …"""
    with pipe.engine.begin() as connection:
        for offset, value in enumerate(values):
            connection.execute(
                text("""
                    INSERT INTO quarantine (topic, partition, "offset", reason, detail, key, raw, headers, appended_at)
                    VALUES (:topic, 1, :offset, :reason, 'a test', :key, :raw, '[["origin", "7a"]]', now())
                """),
                {"topic": TOUCHPOINTS, "offset": offset, "reason": reason, "key": key, "raw": value},
            )


def quarantined(pipe: PipeFromHere, *arguments: str) -> Any:
    return json.loads(pipe.run("quarantine", "list", "--json", *arguments).stdout)


def statuses(pipe: PipeFromHere) -> dict[str, str]:
    return {one["id"]: one["status"] for one in quarantined(pipe, "--status", "any")}


def test_a_refused_record_is_listed_shown_corrected_and_becomes_a_journey(pipe: PipeFromHere) -> None:
    pipe.produce([(b"customer:7", encoded(pipe, WRONG))])
    pipe.work()
    (listed,) = quarantined(pipe)
    assert (listed["reason"], listed["status"], listed["topic"]) == ("invalid_feedback", "new", TOUCHPOINTS)
    place = f"{listed['partition']}/{listed['offset']}"
    assert listed["id"] == place

    shown = pipe.run("quarantine", "show", place).stdout
    assert "the score is no number or not on the instrument's scale" in shown
    assert SECRET in shown
    assert encoded(pipe, WRONG)[:8].hex(" ") in shown

    line = json.loads(pipe.run("quarantine", "show", place, "--jsonl").stdout)
    line["feedback"]["score"] = 2
    (pipe.folder / "corrected.jsonl").write_text(json.dumps(line))
    assert pipe.run("quarantine", "replay", "--corrected", "corrected.jsonl").stdout == "Replayed 1 record.\n"
    pipe.work()
    assert statuses(pipe) == {place: "replayed"}
    found = json.loads(pipe.run("customer", "7", "--json").stdout)
    assert [step["score"] for step in found["journeys"][0]["steps"]] == [25.0]
    assert SECRET not in pipe.log(0) + pipe.log(1), "what customers say stays out of logs"
    assert SECRET not in pipe.run("quarantine", "list").stdout


def test_what_is_still_wrong_comes_back_once_and_says_where_it_was_before(pipe: PipeFromHere) -> None:
    pipe.produce([(b"x", b"junk")])
    pipe.work()
    (first,) = quarantined(pipe)
    done = pipe.run("quarantine", "replay", "--all")
    assert done.stdout == "Replayed 1 record.\n"
    assert "still wrong and will come back to quarantine (bad_magic 1)" in done.stderr
    pipe.work()
    assert statuses(pipe)[first["id"]] == "replayed"
    (second,) = quarantined(pipe)
    shown = pipe.run("quarantine", "show", second["id"]).stdout
    assert f"pipeline-replayed-from: {first['id']}" in shown


def test_a_replay_sends_the_bytes_with_the_customer_s_key_and_its_headers(pipe: PipeFromHere) -> None:
    value = encoded(pipe, GOOD)
    refuse(pipe, value)
    pipe.run("quarantine", "replay", "1/0")
    (message,) = pipe.sent()
    assert (message.key(), message.value()) == (b"customer:7", value)
    assert message.headers() == [("origin", b"z"), ("pipeline-replayed-from", b"1/0")]
    (row,) = pipe.sql("SELECT status, settled_at FROM quarantine")
    assert row.status == "replayed"
    assert row.settled_at is not None


def test_a_tombstone_can_be_replayed_as_one(pipe: PipeFromHere) -> None:
    refuse(pipe, None)
    pipe.run("quarantine", "replay", "1/0")
    (message,) = pipe.sent()
    assert (message.key(), message.value()) == (b"own", None)


def test_what_was_replayed_is_not_sent_twice_unless_asked_for_again(pipe: PipeFromHere) -> None:
    refuse(pipe, encoded(pipe, GOOD))
    pipe.run("quarantine", "replay", "1/0")
    done = pipe.run("quarantine", "replay", "1/0")
    assert done.stdout == "Replayed 0 records.\n"
    assert "1/0 was replayed on" in done.stderr
    pipe.run("quarantine", "replay", "--all")
    assert len(pipe.sent()) == 1
    pipe.run("quarantine", "replay", "1/0", "--again")
    assert len(pipe.sent()) == 2


def test_a_reason_chooses_its_records_and_leaves_the_others(pipe: PipeFromHere) -> None:
    refuse(pipe, b"a", b"b", reason="bad_magic")
    with pipe.engine.begin() as connection:
        connection.execute(text("""UPDATE quarantine SET reason = 'empty' WHERE "offset" = 1"""))
    pipe.run("quarantine", "replay", "--reason", "bad_magic")
    assert statuses(pipe) == {"1/0": "replayed", "1/1": "new"}


def test_many_records_are_replayed_in_one_go_each_once(pipe: PipeFromHere) -> None:
    values = [encoded(pipe, GOOD._replace(event_id=f"q{n}", customer_id=f"c{n}")) for n in range(450)]
    refuse(pipe, *values)
    assert pipe.run("quarantine", "replay", "--all").stdout == "Replayed 450 records.\n"
    assert sorted(message.value() or b"" for message in pipe.sent()) == sorted(values)
    assert set(statuses_in_table(pipe)) == {"replayed"}


def statuses_in_table(pipe: PipeFromHere) -> list[str]:
    return [row.status for row in pipe.sql("SELECT status FROM quarantine")]


@pytest.mark.parametrize("arguments", [("1/0",), ("--corrected", "corrected.jsonl")])
def test_nothing_is_settled_while_the_broker_is_away(pipe: PipeFromHere, arguments: tuple[str, ...]) -> None:
    refuse(pipe, encoded(pipe, GOOD))
    (pipe.folder / "corrected.jsonl").write_text(pipe.run("quarantine", "show", "1/0", "--jsonl").stdout)
    away = Pipe({**pipe.env, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, pipe.engine, pipe.folder)
    done = away.run("quarantine", "replay", *arguments, check=False)
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
    assert statuses(pipe) == {"1/0": "new"}


def test_a_bad_corrected_line_leaves_its_record_and_the_good_ones_are_published(pipe: PipeFromHere) -> None:
    refuse(pipe, encoded(pipe, WRONG), encoded(pipe, WRONG._replace(event_id="q2")))
    lines = pipe.run("quarantine", "show", "1/0", "1/1", "--jsonl").stdout.splitlines()
    (pipe.folder / "corrected.jsonl").write_text(lines[0] + "\n" + lines[1].replace("9.0", "5") + "\n")
    done = pipe.run("quarantine", "replay", "--corrected", "corrected.jsonl", check=False)
    assert done.returncode == 2
    assert done.stdout == "Replayed 1 record.\n"
    assert "corrected.jsonl:1: feedback.score 9.0 is not on csat's scale" in done.stderr
    assert statuses(pipe) == {"1/0": "new", "1/1": "replayed"}
    assert len(pipe.sent()) == 1


def test_a_corrected_record_is_not_published_twice(pipe: PipeFromHere) -> None:
    refuse(pipe, encoded(pipe, GOOD))
    (pipe.folder / "corrected.jsonl").write_text(pipe.run("quarantine", "show", "1/0", "--jsonl").stdout)
    for _ in range(2):
        pipe.run("quarantine", "replay", "--corrected", "corrected.jsonl")
    assert len(pipe.sent()) == 1


def test_discarded_records_are_left_out_of_replays_and_stay_in_quarantine(pipe: PipeFromHere) -> None:
    refuse(pipe, b"a", b"b")
    assert pipe.run("quarantine", "discard", "1/0").stdout == "Discarded 1 record.\n"
    pipe.run("quarantine", "replay", "--all")
    assert statuses(pipe) == {"1/0": "discarded", "1/1": "replayed"}
    assert pipe.run("quarantine", "discard", "1/0", "1/1").stdout == "Discarded 0 records. 2 settled already.\n"
    assert [message.value() for message in pipe.sent()] == [b"b"]


def test_the_list_can_be_narrowed_and_counted(pipe: PipeFromHere) -> None:
    refuse(pipe, b"a", b"b", b"c", reason="bad_magic")
    pipe.run("quarantine", "discard", "1/2")
    assert [one["id"] for one in quarantined(pipe, "--limit", "1")] == ["1/1"]
    assert [one["id"] for one in quarantined(pipe, "--status", "discarded")] == ["1/2"]
    assert quarantined(pipe, "--reason", "empty") == []
    assert quarantined(pipe, "--since", "2100-01-01T00:00:00Z") == []
    assert len(quarantined(pipe, "--since", "1h")) == 2
    (counted,) = quarantined(pipe, "--summary", "--status", "any")
    assert (counted["reason"], counted["new"], counted["discarded"]) == ("bad_magic", 2, 1)


def test_the_bytes_can_be_kept_in_a_file_that_only_its_owner_reads(pipe: PipeFromHere) -> None:
    refuse(pipe, bytes(range(256)))
    pipe.run("quarantine", "show", "1/0", "--raw", "raw.bin")
    assert (pipe.folder / "raw.bin").read_bytes() == bytes(range(256))
    assert (pipe.folder / "raw.bin").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "9/99"), 1, "No record 9/99 in quarantine"),
        (("replay", "9/99"), 1, "No record 9/99 in quarantine"),
        (("discard", "9/99"), 1, "No record 9/99 in quarantine"),
        (("show", "9-99"), 2, "is not PARTITION/OFFSET"),
        (("replay",), 2, "--all"),
        (("replay", "1/0", "--all"), 2, "--all"),
        (("discard",), 2, "--all"),
        (("list", "--since", "yesterday"), 2, "RFC 3339"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_a_reason(
    pipe: PipeFromHere, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = pipe.run("quarantine", *arguments, check=False)
    assert done.returncode == code
    assert said in done.stderr
