"""Opening the tables for a fit, unless it does without them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from pipeline import settings
from pipeline.queries.connection import writing


@contextmanager
def opened(file: Path | None, dry_run: bool) -> Iterator[Connection | None]:
    """Open the tables, unless neither the history nor the result is there."""
    if file is not None and dry_run:
        yield None
        return
    with writing(settings.load(needs=settings.READER).database_url) as connection:
        yield connection
