from __future__ import annotations

import logging

from pipeline.observe.repeats import Repeats


def test_a_line_that_repeats_itself_is_written_once_a_pause() -> None:
    now = 0.0
    repeats = Repeats(10, lambda: now)

    def line(text: str) -> bool:
        return repeats.filter(logging.LogRecord("x", logging.ERROR, "", 0, text, ("1",), None))

    assert line("away %s")
    assert line("another")
    now = 9.9
    assert not line("away %s")
    now = 10
    assert line("away %s")
