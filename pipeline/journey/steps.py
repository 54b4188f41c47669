"""The steps of one revision of a journey, with what was written of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipeline.journey.step import Step

#: The forms in which steps are written: JSON for Postgres, Avro for Kafka. Each is an attribute of `Steps`.
JSON, AVRO = "json", "avro"


class Steps:
    """An immutable sequence of steps that remembers how it was written.

    Each revision of a journey writes all of its steps, and most revisions only append some, or nothing. So a sequence
    can say which earlier one it begins with; then only the rest is written. A form is a text or bytes that grow by
    concatenation: one step after the other. The earlier sequence is let go when both forms are there.
    """

    __slots__ = ("_base", "avro", "items", "json")

    def __init__(self, items: Sequence[Step], base: Steps | None = None) -> None:
        self.items: tuple[Step, ...] = tuple(items)
        self._base = base
        self.json: Any = None
        self.avro: Any = None

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Steps) and self.items == other.items

    def written(self, form: str, write: Callable[[Sequence[Step]], Any]) -> Any:
        """Return all steps in a form; `write` makes it of those that are not written yet."""
        whole = getattr(self, form)
        return self.complete(form, write(self.unwritten(form))) if whole is None else whole

    def unwritten(self, form: str) -> tuple[Step, ...]:
        """Return the steps that are still to be written in a form; `complete` takes what they come to."""
        if getattr(self, form) is not None:
            return ()
        base = self._written_base(form)
        return self.items if base is None else self.items[len(base.items) :]

    def complete(self, form: str, rest: Any) -> Any:
        """Return all steps in a form, given the text or bytes of the `unwritten` ones."""
        whole = getattr(self, form)
        if whole is None:
            base = self._written_base(form)
            whole = rest if base is None else getattr(base, form) + rest
            setattr(self, form, whole)
            if self.json is not None and self.avro is not None:
                self._base = None
        return whole

    def _written_base(self, form: str) -> Steps | None:
        base = self._base
        while base is not None and getattr(base, form) is None:
            base = base._base
        return base
