"""Finding a commit among what a Postgres client sends, however the bytes are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from faults.wire import COMMIT, Commits, Frames
from pipeline.ledger.commit import CommitStatement
from pipeline.scores.registry import SCORES

STARTUP = (12).to_bytes(4, "big") + (196608).to_bytes(4, "big") + b"u\0x\0"
SSL = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def parse(name: bytes, statement: bytes) -> bytes:
    return message(b"P", name + b"\0" + statement + b"\0" + b"\0\0")


def bind(name: bytes) -> bytes:
    return message(b"B", b"\0" + name + b"\0" + b"\0\0")


@given(st.lists(st.binary(max_size=20), max_size=6), st.lists(st.integers(1, 9), min_size=1))
def test_messages_come_out_whole_however_they_are_cut(bodies: list[bytes], cuts: list[int]) -> None:
    sent = [SSL, STARTUP, *(message(b"B", body) for body in bodies)]
    stream, frames, got = b"".join(sent), Frames(untyped=True), []
    while stream:
        size = cuts[len(got) % len(cuts)]
        got += list(frames.feed(stream[:size]))
        stream = stream[size:]
    assert got == sent


def test_a_commit_is_its_execution_and_not_its_preparation() -> None:
    commits = Commits()
    assert not commits.is_commit(parse(b"s1", b"WITH moved AS (" + COMMIT + b" = 1)"))
    assert commits.is_commit(bind(b"s1"))
    assert commits.is_commit(bind(b"s1"))


def test_other_statements_are_no_commits() -> None:
    commits = Commits()
    commits.is_commit(parse(b"s1", COMMIT))
    commits.is_commit(parse(b"s2", b"SELECT 1"))
    assert not commits.is_commit(bind(b"s2"))
    assert not commits.is_commit(message(b"Q", b"SELECT 1\0"))


def test_a_name_that_is_prepared_anew_is_another_statement() -> None:
    commits = Commits()
    commits.is_commit(parse(b"", COMMIT))
    commits.is_commit(parse(b"", b"SELECT 1"))
    assert not commits.is_commit(bind(b""))


def test_the_mark_stands_in_the_statement_that_workers_run() -> None:
    assert COMMIT.decode() in CommitStatement(SCORES).sql
