"""A journey's steps as the column `steps` holds them: a list of objects, without what is null."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from sys import intern

import orjson

from pipeline.journey.step import KEY_BYTES, Step
from pipeline.ledger.moments import moment, ms

#: More distinct words and minutes than this are forgotten and put together anew.
_MEMO = 20_000
#: The rest of a time within its minute, by its milliseconds.
_SECONDS = [f'{second:02}.{ms:03}000Z"' if ms else f'{second:02}Z"' for second in range(60) for ms in range(1_000)]
_OPTIONAL = ("wait_ms", "duration_ms", "score", "amount_minor", "currency")


class StepsText:
    """Steps as JSON; remembers what channel, kind, stage and outcome look like together.

    A journey's revision writes all of its steps, and orjson would need a dict and a datetime for each.
    """

    def __init__(self) -> None:
        self._words: dict[tuple[str, ...], str] = {}
        self._minutes: dict[int, str] = {}

    def write(self, steps: Sequence[Step]) -> str:
        """A list of objects, `at` as RFC 3339 in UTC."""
        out: list[str] = []
        words_of, minute_of = self._words.get, self._minutes.get
        for step in steps:  # written out, since it is done most often of all
            minute = step[0] // 60_000
            words = words_of(step[2:6]) or self._spell(step[2:6])
            out += (minute_of(minute) or self._begin(minute), _SECONDS[step[0] - minute * 60_000], words)
            if not (step[6] is None and step[7] is None and step[8] is None and step[9] is None):
                out.append(_numbers(*step[6:]))
            out.append("},")
        return "[" + "".join(out)[:-1] + "]"

    def _begin(self, minute: int) -> str:
        if len(self._minutes) >= _MEMO:
            self._minutes.clear()
        begin = self._minutes[minute] = f'{{"at":"{moment(minute * 60_000):%Y-%m-%dT%H:%M:}'
        return begin

    def _spell(self, words: tuple[str, ...]) -> str:
        if len(self._words) >= _MEMO:
            self._words.clear()
        named = zip(("channel", "kind", "stage", "outcome"), words, strict=True)
        found = self._words[words] = "".join([f',"{name}":{_quoted(word)}' for name, word in named])
        return found


def _numbers(
    wait_ms: int | None, duration_ms: int | None, score: float | None, amount_minor: int | None, currency: str | None
) -> str:
    text = ""
    if wait_ms is not None:
        text += f',"wait_ms":{wait_ms}'
    if duration_ms is not None:
        text += f',"duration_ms":{duration_ms}'
    if score is not None:
        text += f',"score":{score}'
    if amount_minor is not None:
        text += f',"amount_minor":{amount_minor},"currency":{_quoted(currency)}'
    return text


def _quoted(word: str | None) -> str:
    return orjson.dumps(word).decode()


def parse(text: str, keys: bytes) -> list[Step]:
    """The steps of a column, with their keys, which stand first in `keys` in the same order.

    Equal words are one text in memory.
    """
    return [
        Step(
            ms(datetime.fromisoformat(plain["at"])),
            keys[i * KEY_BYTES : (i + 1) * KEY_BYTES],
            intern(plain["channel"]),
            intern(plain["kind"]),
            intern(plain["stage"]),
            intern(plain["outcome"]),
            *[plain.get(name) for name in _OPTIONAL],
        )
        for i, plain in enumerate(orjson.loads(text))
    ]
