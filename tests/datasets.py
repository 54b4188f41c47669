"""The real data sets, which are not in the repository: some have no licence that would allow it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def dataset(*path: str) -> Path:
    """A file of the data sets' folder, PIPELINE_TEST_DATA (by default ../shared/data); skips the test without it."""
    folder = Path(os.environ.get("PIPELINE_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")
    file = folder.joinpath(*path)
    if not file.exists():
        pytest.skip(f"{file} is not there; PIPELINE_TEST_DATA names the folder of the data sets")
    return file
