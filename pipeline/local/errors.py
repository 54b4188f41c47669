"""Errors of local servers."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.local import logs


class StartFailed(PipelineError):
    """A server ended or did not answer in time; the message names its log and shows the log's end."""

    def __init__(self, title: str, what: str, log: Path) -> None:
        super().__init__(f"{capitalised(title)} {what}. Its log, {log}, ends with:\n{logs.tail(log)}")


class Cancelled(PipelineError):
    """A start was cancelled because another server failed to start."""


def capitalised(title: str) -> str:
    """Return a server's title with its first letter in upper case."""
    return title[0].upper() + title[1:]
