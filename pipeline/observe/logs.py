"""Structured logs on standard error: JSON lines, or readable ones on a terminal. No personal data goes in.

Everything that a worker's process writes there goes through here: the project's own lines, those of libraries,
warnings, and exceptions that nobody caught.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog

from pipeline.observe.build import package_version
from pipeline.observe.repeats import Repeats

log = structlog.get_logger(__name__)

#: Fields of every line: `version`, and `instance` once it is known.
_common: dict[str, str] = {}


def configure(level: str = "info") -> None:
    """Configure the logs of this project, and of its libraries (warnings and above)."""
    number = logging.getLevelNamesMapping()[level.upper()]
    _common["version"] = package_version()
    readable = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_common,
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_NamedLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    handler.addFilter(Repeats())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
    # Faust warns of what is intended here: `pipeline init` declares topics, and slices make gaps.
    logging.getLogger("faust.transport.drivers.aiokafka").setLevel(logging.ERROR)
    logging.getLogger("faust.transport.consumer").setLevel(logging.ERROR)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def set_instance(name: str) -> None:
    """Say in each line from now on as which instance the worker takes part."""
    _common["instance"] = name


class _NamedLogger(structlog.PrintLogger):
    """Prints to standard error, and knows the module that it is of."""

    def __init__(self, name: str = "") -> None:
        super().__init__(sys.stderr)
        self.name = name


def _add_common(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {**_common, **event}


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        log.warning("interrupted")
        return
    log.critical("an exception that nobody caught", exc_info=(kind, error, trace))


def _uncaught_in_thread(failed: threading.ExceptHookArgs) -> None:
    error = failed.exc_value or failed.exc_type()
    log.critical(
        "an exception that nobody caught",
        thread=failed.thread.name if failed.thread else None,
        exc_info=(failed.exc_type, error, failed.exc_traceback),
    )
