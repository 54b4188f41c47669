from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import InvalidInput
from pipeline.journey import policy
from pipeline.journey.case_policy import CasePolicy

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


def test_cases_of_a_type_can_be_closed_by_other_stages_and_after_another_silence() -> None:
    read = policy.parse(
        {"case": {"ticket": {"closed_by": ["answered"], "closes_after": "2d"}, "order": {"closes_after": "9d"}}}
    )
    assert read.cases == {"ticket": CasePolicy(("answered",), 2 * DAY), "order": CasePolicy(None, 9 * DAY)}
    assert policy.parse({}).cases == {}


@pytest.mark.parametrize(
    ("case", "wrong"),
    [
        ("open", r"\[case.TYPE\]"),
        ({"ticket": {}}, r"\[case.ticket\] must hold"),
        ({"ticket": {"idle": "3d"}}, r"\[case.ticket\] must hold"),
        ({"ticket": {"closed_by": "answered"}}, "list of stages"),
        ({"ticket": {"closes_after": "3"}}, "closes_after"),
    ],
)
def test_a_policy_of_cases_that_makes_no_sense_is_refused(case: object, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        policy.parse({"case": case})
