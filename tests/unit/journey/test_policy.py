from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import InvalidInput
from pipeline.journey import policy

DAY = 86_400_000


def test_the_most_particular_gap_holds(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text('gap = "30m"\ngrace = "20m"\n[channel.email]\ngap = "3d"\n[kind.call_ended]\ngap = "1d"\n')
    read = policy.read(file)
    assert read.gap("web", "page_viewed") == 30 * 60_000
    assert read.gap("email", "email_opened") == 3 * DAY
    assert read.gap("email", "call_ended") == DAY
    assert read.grace_ms == 20 * 60_000


def test_the_default_policy_can_be_read() -> None:
    assert policy.read(None).gap("web", "page_viewed") == 30 * 60_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('gap = "soon"', "gap is 'soon'"),
        ("gap = 30", "gap is 30"),
        ('gap = "2y"', "gap is '2y'"),
        ('gap = "400d"', "at most 366d"),
        ('[channel.fax]\ngap = "1d"', "unknown channel fax"),
        ('[channel.email]\nlength = "1d"', "[channel.email] must hold gap"),
        ('pause = "1d"', "unknown pause"),
        ('channel = "1d"', "channel must be tables"),
        ("gap = ", "Invalid value"),
    ],
)
def test_a_wrong_policy_is_refused_with_the_place_that_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    with pytest.raises(InvalidInput) as error:
        policy.read(file)
    assert said in str(error.value)
    assert str(file) in str(error.value)


def test_a_missing_policy_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not there"):
        policy.read(tmp_path / "none.toml")
