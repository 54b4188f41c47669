"""Answers from a CSV file, for a history that the pipeline has not seen."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from pipeline.cli.fit.visit_file import time_of
from pipeline.errors import InvalidInput
from pipeline.fitting.satisfaction import Answers, answers_of
from pipeline.scales import SCALES, millipoints
from pipeline.scores.satisfaction.model import DAY_MS

_COLUMNS = ("customer", "at", "instrument", "score")


def read_answers(path: Path) -> Answers:
    """Read a CSV file with the columns customer, at (RFC 3339, or a date), instrument, score, and perhaps about.

    Raises InvalidInput, which names the line.
    """
    rows: list[tuple[str, float, float, str]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            read = csv.DictReader(file)
            if missing := [column for column in _COLUMNS if column not in (read.fieldnames or ())]:
                raise InvalidInput(
                    f"{path} has no column {missing[0]}. The first line has to name {', '.join(_COLUMNS)}."
                )
            for row in read:
                if not row["customer"]:
                    raise InvalidInput(f"{path}, line {read.line_num}: the customer is empty.")
                at = time_of(path, read.line_num, row["at"]) / DAY_MS
                score = _score(path, read.line_num, row["instrument"], row["score"])
                rows.append((row["customer"], at, score, row.get("about") or ""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path} can't be read as CSV: {error}.") from None
    answers = answers_of(rows)
    if answers is None:
        raise InvalidInput(f"{path} has no answers.")
    return answers


def _score(path: Path, line: int, instrument: str | None, written: str | None) -> float:
    scale = SCALES.get(instrument or "")
    if scale is None:
        raise InvalidInput(f"{path}, line {line}: {instrument!r} is no instrument. There are {', '.join(SCALES)}.")
    try:
        score = float(written or "")
    except ValueError:
        score = math.nan
    if not scale.worst <= score <= scale.best:
        raise InvalidInput(
            f"{path}, line {line}: {written!r} is not on {instrument}'s scale, {scale.worst:g} to {scale.best:g}."
        )
    return millipoints(instrument or "", score) / 1000
