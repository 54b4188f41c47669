"""The result of a replay."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Result:
    """Counts: records that will be refused again, by reason; and why records were not delivered, by record."""

    replayed: int = 0
    #: Named, but replayed or discarded before.
    settled_already: int = 0
    still_wrong: dict[str, int] = field(default_factory=dict)
    undelivered: dict[str, str] = field(default_factory=dict)
    #: Corrected lines that are not valid.
    refused: int = 0
