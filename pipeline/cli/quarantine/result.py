"""What became of a replay."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Result:
    """Counts; by reason what will come back; by record what was not delivered, and why."""

    replayed: int = 0
    #: Named, but replayed or discarded before.
    settled_already: int = 0
    still_wrong: dict[str, int] = field(default_factory=dict)
    undelivered: dict[str, str] = field(default_factory=dict)
    #: Corrected lines that are not valid.
    refused: int = 0
