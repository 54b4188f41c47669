"""Failpoints: a worker that is told to gets its signal at the place and time named, and a wrong setting is refused."""

from __future__ import annotations

import os
import signal

import pytest

from pipeline.errors import InvalidInput
from pipeline.failpoint import PLACES, failpoint


@pytest.mark.parametrize(("action", "number"), [("", signal.SIGKILL), ("stop", signal.SIGSTOP)])
def test_the_nth_time_at_the_place_brings_the_signal(
    monkeypatch: pytest.MonkeyPatch, action: str, number: signal.Signals
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _pid, which: sent.append(which))
    reached = failpoint(f"after_commit:2:{action}" if action else "after_commit:2")
    for place in ("after_commit", "before_commit"):
        reached(place)
    assert sent == []
    reached("after_commit")
    assert sent == [number]
    reached("after_commit")
    assert sent == [number]


def test_without_a_setting_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("a signal was sent"))
    for place in PLACES:
        failpoint(None)(place)


@pytest.mark.parametrize("setting", ["nowhere", "taking:0", "taking:x", "taking:1:explode", ":2"])
def test_a_setting_that_names_no_place_number_or_action_is_refused(setting: str) -> None:
    with pytest.raises(InvalidInput, match="PIPELINE_FAILPOINT"):
        failpoint(setting)
