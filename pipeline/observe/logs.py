"""Structured logs on standard error: JSON lines, or readable ones on a terminal. No personal data goes in."""

from __future__ import annotations

import logging
import sys

import structlog

from pipeline.observe.repeats import Repeats


def configure(level: str = "info") -> None:
    """Configure the logs of this project, and of its libraries (warnings and above)."""
    number = logging.getLevelNamesMapping()[level.upper()]
    readable = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
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
