"""Touchpoints as the audit reads them from the topic, and its rebuild of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.audit import facts, reference
from pipeline.audit.audit import prepare, rebuild
from pipeline.audit.facts import Rules
from pipeline.audit.reference import Reference
from pipeline.audit.workspace import Appender, Workspace
from pipeline.contract.decode import Writer
from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.schema import schema_text
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import Touchpoint, own_key

T0, MINUTE, DAY = 1_780_000_000_000, 60_000, 86_400_000
TEXT = schema_text(TOUCHPOINTS)
ENCODER = Encoder(1, TEXT)
RULES = Rules({(1).to_bytes(4, "big"): Writer(TEXT)}, 1, T0 + 60 * DAY, 90 * DAY, 30 * DAY)
KNOWN = reference.read(None)


@dataclass
class Message:
    """As much of a Kafka message as the audit looks at."""

    at: int
    body: bytes | None
    name: bytes | None
    marks: tuple[tuple[str, bytes], ...] = ()

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return 1, T0 + 50 * DAY

    def value(self) -> bytes | None:
        return self.body

    def key(self) -> bytes | None:
        return self.name

    def headers(self) -> list[tuple[str, bytes]]:
        return list(self.marks)


def message(offset: int, touchpoint: Touchpoint, **more: Any) -> Any:
    key = (own_key(touchpoint) or "").encode()
    return Message(offset, ENCODER.encode(touchpoint_record(touchpoint)), **{"name": key, **more})


def rebuilt(space: Workspace, messages: list[Any], known: Reference = KNOWN) -> Workspace:
    prepare(space, known)
    with Appender(space, "record") as appender:
        for each in messages:
            appender.add(facts.facts(each, RULES).row or ())
    space.insert("stretch", [(0, 0, None)])
    rebuild(space, [], known, 1)
    return space
