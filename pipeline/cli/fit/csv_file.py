"""Reads histories from CSV files, a row at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import InvalidInput


class CsvRow(NamedTuple):
    """A row of a customer, with where it stands; `values` are by column."""

    path: Path
    line: int
    customer: str
    values: dict[str, str]

    def invalid(self, why: str) -> InvalidInput:
        """Return the error that names the line and what is wrong with it."""
        return InvalidInput(f"{self.path}, line {self.line}: {why}")

    @property
    def at_ms(self) -> int:
        """Return the time in epoch milliseconds, in UTC if it has no offset. Raises InvalidInput if it is none."""
        written = self.values["at"]
        try:
            at = datetime.fromisoformat(written or "")
        except ValueError:
            raise self.invalid(f"{written!r} is no time. Write 1997-01-18 or 1997-01-18T09:30:00Z.") from None
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def rows(path: Path, columns: Sequence[str]) -> Iterator[CsvRow]:
    """Yield the rows of a CSV file that has these columns, of which `customer` and `at` are two, and perhaps others.

    Raises InvalidInput, which names the line, for a file or a row that is none.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            read = csv.DictReader(file)
            if missing := [column for column in columns if column not in (read.fieldnames or ())]:
                raise InvalidInput(
                    f"{path} has no column {missing[0]}. The first line has to name {', '.join(columns)}."
                )
            for values in read:
                row = CsvRow(path, read.line_num, values["customer"], values)
                if not row.customer:
                    raise row.invalid("the customer is empty.")
                yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path} can't be read as CSV: {error}.") from None
