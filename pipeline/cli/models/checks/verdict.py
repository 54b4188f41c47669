"""From where on a model does not hold, and what that means: one rule for findings, metrics and alerts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.errors import InvalidInput
from pipeline.fitting.drift import LARGE, Profile, stability_index
from pipeline.fitting.histories import Array
from pipeline.fitting.validation import Figure


class NotCheckable(InvalidInput):
    """There is nothing to check a model with; the text says why."""


class Limit(NamedTuple):
    """A loss from which on (inclusive) a model does not hold, and what it means to reach it."""

    loss: float
    finding: str


def than_when_fitted(now: Figure, then: Mapping[str, float]) -> Limit:
    """Return the limit that is reached when the whole interval of a loss is above that of the validation.

    Both are uncertain, so half of the interval of now stands on top of that of the validation.
    """
    return Limit(then["high"] + now.value - now.low, "It foretells worse than when it was fitted")


def lowest(limits: Sequence[Limit]) -> float:
    """Return the loss from which on a model does not hold."""
    return min([limit.loss for limit in limits])


def findings(loss: float, limits: Sequence[Limit], drift: Mapping[str, float] | None, command: str) -> Iterator[str]:
    """Yield what does not hold, and the command that mends it: the first limit that is reached, and inputs that moved.

    `drift` are population stability indices by input.
    """
    reached = [limit.finding for limit in limits if loss >= limit.loss][:1]
    moved = [
        f"Its input “{name}” is not what it was fitted to" for name, index in (drift or {}).items() if index > LARGE
    ]
    for finding in [*reached, *moved]:
        yield f"{finding}: fit it anew ({command})."


def drift_since(fit: Mapping[str, Any] | None, now: Mapping[str, Array]) -> dict[str, float] | None:
    """Return the stability index of each input that was stored with a fit; None where none was."""
    if fit is None or "inputs" not in fit:
        return None
    return {name: stability_index(Profile(**then), now[name]) for name, then in fit["inputs"].items() if name in now}
