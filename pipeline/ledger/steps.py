"""A journey's steps as the column `steps` holds them: a list of objects, without what is null."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from sys import intern

import orjson

from pipeline.journey.step import KEY_BYTES, Measures, Step, StepType
from pipeline.journey.steps import JSON, Steps
from pipeline.ledger.moments import ms

#: Number of step types, and of hours, whose text is remembered; when there are more, all are forgotten.
_MEMO = 20_000
_HOUR_MS = 3_600_000
#: The part of a time after the hour: minute and second, then the milliseconds.
_MINUTES_SECONDS = [f"{minute:02}:{second:02}" for minute in range(60) for second in range(60)]
_MILLISECONDS = [f'.{ms:03}000Z"' if ms else 'Z"' for ms in range(1_000)]


class _StepsWriter:
    """Writes steps as JSON; it remembers the text of a step's type and of an hour.

    orjson would need a dict and a datetime for each step.
    """

    def __init__(self) -> None:
        self._types: dict[StepType, str] = {}
        self._hours: dict[int, str] = {}

    def write(self, steps: Sequence[Step]) -> str:
        """Return a JSON object for each step, each followed by a comma; `at` is RFC 3339 in UTC."""
        parts: list[str] = []
        types, hours = self._types, self._hours
        for at, sequence, _, kind, measures, via, sender, subject in steps:
            hour, rest = divmod(at, _HOUR_MS)
            second, millisecond = divmod(rest, 1_000)
            parts += (
                hours.get(hour) or self._write_hour(hour),
                _MINUTES_SECONDS[second],
                _MILLISECONDS[millisecond],
                types.get(kind) or self._write_type(kind),
            )
            if measures is not None:
                parts.append(_measures_text(measures))
            if sequence:
                parts.append(f',"sequence":{sequence}')
            if via is not None:
                parts.append(_origin_text(via, sender))
            if subject is not None:
                parts.append(f',"subject":{_quoted(subject)}')
            parts.append("},")
        return "".join(parts)

    def _write_hour(self, hour: int) -> str:
        if len(self._hours) >= _MEMO:
            self._hours.clear()
        begin = datetime.fromtimestamp(hour * 3_600, UTC)
        text = self._hours[hour] = f'{{"at":"{begin:%Y-%m-%dT%H:}'
        return text

    def _write_type(self, kind: StepType) -> str:
        if len(self._types) >= _MEMO:
            self._types.clear()
        text = self._types[kind] = "".join(
            [f',"{name}":{_quoted(word)}' for name, word in kind._asdict().items() if word is not None]
        )
        return text


_writer = _StepsWriter()


def steps_text(steps: Steps) -> str:
    """Return steps as a JSON list; only those that were not written for an earlier revision are written."""
    whole: str = steps.written(JSON, _writer.write)
    return f"[{whole[:-1]}]"


def _measures_text(measures: Measures) -> str:
    text = ""
    if measures.wait_ms is not None:
        text += f',"wait_ms":{measures.wait_ms}'
    if measures.duration_ms is not None:
        text += f',"duration_ms":{measures.duration_ms}'
    if measures.score is not None:
        text += f',"score":{measures.score}'
    if measures.amount_minor is not None:
        text += f',"amount_minor":{measures.amount_minor},"currency":{_quoted(measures.currency)}'
    if measures.late_ms is not None:
        text += f',"late_ms":{measures.late_ms}'
    if measures.about is not None:
        text += f',"about":{_quoted(measures.about)}'
    return text


def _origin_text(via: str, sender: str | None) -> str:
    return f',"via":{_quoted(via)}' + (f',"sender":{_quoted(sender)}' if sender is not None else "")


def _quoted(word: str | None) -> str:
    return orjson.dumps(word).decode()


def parse_steps(text: str, keys: bytes) -> list[Step]:
    """Return the steps of a column's text, with their keys, which stand first in `keys` in the same order.

    Equal types are one object in memory.
    """
    return [
        Step(
            ms(datetime.fromisoformat(step["at"])),
            step.get("sequence", 0),
            keys[i * KEY_BYTES : (i + 1) * KEY_BYTES],
            _shared_type(*[step.get(name) for name in StepType._fields]),
            _parse_measures(step),
            step.get("via"),
            step.get("sender"),
            step.get("subject"),
        )
        for i, step in enumerate(orjson.loads(text))
    ]


@lru_cache(_MEMO)
def _shared_type(channel: str, kind: str, stage: str, outcome: str, begun_by: str | None) -> StepType:
    return StepType(
        intern(channel), intern(kind), intern(stage), intern(outcome), None if begun_by is None else intern(begun_by)
    )


def _parse_measures(step: dict[str, object]) -> Measures | None:
    given = {name: step[name] for name in Measures._fields if name in step}
    return Measures(**given) if given else None  # type: ignore[arg-type]
