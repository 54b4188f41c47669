"""Answers from a CSV file, for a history that the pipeline has not seen."""

from __future__ import annotations

import math
from pathlib import Path

from pipeline.cli.fit.csv_file import CsvRow, rows
from pipeline.errors import InvalidInput
from pipeline.fitting.satisfaction import Answers, answers_of
from pipeline.scales import SCALES, millipoints
from pipeline.scores.satisfaction.model import DAY_MS

_COLUMNS = ("customer", "at", "instrument", "score")


def read_answers(path: Path) -> Answers:
    """Read a CSV file with the columns customer, at (RFC 3339, or a date), instrument, score, and perhaps about.

    Raises InvalidInput, which names the line.
    """
    answers = answers_of(
        (row.customer, row.at_ms / DAY_MS, _score(row), row.values.get("about") or "") for row in rows(path, _COLUMNS)
    )
    if answers is None:
        raise InvalidInput(f"{path} has no answers.")
    return answers


def _score(row: CsvRow) -> float:
    instrument, written = row.values["instrument"] or "", row.values["score"]
    scale = SCALES.get(instrument)
    if scale is None:
        raise row.invalid(f"{instrument!r} is no instrument. There are {', '.join(SCALES)}.")
    try:
        score = float(written or "")
    except ValueError:
        score = math.nan
    if not scale.worst <= score <= scale.best:
        raise row.invalid(f"{written!r} is not on {instrument}'s scale, {scale.worst:g} to {scale.best:g}.")
    return millipoints(instrument, score) / 1000
