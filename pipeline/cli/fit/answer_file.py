"""Answers from a CSV file, for a history that the pipeline has not seen."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.cli.fit.visit_file import time_of
from pipeline.errors import InvalidInput
from pipeline.fitting.satisfaction import Answers, ordered
from pipeline.scales import SCALES, millipoints

_COLUMNS = ("customer", "at", "instrument", "score")
_DAY_MS = 86_400_000


def read_answers(path: Path) -> Answers:
    """Read a CSV file with the columns customer, at (RFC 3339, or a date), instrument, score, and perhaps about.

    Raises InvalidInput, which names the line.
    """
    customers: dict[str, int] = {}
    touchpoints: dict[str, int] = {}
    rows: list[tuple[int, float, float, int]] = []
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
                customer = customers.setdefault(row["customer"], len(customers))
                about = touchpoints.setdefault(row.get("about") or "", len(touchpoints))
                at = time_of(path, read.line_num, row["at"]) / _DAY_MS
                rows.append((customer, at, _score(path, read.line_num, row["instrument"], row["score"]), about))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path} can't be read as CSV: {error}.") from None
    if not rows:
        raise InvalidInput(f"{path} has no answers.")
    return answers_of(rows)


def answers_of(rows: Sequence[tuple[int, float, float, int]]) -> Answers:
    """Return rows (customer, day, score from 0 to 100, what it is about) as answers in their order."""
    who, days, scores, about = zip(*rows, strict=True)
    return ordered(Answers(np.array(who, np.int64), np.array(days), np.array(scores), np.array(about, np.int64)))


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
