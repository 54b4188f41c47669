"""What an offset's metadata says of a ledger's commits."""

from __future__ import annotations

import pytest

from pipeline.ledger.positions import Position
from pipeline.publishing.transactional_producer import _commit_number

POSITION = Position("t", 0, epoch=3, commits=20, next_offset=500, watermark=0, lineage="6c0e")


@pytest.mark.parametrize(
    ("metadata", "published"),
    [
        ("6c0e 17", 17),
        ("6c0e 20", 20),
        ("another 17", 0),  # the ledger was made anew
        ("6c0e 21", 0),  # the ledger was put back to before
        (None, 0),
        ("", 0),
        ("6c0e", 0),
        ("6c0e x", 0),
    ],
)
def test_only_commits_of_this_ledgers_past_count_as_published(metadata: str | None, published: int) -> None:
    assert _commit_number(metadata, POSITION) == published
