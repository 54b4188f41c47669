"""The steps of one revision of a journey, with what was written of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipeline.journey.step import Step

#: The forms in which steps are written: JSON for Postgres, Avro for Kafka.
JSON, AVRO = "json", "avro"
_FORMS = 2


class Steps:
    """An immutable sequence of steps that remembers how it was written.

    Each revision of a journey writes all of its steps, and most revisions only append some, or nothing. So a sequence
    can say which earlier one it begins with; then only the rest is written. A form is a text or bytes that grow by
    concatenation: one step after the other. The earlier sequence is let go when both forms are there.
    """

    __slots__ = ("_base", "_written", "items")

    def __init__(self, items: Sequence[Step], base: Steps | None = None) -> None:
        self.items: tuple[Step, ...] = tuple(items)
        self._base = base
        self._written: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Steps) and self.items == other.items

    def written(self, form: str, write: Callable[[Sequence[Step]], Any]) -> Any:
        """Return all steps in a form; `write` makes it of those that are not written yet."""
        if self._base is None and form not in self._written:
            whole = self._written[form] = write(self.items)
            return whole
        return self.complete(form, write(self.unwritten(form)))

    def unwritten(self, form: str) -> tuple[Step, ...]:
        """Return the steps that are still to be written in a form; `complete` takes what they come to."""
        if form in self._written:
            return ()
        base = None if self._base is None else self._written_base(form)
        return self.items if base is None else self.items[len(base.items) :]

    def complete(self, form: str, rest: Any) -> Any:
        """Return all steps in a form, given the text or bytes of the `unwritten` ones."""
        whole = self._written.get(form)
        if whole is None and self._base is None:
            whole = self._written[form] = rest
        elif whole is None:
            base = self._written_base(form)
            whole = self._written[form] = rest if base is None else base._written[form] + rest
            if len(self._written) == _FORMS:
                self._base = None
        return whole

    def _written_base(self, form: str) -> Steps | None:
        base = self._base
        while base is not None and form not in base._written:
            base = base._base
        return base
