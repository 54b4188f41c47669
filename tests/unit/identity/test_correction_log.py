"""Corrections that take back corrections."""

from __future__ import annotations

from pipeline.identity.correction import MERGED, RETRACTED, SPLIT, Correction
from pipeline.identity.correction_log import CorrectionLog

A, B = "customer:a", "customer:b"


def correction(kind: str, at: int, event_id: str, subject: str | None = None, other: str | None = None) -> Correction:
    return Correction(A, (A,), kind, at, "crm", event_id, subject, other)


def test_a_retraction_that_is_retracted_retracts_nothing() -> None:
    merge = correction(MERGED, 1, "merge", other=B)
    retraction = correction(RETRACTED, 2, "retraction", "merge")
    assert CorrectionLog([merge, retraction]).survivors == {}
    again = correction(RETRACTED, 3, "again", "retraction")
    assert CorrectionLog([again, merge, retraction]).survivors == {B: A}
    assert CorrectionLog([again, merge, retraction]).retractions.keys() == {("crm", "retraction")}


def test_a_split_that_is_retracted_leaves_the_merge() -> None:
    merge, split = correction(MERGED, 1, "merge", other=B), correction(SPLIT, 2, "split", "merge")
    assert CorrectionLog([merge, split]).survivors == {}
    retraction = correction(RETRACTED, 3, "retraction", "split")
    assert CorrectionLog([retraction, split, merge]).survivors == {B: A}
