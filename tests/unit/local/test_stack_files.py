import os
from pathlib import Path

import pytest

from pipeline.local import files


def test_a_secret_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "a" / "password"
    files.write(path, "one", mode=0o600)
    files.write(path, "two", mode=0o600)
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_write_that_fails_leaves_the_old_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "env"
    files.write(path, "old")

    def full(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        files.write(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["env"]


def test_half_filled_folders_are_apart_and_cleared(tmp_path: Path) -> None:
    data = tmp_path / "kafka"
    halves = {files.beside(data), files.beside(data)}
    assert len(halves) == 2
    files.clear_beside(data)
    assert list(tmp_path.iterdir()) == []
