"""A journey's steps as the table holds them, of this version and of earlier ones."""

from __future__ import annotations

import orjson
import pytest

from pipeline.journey.step import Measures, Step, StepType, event_key
from pipeline.journey.steps import Steps
from pipeline.ledger.steps import parse_steps, steps_text

T0 = 1_700_000_000_000
KEY = event_key("shop", "1", T0)
PLAIN = Step(T0, 0, KEY, StepType("web", "page_viewed", "before", "none"))
FULL = Step(
    T0, 2**63 - 1, KEY, StepType("web", "purchase", "during", "succeeded", "company"),
    Measures(1, 2, 50.0, 3, "EUR", -4, "web/search_performed"), "anonymous:cookie", "email:e", "order-1",
)  # fmt: skip


@pytest.mark.parametrize(
    "step", [PLAIN, FULL, PLAIN._replace(measures=Measures(late_ms=0)), PLAIN._replace(subject='order "1"')]
)
def test_a_step_is_read_as_it_was_written(step: Step) -> None:
    assert parse_steps(steps_text(Steps([step])), KEY) == [step]


def test_steps_of_an_earlier_version_are_read_and_a_step_without_anything_new_is_written_like_them() -> None:
    earlier = '[{"at":"2023-11-14T22:13:20Z","channel":"web","kind":"page_viewed","stage":"before","outcome":"none"}]'
    assert parse_steps(earlier, KEY) == [PLAIN]
    assert orjson.loads(steps_text(Steps([PLAIN]))) == orjson.loads(earlier)
